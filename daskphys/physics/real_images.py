"""Operators with complex measurements on real images."""

from __future__ import annotations

from typing import Any

from daskphys import backend
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.normal_kind import NormalKind
from daskphys.physics.spaces import Images, Sensors, of_reals, real_part
from daskphys.physics.value import value


@value
class OfRealImages(LinearPhysics):
    """A for real images alone: ``Aᴴ y`` is its real part, and a complex image is refused.

    Real images are a space over the real numbers, and so are then the measurements, with
    ``⟨y, y'⟩ = Re Σ conj(y) y'``; in it the adjoint of A is the real part of Aᴴ.  Least squares have real solutions.

    Parameters
    ----------
    parent : LinearPhysics
        An operator from images to one array.

    Raises
    ------
    DtypeError
        A complex image.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Diagonal, OfRealImages
    >>> A = OfRealImages(Diagonal(np.array([1j, 1 + 1j])))
    >>> A(np.array([1.0, 2.0])), A.A_adjoint(np.array([1j, 1 + 1j]))
    (array([0.+1.j, 2.+2.j]), array([1., 2.]))
    """

    parent: LinearPhysics

    @property
    def domain(self) -> Images | Sensors:
        return of_reals(self.parent.domain.widened(0, self), True)

    @property
    def range(self) -> Images | Sensors:
        return self.parent.range.widened(0, self)

    @property
    def _measured(self) -> Any:
        return self.parent._measured

    def _forward(self, x: Any) -> Any:
        return self.parent._forward(x)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return real_part(self.parent._adjoint(y, shape))

    def _gram(self, x: Any) -> Any:
        return real_part(self.parent._gram(x))

    def _range_shape(self, shape: Any) -> Any:
        return self.parent._range_shape(shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self.parent._domain_shape(shape)

    def _result_dtype(self, dtype: str) -> str:
        return self.parent._result_dtype(dtype)

    def _adjoint_dtype(self, dtype: str) -> str:
        return backend.real_name(self.parent._adjoint_dtype(dtype))

    @property
    def normal_kind(self) -> NormalKind | None:
        """The parent's, where that takes real images to real ones."""
        kind = self.parent.normal_kind
        return None if kind is None or kind.makes_complex else kind

    def _make_normal(self, shape: Any) -> Any:
        return self.parent._make_normal(shape)

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return self.parent._cost(shape, dtype)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        return self.parent._adjoint_cost(shape, dtype).then(
            Cost(result=nbytes(shape, backend.real_name(dtype)))
        )

    def _normal_cost(self, shape: Any, dtype: str) -> Cost:
        return self.parent._normal_cost(shape, dtype)

    def _merged_step(self, shape: Any, dtype: str) -> Cost:
        return self.parent._merged_step(shape, dtype)
