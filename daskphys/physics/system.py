"""An operator and a measurement as the system that a solver sees, in this process."""

from __future__ import annotations

from typing import Any

from daskphys import backend
from daskphys.errors import ParameterError
from daskphys.krylov.system import Scalars
from daskphys.krylov.vectors import inner, plus
from daskphys.physics.measurements import Measurements


def scalars_shape(operator: Any, shape: Any) -> tuple[int, ...]:
    """The shape of one number a right-hand side, for images of `shape`: the leading axes, then ones.

    Leading axes are those that belong neither to the operator's domain nor to its range.
    """
    first = shape[0] if isinstance(shape[0], tuple) else shape
    lead = min(operator.domain.lead(shape), operator.range.lead(operator._range_shape(shape)))
    return (*first[:lead], *(1,) * (len(first) - lead))


class LocalSystem:
    """The system of ``operator x = y`` for images of `shape`, by the operator's own hooks.

    Parameters
    ----------
    operator : Hooks
        The operator.
    y : array, Measurements or None
        A measurement; None for a solver that uses `normal` alone.
    shape
        The shape of x.
    """

    def __init__(self, operator: Any, y: Any, shape: Any) -> None:
        self._operator, self._y, self._shape = operator, y, shape
        self._u = y
        self._scalars = scalars_shape(operator, shape)

    def start(self, x0: Any) -> tuple[Scalars, Any]:
        self._u = self._y if x0 is None else self._y - self._operator._forward(x0)
        return self._seen()

    def step(self, v: Any, scale: Scalars) -> tuple[Scalars, Any]:
        self._u = plus(self._operator._forward(v), -scale, self._u)
        return self._seen()

    def _seen(self) -> tuple[Scalars, Any]:
        return inner(self._u, self._u, self._scalars), self._operator._adjoint(self._u, self._shape)

    def normal(self, p: Any, weights: Any = None) -> Any:
        if weights is not None:
            return self._operator._gram(p, weights)
        if self._operator._by_normal:
            return self._operator._normal(self._shape)._forward(p)
        return self._operator._gram(p)


def gram_dtype(operator: Any, dtype: str) -> str:
    """The dtype of AᴴA x for x of `dtype`: merged, it may be real where A x is complex."""
    if operator.of_real_images:
        return backend.real_name(dtype)
    kind = operator.normal_kind
    if kind is not None:
        return str(kind.result_dtype(dtype))
    return str(operator._adjoint_dtype(operator._result_dtype(dtype)))


def check_finite(value: Any, owner: str, name: str) -> None:
    """Refuse NaN and infinity, which an iteration would spread over the whole solution."""
    many = isinstance(value, Measurements)
    for index, array in enumerate(value if many else (value,)):
        xp = backend.namespace(array)
        if not bool(xp.all(xp.isfinite(array))):
            where = f" for sensor {index}" if many else ""
            raise ParameterError(
                f"{owner} expected {name} of finite numbers, got NaN or infinity{where}: replace them first, or mask "
                f"these pixels in the operator"
            )


def as_result(operator: Any, value: Any) -> Any:
    """`value` in the dtype of A x of such an x: measurements of a complex operator are complex."""
    if isinstance(value, Measurements):
        return value.map(lambda a: as_result(operator, a))
    return backend.astype(value, operator._result_dtype(backend.dtype_name(value)))
