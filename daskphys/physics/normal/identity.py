"""Multiples of the identity."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from daskphys.errors import ParameterError
from daskphys.physics.checks import check_lam, check_rtol
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.normal.sums import NormalValue
from daskphys.physics.normal_kind import IDENTITY, NormalKind
from daskphys.physics.transform import Transform
from daskphys.physics.value import value


@value
class Identity(NormalValue):
    """`factor` times the identity, for images of any shape.

    Added to any other normal value it becomes a part of it, so that ``N + lam * Identity()`` is what N is.

    Parameters
    ----------
    factor : float
        The factor, finite and real.

    Raises
    ------
    ParameterError
        `factor` is no finite real number.

    Examples
    --------
    >>> from daskphys.physics import Blur, gaussian_blur
    >>> from daskphys.physics.normal import Identity
    >>> N = Blur(gaussian_blur(1.0)).normal((32, 32))
    >>> N + 0.5 * Identity()
    FourierMultiplier(32×32)
    >>> round((N + 0.5 * Identity()).norm(), 6)
    1.5
    """

    factor: float = 1.0
    domain_ndim = 0

    def __post_init__(self) -> None:
        if not isinstance(self.factor, numbers.Real) or not math.isfinite(self.factor):
            raise ParameterError(f"Identity expected a finite real factor, got {self.factor!r}")
        self.__dict__["factor"] = float(self.factor)

    @property
    def kind(self) -> NormalKind:
        return IDENTITY

    @property
    def normal_kind(self) -> NormalKind:
        return IDENTITY

    def _make_normal(self, shape: Any) -> Identity:
        return Identity(self.factor**2)

    @property
    def self_adjoint(self) -> bool:
        return True

    @property
    def rounding_units(self) -> float:
        """A product loses one."""
        return 1.0

    def multiply(self, z: Any) -> Any:
        """The product with an image, in its precision."""
        return self.factor * z

    def _measured_after(self, first: Any) -> Any:
        return first

    def _forward(self, x: Any) -> Any:
        return self.multiply(x)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.multiply(y)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        result = nbytes(shape, dtype)
        return Cost(flops=result / 4, parameters=self.nbytes, result=result)

    def _range_shape(self, shape: Any) -> Any:
        return shape

    def _plus(self, other: NormalValue) -> NormalValue | None:
        return Identity(self.factor + other.factor) if isinstance(other, Identity) else other._plus(self)

    def _around(self, power: Any) -> NormalValue:
        filtered: NormalValue = self.factor * power
        return filtered

    def _scaled(self, number: complex) -> Identity | None:
        return None if isinstance(number, complex) else Identity(number * self.factor)

    def diagonal(self) -> np.ndarray:
        """The factor, as an array without axes."""
        return np.array(self.factor)

    def inv(self, lam: float) -> Identity:
        """(A + lam I)⁻¹, for a non-negative factor.

        Raises
        ------
        ParameterError
            `lam` is negative or not finite, the factor is negative, or their sum is zero.
        """
        lam = check_lam(f"{self!r}.inv", lam)
        if self.factor < 0:
            raise ParameterError(f"{self!r}.inv expected a non-negative factor, as that of AᴴA is")
        if self.factor + lam == 0:
            raise ParameterError(f"{self!r} + {lam:g} I is singular: expected lam > 0, or use pinv(rtol)")
        return Identity(1.0 / (self.factor + lam))

    def pinv(self, rtol: float | None = None) -> Identity:
        """A⁺, which is zero where the factor is; the one singular value is the largest, whatever `rtol`.

        Raises
        ------
        ParameterError
            `rtol` is no number of [0, 1).
        """
        if rtol is not None:
            check_rtol(f"{self!r}.pinv", rtol)
        return Identity(1.0 / self.factor if self.factor else 0.0)

    def norm(self) -> float:
        """The factor's magnitude."""
        return abs(self.factor)
