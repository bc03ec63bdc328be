"""What a stacked operator returns: one array for each sensor."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self, overload

from daskphys import backend, doors
from daskphys.errors import ShapeError, describe


class Measurements(Sequence[Any]):
    """A sequence of arrays, one a sensor, with arithmetic.

    Parameters
    ----------
    arrays
        One array for each sensor; their shapes may differ, their kind (NumPy, torch, Dask, …) may not.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Measurements
    >>> y = Measurements([np.ones((2, 2)), np.ones(3)])
    >>> len(y), y.norm()
    (2, 2.6457513110645907)
    >>> (2 * y - y / 2)[1]
    array([1.5, 1.5, 1.5])
    """

    is_measurements = True
    __array_ufunc__ = None  # np.float64(2) * measurements is ours to do

    def __new__(cls, arrays: Iterable[Any] = ()) -> Self:
        held = tuple(arrays)
        door = doors.door_of(held[0]) if held else None
        kind = door.collection if door is not None and door.collection is not None else cls
        self = object.__new__(kind if issubclass(kind, cls) else cls)
        self._arrays = held
        return self

    _arrays: tuple[Any, ...]

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self._arrays,)

    def __len__(self) -> int:
        return len(self._arrays)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Measurements: ...
    def __getitem__(self, index: int | slice) -> Any:
        return Measurements(self._arrays[index]) if isinstance(index, slice) else self._arrays[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._arrays)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each array."""
        return tuple(tuple(a.shape) for a in self._arrays)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(backend.nbytes(a) for a in self._arrays)

    def map(self, f: Callable[[Any], Any]) -> Measurements:
        """`f` applied to each array."""
        return Measurements(f(a) for a in self._arrays)

    def norm(self) -> Any:
        """The Euclidean norm over all sensors (a float; of torch and Dask arrays, a scalar of theirs)."""
        if all(backend.is_array(a) for a in self._arrays):
            return math.hypot(*map(backend.norm, self._arrays))
        total = sum((abs(a) ** 2).sum() for a in self._arrays)
        return total**0.5

    def stack(self) -> Any:
        """One array with a sensor axis in front, where all shapes agree.

        Raises
        ------
        ShapeError
            The shapes differ between sensors.
        """
        if len(set(self.shapes)) != 1:
            raise ShapeError(
                f"Measurements.stack() expected arrays of one shape, got {self._summary()}: "
                f"keep them as Measurements, or crop them with .map(f) first"
            )
        return doors.stack(self._arrays)

    def _zip(self, other: Any, f: Callable[[Any, Any], Any]) -> Measurements:
        if isinstance(other, Measurements | list | tuple):
            if len(other) != len(self):
                raise ShapeError(
                    f"Measurements of {len(self)} sensors expected as many on the other side, got {len(other)}"
                )
            return Measurements(f(a, b) for a, b in zip(self._arrays, other, strict=True))
        if getattr(other, "ndim", 0) > 0:
            raise ShapeError(
                f"Measurements expected a scalar or measurements on the other side, got {describe(other)}: "
                f"use .map(f) to do the same to each sensor"
            )
        return self.map(lambda a: f(a, other))

    def __add__(self, other: Any) -> Measurements:
        return self._zip(other, operator.add)

    def __sub__(self, other: Any) -> Measurements:
        return self._zip(other, operator.sub)

    def __mul__(self, other: Any) -> Measurements:
        return self._zip(other, operator.mul)

    def __truediv__(self, other: Any) -> Measurements:
        return self._zip(other, operator.truediv)

    def __radd__(self, other: Any) -> Measurements:
        return self._zip(other, lambda a, b: b + a)

    def __rsub__(self, other: Any) -> Measurements:
        return self._zip(other, lambda a, b: b - a)

    def __rmul__(self, other: Any) -> Measurements:
        return self._zip(other, lambda a, b: b * a)

    def __rtruediv__(self, other: Any) -> Measurements:
        return self._zip(other, lambda a, b: b / a)

    def __neg__(self) -> Measurements:
        return self.map(operator.neg)

    def _summary(self) -> str:
        shown = [f"{'×'.join(map(str, s)) or 'scalar'}" for s in self.shapes[:4]]
        return ", ".join(shown) + (", …" if len(self) > 4 else "")

    def __repr__(self) -> str:
        first = f" {type(self._arrays[0]).__module__.partition('.')[0]}" if self._arrays else ""
        dtype = f" {backend.dtype_name(self._arrays[0])}" if self._arrays else ""
        return f"<Measurements of {len(self)} sensors: {self._summary()}{first}{dtype}>"
