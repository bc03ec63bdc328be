"""Closed forms of what is diagonal in a basis: pixels, or frequencies."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import Any, Self

from daskphys import backend
from daskphys.errors import ParameterError
from daskphys.physics.checks import check_lam, check_rtol
from daskphys.physics.normal.held import HeldArray
from daskphys.physics.normal_kind import NormalKind
from daskphys.physics.transform import Transform


class Spectral(HeldArray):
    """A normal value whose array holds its eigenvalues."""

    @property
    @abc.abstractmethod
    def rounding_units(self) -> float:
        """How many rounding units of the largest eigenvalue a product may lose."""

    def multiply(self, z: Any, *, conjugate: bool = False) -> Any:
        """The product with coefficients in the basis, in their precision."""
        factor = self._cast(z)
        if conjugate and not self.self_adjoint:
            # Named: NumPy would multiply into a temporary the other way round, which has other last bits.
            factor = backend.namespace(z).conj(factor)
        return z * factor

    def _forward_from(self, z: Any, shape: Any, transform: Transform) -> Any:
        return self.transform.lower(self.multiply(z), shape)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        return self.multiply(self.transform.lift(y), conjugate=True)

    @property
    def normal_kind(self) -> NormalKind:
        return self.kind

    def _make_normal(self, shape: Any) -> Self:
        return self._holding(power(self._held))

    def inv(self, lam: float) -> Self:
        """(A + lam I)⁻¹, for real non-negative entries.

        Raises
        ------
        ParameterError
            `lam` is negative or not finite, or the sum has a zero (then `pinv` is what there is).
        """
        lam = check_lam(f"{self!r}.inv", lam)
        xp = backend.namespace(self._held)
        if not self.self_adjoint or bool(xp.any(self._held < 0)):
            raise ParameterError(f"{self!r}.inv expected real, non-negative entries, as those of AᴴA are")
        shifted = self._held + lam
        if bool(xp.any(shifted == 0)):
            raise ParameterError(f"{self!r} + {lam:g} I is singular: expected lam > 0, or use pinv(rtol)")
        return self._holding(1.0 / shifted)

    def pinv(self, rtol: float | None = None) -> Self:
        """A⁺: entries of at most `rtol` times the largest count as zero (by default one rounding unit).

        Raises
        ------
        ParameterError
            `rtol` is no number of [0, 1).
        """
        xp = backend.namespace(self._held)
        size = abs(self._held)
        least = backend.eps(size) if rtol is None else check_rtol(f"{self!r}.pinv", rtol)
        keep = size > least * xp.max(size)
        ones = xp.ones_like(self._held)
        return self._holding(xp.where(keep, ones / xp.where(keep, self._held, ones), 0 * ones))

    def norm(self) -> float:
        """The largest singular value: the largest entry's magnitude."""
        return float(backend.namespace(self._held).max(abs(self._held)))

    def compute_sqnorm(self, x_or_shape: Any, rtol: float = 1e-10) -> float:
        """The square of `norm`, for images that fit."""
        check_rtol(f"{self!r}.compute_sqnorm", rtol, positive=True)
        self._image_shape(x_or_shape)
        return self.norm() ** 2


def power(z: Any) -> Any:
    """|z|², without the square root that `abs` takes."""
    if not backend.is_complex(z):
        return z * z
    xp = backend.namespace(z)
    return xp.real(z) ** 2 + xp.imag(z) ** 2


def fft_rounding_units(sizes: Sequence[int]) -> float:
    """How many rounding units of the largest an FFT of an image of `sizes` loses: O(log n) of n entries."""
    return max(1.0, math.log2(backend.size(sizes)))
