"""Measurements as planes to look at, one by one: a sensor axis, and every other axis in front of the image."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from daskphys import doors
from daskphys.errors import ParameterError, ShapeError
from daskphys.plotting.canvas import to_numpy

#: Planes that are kept, so that a slider moved back computes nothing again.
_KEPT = 8

#: What leading axes are called where nobody says it: those of each sensor's array, and those of one array.
_OF_SENSORS, _OF_ARRAY = ("batch", "channel"), ("batch", "sensor")


class Frames:
    """The planes of measurements; none is computed before it is asked for.

    Parameters
    ----------
    y
        Measurements, a sequence of arrays, one array, or an xarray DataArray.
    names
        What the axes are called that are not shown, the sensor's first; None for the usual names.
    colour
        Whether axis −3 is red, green and blue; None for whether it has length 3 in measurements of real numbers.

    Attributes
    ----------
    axes : tuple of (str, int)
        Names and lengths of the axes to choose from.  Where arrays differ the length is the greatest.
    labels : (str, str)
        What the axes of a plane are called.
    lazy : bool
        Whether planes are computed by Dask when they are asked for.
    """

    def __init__(self, y: Any, names: Sequence[str] | None, colour: bool | None) -> None:
        self.several = isinstance(y, Sequence)
        arrays = list(y) if isinstance(y, Sequence) else [y]
        dims = [str(d) for d in getattr(y, "dims", ())]
        self._arrays = [getattr(a, "data", a) if hasattr(a, "dims") else a for a in arrays]
        for i, array in enumerate(self._arrays):
            if not hasattr(array, "shape") or 0 in array.shape or not len(array.shape):
                raise ShapeError(
                    f"view() expected arrays with one axis at least and no empty ones, got {_named(array)}"
                    + (f" for sensor {i}" if self.several else "")
                )
        if not self._arrays:
            raise ParameterError("view() expected measurements of one sensor at least, got none")
        self.lazy = any(map(doors.is_lazy, self._arrays))
        self.complex = any("complex" in str(a.dtype) for a in self._arrays)
        self.colour = self._has_colour(colour)
        depth = max(len(self._lead(a)) for a in self._arrays)
        lengths = [
            max(self._lead(a)[k - depth] for a in self._arrays if len(self._lead(a)) >= depth - k)
            for k in range(depth)
        ]
        lengths = [len(self._arrays)] * self.several + lengths
        self.axes = tuple(zip(self._names(names, dims, len(lengths)), lengths, strict=True))
        self.labels = (dims[-2], dims[-1]) if len(dims) > 1 else ("row", "column")
        self.plane = functools.lru_cache(maxsize=_KEPT)(self._plane)

    def _has_colour(self, asked: bool | None) -> bool:
        threes = all(len(a.shape) > 2 and a.shape[-3] == 3 for a in self._arrays)
        if asked and not (threes and not self.complex):
            raise ParameterError("view(colour=True) expected real arrays whose axis −3 has length 3")
        return self.several and threes and not self.complex if asked is None else asked

    def _names(self, given: Sequence[str] | None, dims: list[str], count: int) -> list[str]:
        if given is not None:
            if isinstance(given, str) or len(given) != count or len(set(given)) != count:
                raise ParameterError(f"view() expected names= of {count} axes, all different, got {given!r}")
            return [str(name) for name in given]
        if dims:
            return dims[:count]
        usual = _OF_SENSORS[: 1 if self.colour else 2] if self.several else _OF_ARRAY
        own = count - self.several
        named = [*(f"axis {k}" for k in range(own - len(usual))), *usual[max(0, len(usual) - own) :]]
        return ["sensor"] * self.several + (named if own else [])

    def _lead(self, array: Any) -> tuple[int, ...]:
        """The lengths of the axes in front of the plane's."""
        shape = tuple(map(int, array.shape))
        return shape[: max(0, len(shape) - 2 - self.colour)]

    def _plane(self, index: tuple[int, ...]) -> np.ndarray:
        sensor, rest = (index[0], index[1:]) if self.several else (0, index)
        array = self._arrays[sensor]
        lead = self._lead(array)
        own = rest[len(rest) - len(lead) :]
        cut = array[tuple(min(i, n - 1) for i, n in zip(own, lead, strict=True))]
        plane = _magnitudes(to_numpy(cut, f"sensor {sensor}" if self.several else "the array"))
        return np.moveaxis(plane, 0, -1) if self.colour else plane

    @functools.cached_property
    def limits(self) -> tuple[float, float] | None:
        """The least and the greatest finite value of all arrays; None where they would have to be computed."""
        if self.lazy:
            return None
        pairs = [range_of(_magnitudes(to_numpy(a, f"sensor {i}"))) for i, a in enumerate(self._arrays)]
        return min(low for low, _ in pairs), max(high for _, high in pairs)

    def title(self, index: tuple[int, ...]) -> str:
        """Where a plane is among the others."""
        return ", ".join(f"{name} {i} of {n}" for (name, n), i in zip(self.axes, index, strict=True) if n > 1)

    def __repr__(self) -> str:
        among = ", ".join(f"{name}: {n}" for name, n in self.axes if n > 1) or "one plane"
        shapes = {"×".join(map(str, a.shape[-2:])) for a in self._arrays}
        planes = shapes.pop() if len(shapes) == 1 else "unlike planes"
        return f"{among}; {planes}, {self._arrays[0].dtype}{', lazy' if self.lazy else ''}"


def range_of(plane: np.ndarray) -> tuple[float, float]:
    """The least and the greatest finite value."""
    finite = plane[np.isfinite(plane)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _magnitudes(array: np.ndarray) -> np.ndarray:
    return np.abs(array) if np.iscomplexobj(array) else array.astype(np.float64, copy=False)


def _named(array: Any) -> str:
    return f"shape {tuple(array.shape)}" if hasattr(array, "shape") else type(array).__name__
