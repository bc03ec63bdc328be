"""The hooks of operators that are made of operators: adjoint, product, sum, multiple, AᴴA, pseudo-inverse."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from daskphys import backend
from daskphys.errors import ShapeError
from daskphys.pairwise import pairwise_sum
from daskphys.physics import leastsquares
from daskphys.physics.hooks import Hooks
from daskphys.physics.spaces import Images, Sensors, shape_of
from daskphys.physics.transform import After, Transform


class AdjointHooks(Hooks):
    """Aᴴ."""

    parent: Hooks

    @property
    def domain(self) -> Images | Sensors:
        return replace(self.parent.range, owner=self)

    @property
    def range(self) -> Images | Sensors:
        return self.parent.domain

    def _forward(self, x: Any) -> Any:
        return self.parent._adjoint(x, self.parent._domain_shape(shape_of(x)))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.parent._forward(y)

    def _range_shape(self, shape: Any) -> Any:
        return self.parent._domain_shape(shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self.parent._range_shape(shape)

    def __repr__(self) -> str:
        return f"{self.parent!r}.H"


class ComposedHooks(Hooks):
    """``left @ right``: first `right`, then `left`."""

    left: Hooks
    right: Hooks

    @property
    def domain(self) -> Images | Sensors:
        return self.right.domain

    @property
    def range(self) -> Images | Sensors:
        return self.left.range

    def _forward(self, x: Any) -> Any:
        return self.left._forward(self.right._forward(x))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.right._adjoint(self.left._adjoint(y, self.right._range_shape(shape)), shape)

    def _range_shape(self, shape: Any) -> Any:
        between = self.right._range_shape(shape)
        return self.left._range_shape(self.left.domain.shape(between))

    def _domain_shape(self, shape: Any) -> Any:
        return self.right._domain_shape(self.left._domain_shape(shape))

    @property
    def transform(self) -> Transform:
        return After(self.right, self.left.transform)

    def _forward_from(self, z: Any, shape: Any) -> Any:
        return self.left._forward_from(z, self.right._range_shape(shape))

    def _adjoint_to(self, y: Any, shape: Any) -> Any:
        return self.left._adjoint_to(y, self.right._range_shape(shape))

    def __repr__(self) -> str:
        return f"{self.left!r} @ {self.right!r}"


class SumHooks(Hooks):
    """The sum of operators with one domain and one range, taken in the canonical order."""

    terms: tuple[Hooks, ...]

    @property
    def domain(self) -> Images | Sensors:
        return replace(self.terms[0].domain, owner=self)

    @property
    def range(self) -> Images | Sensors:
        return replace(self.terms[0].range, owner=self)

    def _forward(self, x: Any) -> Any:
        return pairwise_sum(term._forward(x) for term in self.terms)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return pairwise_sum(term._adjoint(y, shape) for term in self.terms)

    def _range_shape(self, shape: Any) -> Any:
        return self._agreed([term._range_shape(shape) for term in self.terms])

    def _domain_shape(self, shape: Any) -> Any:
        return self._agreed([term._domain_shape(shape) for term in self.terms])

    def _agreed(self, shapes: list[Any]) -> Any:
        for term, shape in zip(self.terms, shapes, strict=True):
            if shape != shapes[0]:
                raise ShapeError(
                    f"{self!r} expected terms of one shape, got {shapes[0]} from {self.terms[0]!r} and {shape} "
                    f"from {term!r}"
                )
        return shapes[0]

    def __repr__(self) -> str:
        shown = [repr(term) for term in self.terms[:4]] + (["…"] if len(self.terms) > 4 else [])
        return f"({' + '.join(shown)})"


class ScaledHooks(Hooks):
    """``factor * parent``."""

    factor: complex
    parent: Hooks

    @property
    def domain(self) -> Images | Sensors:
        return replace(self.parent.domain, owner=self)

    @property
    def range(self) -> Images | Sensors:
        return replace(self.parent.range, owner=self)

    @property
    def _conjugate(self) -> complex:
        return self.factor.conjugate()

    def _forward(self, x: Any) -> Any:
        return self.factor * self.parent._forward(x)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._conjugate * self.parent._adjoint(y, shape)

    def _range_shape(self, shape: Any) -> Any:
        return self.parent._range_shape(shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self.parent._domain_shape(shape)

    @property
    def transform(self) -> Transform:
        return self.parent.transform

    def _forward_from(self, z: Any, shape: Any) -> Any:
        return self.factor * self.parent._forward_from(z, shape)

    def _adjoint_to(self, y: Any, shape: Any) -> Any:
        return self.parent._adjoint_to(self._conjugate * y, shape)

    @property
    def normal_kind(self) -> Any:
        return self.parent.normal_kind

    def _normal(self, shape: Any) -> Any:
        return abs(self.factor) ** 2 * self.parent._normal(shape)

    def __repr__(self) -> str:
        return f"{self.factor:g} * {self.parent!r}"


class GramHooks(Hooks):
    """AᴴA: by the merged normal operator where there is one, else A and then Aᴴ."""

    parent: Hooks

    @property
    def domain(self) -> Images | Sensors:
        return self.parent.domain

    @property
    def range(self) -> Images | Sensors:
        return self.parent.domain

    def _forward(self, x: Any) -> Any:
        if self.parent.normal_kind is not None:
            return self.parent._normal(x.shape)._forward(x)
        return self.parent._gram(x)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._forward(y)

    def _range_shape(self, shape: Any) -> Any:
        self.parent._range_shape(shape)
        return shape

    def __repr__(self) -> str:
        return f"{self.parent!r}.H @ {self.parent!r}"


class PseudoInverseHooks(Hooks):
    """A⁺, the least-squares solution of smallest norm."""

    parent: Hooks
    rtol: float | None

    @property
    def domain(self) -> Images | Sensors:
        return replace(self.parent.range, owner=self)

    @property
    def range(self) -> Images | Sensors:
        return self.parent.domain

    def _inverse(self, shape: Any, dtype_eps: float) -> Any:
        # Eigenvalues of AᴴA are squares of A's singular values.
        rtol = dtype_eps * max(1.0, math.log2(backend.size(shape))) if self.rtol is None else self.rtol
        return self.parent._normal(shape).pinv(rtol**2)

    def _forward(self, y: Any) -> Any:
        shape = self.parent._domain_shape(shape_of(y))
        if self.parent.normal_kind is None:
            return leastsquares.solve(self.parent, y, shape, self.rtol)
        # Divided in the domain where the sum is taken: one more FFT pair in between would add rounding
        # errors that 1/σ² amplifies.
        z = self.parent._adjoint_to(y, shape)
        inverse, transform = self._inverse(shape, backend.eps(z)), self.parent.transform
        if transform == inverse.transform:
            return transform.lower(inverse.multiply(z), shape)
        return inverse._forward(transform.lower(z, shape))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        if self.parent.normal_kind is None:
            return leastsquares.solve(AdjointOf(self.parent), y, shape, self.rtol)
        return self.parent._forward(self._inverse(y.shape, backend.eps(y))._forward(y))

    def _range_shape(self, shape: Any) -> Any:
        return self.parent._domain_shape(shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self.parent._range_shape(shape)

    def __repr__(self) -> str:
        return f"pinv({self.parent!r})"


class AdjointOf(AdjointHooks):
    """Aᴴ for the use of this file: hooks alone."""

    def __init__(self, parent: Hooks) -> None:
        self.__dict__["parent"] = parent
