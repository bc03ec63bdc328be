"""What a stacked operator returns: one array for each sensor."""

from __future__ import annotations

import collections
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self, overload

from daskphys import backend, doors, markup
from daskphys.errors import ShapeError, checks_keywords, describe

#: Sensors whose measurements the HTML repr shows.
_SHOWN = 8


class Measurements(Sequence[Any]):
    """A sequence of arrays, one a sensor, with arithmetic.

    Parameters
    ----------
    arrays : iterable of arrays
        One array for each sensor; their shapes may differ, their kind (NumPy, torch, Dask, …) may not.

    Raises
    ------
    ShapeError
        In arithmetic: the other side has another number of sensors.

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
        """`f` applied to each array.

        Parameters
        ----------
        f : callable
            From an array to an array.

        Returns
        -------
        Measurements
            As many as before.

        Examples
        --------
        >>> import numpy as np
        >>> from daskphys.physics import Measurements
        >>> Measurements([np.ones((4, 4)), np.ones((6, 6))]).map(lambda a: a[1:-1, 1:-1]).shapes
        ((2, 2), (4, 4))
        """
        return Measurements(f(a) for a in self._arrays)

    def norm(self) -> Any:
        """The Euclidean norm over all sensors.

        Returns
        -------
        float or scalar
            A float; of torch and Dask arrays, a scalar of theirs.
        """
        if all(backend.is_array(a) for a in self._arrays):
            return math.hypot(*map(backend.norm, self._arrays))
        total = sum((abs(a) ** 2).sum() for a in self._arrays)
        return total**0.5

    def stack(self) -> Any:
        """One array with a sensor axis in front, where all shapes agree.

        Returns
        -------
        array, shape (sensor, …)
            Of the measurements' kind.

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

    @checks_keywords
    def to_zarr(self, store: Any, *, overwrite: bool = False) -> None:
        """Write the measurements to disk, for `daskphys.open_measurements`; workers write what is lazy.

        Parameters
        ----------
        store : path, URL or Zarr store
            Where to.  A folder appears when it is complete, or not at all.
        overwrite : bool
            Whether to replace measurements that are there, or what the command line wrote in their place; nothing else is
            ever replaced, nor a store that holds more than daskphys wrote.

        Raises
        ------
        StoreExistsError
            There is something, and `overwrite` is False or does not replace such.
        StorageError
            The store cannot be written.
        """
        doors.write(self, store, overwrite)

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

    def _repr_html_(self) -> str:
        """The card of notebooks; arrays that are not in memory are not computed for it."""
        alike = collections.Counter("×".join(map(str, shape)) or "scalar" for shape in self.shapes)
        shapes = ", ".join(shape if n == 1 else f"{n} of {shape}" for shape, n in alike.most_common(4))
        more = ", …" if len(alike) > 4 else ""
        shown = [(i, a) for i, a in enumerate(self._arrays[:_SHOWN]) if backend.is_array(a) and a.ndim >= 2]
        rest = (
            [("not shown", markup.counted(len(self) - _SHOWN, "sensor"))]
            if len(self) > _SHOWN and shown
            else []
        )
        rows = [("shapes", shapes + more), ("size", markup.bytes_text(self.nbytes)), *rest]
        return markup.card(repr(self), rows, [_thumbnail(i, a) for i, a in shown if backend.size(a.shape)])


def _thumbnail(sensor: int, array: Any) -> tuple[str, Any]:
    """A caption and a picture of the trailing two axes; of complex numbers the magnitude, over three decades."""
    plane = backend.to_numpy(array[(0,) * (array.ndim - 2)])
    if not backend.is_complex(plane):
        return f"sensor {sensor}", plane
    return f"sensor {sensor}, log |·|", markup.logarithmic(plane)
