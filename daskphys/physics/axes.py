"""Operators that change the axes of an array, and none of its entries."""

from __future__ import annotations

from typing import Any

from daskphys import backend
from daskphys.errors import ShapeError
from daskphys.physics.base import LinearPhysics
from daskphys.physics.value import value


@value
class Squeeze(LinearPhysics):
    """Takes away an axis of one sample, the first of the last `ndim`."""

    ndim: int

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return self.ndim

    @property
    def range_ndim(self) -> int:
        return self.ndim - 1

    def _measured_after(self, first: Any) -> Any:
        return first if first is None or first.ndim < self.ndim else self._forward(first)

    def _forward(self, x: Any) -> Any:
        return x[(..., 0, *(slice(None),) * (self.ndim - 1))]

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return y[(..., None, *(slice(None),) * (self.ndim - 1))]

    def _range_shape(self, shape: Any) -> Any:
        axis = len(shape) - self.ndim
        if shape[axis] != 1:
            raise ShapeError(f"{self!r} expected one sample along axis {-self.ndim}, got shape {shape}")
        return (*shape[:axis], *shape[axis + 1 :])

    def _domain_shape(self, shape: Any) -> Any:
        axis = len(shape) - self.range_ndim
        return (*shape[:axis], 1, *shape[axis:])


@value
class Selection(LinearPhysics):
    """The entries from `start` to `stop` along an axis of `size`, the first of the last `ndim`."""

    ndim: int
    start: int
    stop: int
    size: int

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return self.ndim

    def _measured_after(self, first: Any) -> Any:
        one_for_all = first is None or first.ndim < self.ndim or first.shape[-self.ndim] == 1
        return first if one_for_all else self._forward(first)

    def _forward(self, x: Any) -> Any:
        return x[(..., slice(self.start, self.stop), *(slice(None),) * (self.ndim - 1))]

    def _adjoint(self, y: Any, shape: Any) -> Any:
        axis = len(shape) - self.ndim
        before, after = ((*shape[:axis], n, *shape[axis + 1 :]) for n in (self.start, self.size - self.stop))
        return backend.concat([backend.zeros(before, y), y, backend.zeros(after, y)], axis)

    def _range_shape(self, shape: Any) -> Any:
        return self._resized(shape, self.size, self.stop - self.start)

    def _domain_shape(self, shape: Any) -> Any:
        return self._resized(shape, self.stop - self.start, self.size)

    def _resized(self, shape: Any, expected: int, wanted: int) -> Any:
        axis = len(shape) - self.ndim
        if shape[axis] != expected:
            raise ShapeError(
                f"{self!r} expected {expected} entries along axis {-self.ndim}, got shape {shape}"
            )
        return (*shape[:axis], wanted, *shape[axis + 1 :])
