"""The hooks of operators that are made of operators: adjoint, sum, multiple, pseudo-inverse (products: `composed`)."""

from __future__ import annotations

import functools
import operator
from dataclasses import replace
from typing import Any

from daskphys import backend
from daskphys.errors import ShapeError
from daskphys.pairwise import pairwise_sum
from daskphys.physics import leastsquares
from daskphys.physics.algebracost import (
    AdjointCost,
    PseudoInverseCost,
    ScaledCost,
    SumCost,
)
from daskphys.physics.convolution import Convolution, total
from daskphys.physics.hooks import Hooks
from daskphys.physics.normal_kind import NormalKind, has_closed_form
from daskphys.physics.spaces import (
    Images,
    Sensors,
    check_alike,
    of_reals,
    real_part,
    shape_of,
    widest,
)
from daskphys.physics.stencil import Stencil
from daskphys.physics.transform import Transform


class AdjointHooks(AdjointCost):
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
        return self.parent._forward(real_part(y) if self.parent.of_real_images else y)

    def _range_shape(self, shape: Any) -> Any:
        return self.parent._domain_shape(shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self.parent._range_shape(shape)

    def _result_dtype(self, dtype: str) -> str:
        return self.parent._adjoint_dtype(dtype)

    def _adjoint_dtype(self, dtype: str) -> str:
        return self.parent._result_dtype(dtype)

    def __repr__(self) -> str:
        return f"{self.parent!r}.H"


class SumHooks(SumCost):
    """The sum of operators with one domain and one range, taken in the canonical order."""

    terms: tuple[Hooks, ...]

    def __post_init__(self) -> None:
        check_alike(self.terms)

    @property
    def domain(self) -> Images | Sensors:
        return replace(max((t.domain for t in self.terms), key=lambda d: d.ndim), owner=self)

    @property
    def range(self) -> Images | Sensors:
        space = max((t.range for t in self.terms), key=lambda r: r.ndim)
        return of_reals(replace(space, owner=self), self.gives_real)

    def _forward(self, x: Any) -> Any:
        return pairwise_sum(term._forward(x) for term in self.terms)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return pairwise_sum(term._adjoint(y, shape) for term in self.terms)

    @property
    def _measured(self) -> Any:
        """What any of the terms measures."""
        each = [None if m is None else m != 0 for m in (term._measured for term in self.terms)]
        return None if any(m is None for m in each) else functools.reduce(operator.or_, each)

    def _range_shape(self, shape: Any) -> Any:
        return self._agreed([term._range_shape(shape) for term in self.terms])

    def _domain_shape(self, shape: Any) -> Any:
        return self._agreed([term._domain_shape(shape) for term in self.terms])

    def _result_dtype(self, dtype: str) -> str:
        return widest(term._result_dtype(dtype) for term in self.terms)

    def _adjoint_dtype(self, dtype: str) -> str:
        return widest(term._adjoint_dtype(dtype) for term in self.terms)

    @property
    def stencil(self) -> Stencil | None:
        stencils = [term.stencil for term in self.terms]
        known = [s for s in stencils if s is not None and s.agrees(stencils[0] or s)]
        return pairwise_sum(known) if len(known) == len(stencils) else None

    @property
    def convolution(self) -> Convolution | None:
        kinds = {term.convolution for term in self.terms}
        return kinds.pop() if len(kinds) == 1 else None

    def _transfer(self, sizes: tuple[int, ...]) -> Any:
        return pairwise_sum((term._transfer(sizes) for term in self.terms), add=total)

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


class ScaledHooks(ScaledCost):
    """``factor * parent``."""

    factor: complex
    parent: Hooks

    @property
    def domain(self) -> Images | Sensors:
        return replace(self.parent.domain, owner=self)

    @property
    def range(self) -> Images | Sensors:
        return of_reals(replace(self.parent.range, owner=self), self.gives_real)

    @property
    def _measured(self) -> Any:
        return self.parent._measured

    @property
    def _conjugate(self) -> complex:
        return self.factor.conjugate()

    def _forward(self, x: Any) -> Any:
        return self.factor * self.parent._forward(x)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        if self.parent.of_real_images or self.parent.gives_real:  # a real part is taken of the multiple
            return self.parent._adjoint(self._conjugate * y, shape)
        return self._conjugate * self.parent._adjoint(y, shape)

    def _range_shape(self, shape: Any) -> Any:
        return self.parent._range_shape(shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self.parent._domain_shape(shape)

    def _result_dtype(self, dtype: str) -> str:
        name = self.parent._result_dtype(dtype)
        return backend.complex_name(name) if isinstance(self.factor, complex) else name

    def _adjoint_dtype(self, dtype: str) -> str:
        name = self.parent._adjoint_dtype(dtype)
        wide = isinstance(self.factor, complex) and not self.parent.of_real_images
        return backend.complex_name(name) if wide else name

    @property
    def transform(self) -> Transform:
        return self.parent.transform

    def _forward_from(self, z: Any, shape: Any, transform: Transform) -> Any:
        return self.factor * self.parent._forward_from(z, shape, transform)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        return self.parent._adjoint_to(self._conjugate * y, shape, transform)

    @property
    def stencil(self) -> Stencil | None:
        parent = self.parent.stencil
        return None if parent is None else parent.scaled(self.factor)

    @property
    def convolution(self) -> Convolution | None:
        return None if isinstance(self.factor, complex) else self.parent.convolution

    def _transfer(self, sizes: tuple[int, ...]) -> Any:
        return self.factor * self.parent._transfer(sizes)

    @property
    def normal_kind(self) -> NormalKind | None:
        return self.parent.normal_kind

    def _make_normal(self, shape: Any) -> Any:
        return abs(self.factor) ** 2 * self.parent._make_normal(shape)

    def __repr__(self) -> str:
        return f"{self.factor:g} * {self.parent!r}"


class PseudoInverseHooks(PseudoInverseCost, AdjointHooks):
    """A⁺, the least-squares solution of smallest norm; it goes from A's range to its domain, as Aᴴ does."""

    rtol: float | None
    max_iter: int | None
    progress: bool

    def _forward(self, y: Any) -> Any:
        parent = self.parent
        shape = parent._domain_shape(shape_of(y))
        if not has_closed_form(parent):
            return leastsquares.solve(parent, y, shape, self.rtol, self.max_iter, progress=self.progress)
        normal, transform = parent._normal(shape), parent.transform.at_image_size()
        z = parent._adjoint_to(y, shape, transform)
        return normal_solution(normal, z, transform, shape, self.rtol)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        if not has_closed_form(self.parent):
            return leastsquares.solve(
                AdjointOf(self.parent), y, shape, self.rtol, self.max_iter, progress=self.progress
            )
        inverse = _pinv(self.parent._normal(y.shape), y, self.rtol)
        return self.parent._forward(inverse._forward(y))

    def __repr__(self) -> str:
        return f"pinv({self.parent!r})"


def normal_solution(
    normal: Any, z: Any, transform: Transform, shape: Any, rtol: float | None, lam: float = 0.0
) -> Any:
    """``(AᴴA + lam I)⁺ Aᴴy`` from ``z``, which is Aᴴy in the domain of `transform`; `rtol` is for lam = 0.

    It is divided there: one more FFT pair in between would add rounding errors that 1/σ² amplifies.
    """
    inverse = normal.inv(lam) if lam else _pinv(normal, z, rtol)
    if transform == inverse.transform:
        return transform.lower(inverse.multiply(z), shape)
    return inverse._forward(transform.lower(z, shape))


def _pinv(normal: Any, sample: Any, rtol: float | None) -> Any:
    """The pseudo-inverse of AᴴA, whose eigenvalues are squares of A's singular values."""
    cut = backend.eps(sample) * normal.rounding_units if rtol is None else rtol
    return normal.pinv(cut**2)


class AdjointOf(AdjointHooks):
    """Aᴴ for the use of this file: hooks alone."""

    def __init__(self, parent: Hooks) -> None:
        self.__dict__["parent"] = parent
