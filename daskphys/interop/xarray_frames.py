"""Names, sizes and coordinates of an array's axes without its numbers, and what can happen to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from daskphys.errors import ParameterError

#: Coordinates by their names: dimensions, values and attributes.
Coords = Mapping[str, tuple[str, Any, Mapping[str, str]]]

# How much the steps of a grid may differ that is said to be even: coordinates in single precision are rounded.
_EVEN = 1e-3


def keeps_attrs(asked: bool | None = None) -> bool:
    """Whether attributes go along: as asked, or else as xarray's option says."""
    return xr.get_options()["keep_attrs"] is not False if asked is None else asked


@dataclass(frozen=True)
class Frame:
    """The axes of an array.

    Parameters
    ----------
    dims, shape
        Their names and sizes.
    coords
        An `xarray.Dataset` of coordinates alone.
    """

    dims: tuple[Any, ...]
    shape: tuple[int, ...]
    coords: Any

    @classmethod
    def of(cls, array: xr.DataArray) -> Frame:
        """That of an array."""
        return cls(tuple(array.dims), tuple(array.shape), array.coords.to_dataset())

    def holding(self, data: Any, name: Any, attrs: Mapping[Any, Any]) -> xr.DataArray:
        """An array with these axes."""
        return xr.DataArray(data, self.coords.coords, self.dims, name, dict(attrs))

    # -- axes that stay, by their number from the end: -1 is the last -------------------------------------------

    def taken(self, axis: int, samples: slice) -> Frame:
        """Some samples of an axis."""
        dim, n = self.dims[axis], self.shape[axis]
        coords = self.coords.isel({dim: samples}, missing_dims="ignore")
        return self._with(axis, (dim,), (len(range(*samples.indices(n))),), coords)

    def first(self, axis: int) -> Frame:
        """Without an axis of one sample, whose coordinates stay as scalars."""
        return self._with(axis, (), (), self.coords.isel({self.dims[axis]: 0}, missing_dims="ignore"))

    def resized(self, axis: int, size: int) -> Frame:
        """With other samples on an axis, which are nowhere in particular."""
        coords = self.coords.drop_dims(self.dims[axis], errors="ignore")
        return self._with(axis, (self.dims[axis],), (size,), coords)

    def spread(self, axis: int, samples: slice, size: int) -> Frame:
        """The axis of `size` of which this one has some samples.

        Its coordinate is known where it is whole numbers or times in equal steps.  Of others it would differ from the true
        one in the last bits, and xarray would then find hardly a pixel that two images share.
        """
        if len(range(*samples.indices(size))) == size:
            return self
        made, dim = self.resized(axis, size), self.dims[axis]
        start, _, step = samples.indices(size)
        known = self.coord(dim)
        if known is None or known.dtype.kind not in "iumM" or known.size < 2:
            return made
        values = known.values if known.dtype.kind in "mM" else known.values.astype(np.int64)
        steps = np.diff(values)
        one = steps[0] // step
        if (steps != steps[0]).any() or one * step != steps[0]:
            return made
        wide = values[0] + (np.arange(size) - start) * one
        full = wide.astype(known.dtype)
        if (full != wide).any():  # more places than its type has numbers for
            return made
        return made.also({dim: (dim, full, known.attrs)})

    # -- axes that come and go ----------------------------------------------------------------------------------

    def dropped(self, axis: int) -> Frame:
        """Without an axis and its coordinates."""
        return self._with(axis, (), (), self.coords.drop_dims(self.dims[axis], errors="ignore"))

    def inserted(self, A: Any, before: int, name: str, size: int) -> Frame:
        """With a new axis before one that is there."""
        self._check_new(A, (name,), ())
        at = len(self.dims) + before
        return Frame(
            (*self.dims[:at], name, *self.dims[at:]), (*self.shape[:at], size, *self.shape[at:]), self.coords
        )

    def renewed(self, A: Any, ndim: int, axes: Sequence[tuple[str, int]], coords: Coords) -> Frame:
        """With new axes in place of the last `ndim`."""
        lead = len(self.dims) - ndim
        rest = Frame(
            self.dims[:lead],
            self.shape[:lead],
            self.coords.drop_dims([d for d in self.dims[lead:] if d in self.coords.dims]),
        )
        names, sizes = zip(*axes, strict=True)
        rest._check_new(A, names, coords)
        return Frame((*rest.dims, *names), (*rest.shape, *sizes), rest.coords).also(coords)

    def also(self, coords: Coords) -> Frame:
        """With more coordinates."""
        made = {name: (dims, values, dict(attrs)) for name, (dims, values, attrs) in coords.items()}
        return Frame(self.dims, self.shape, self.coords.assign_coords(made))

    def _with(self, axis: int, dims: tuple[Any, ...], sizes: tuple[int, ...], coords: Any) -> Frame:
        at = axis % len(self.dims)
        return Frame(
            (*self.dims[:at], *dims, *self.dims[at + 1 :]),
            (*self.shape[:at], *sizes, *self.shape[at + 1 :]),
            coords,
        )

    def _check_new(self, A: Any, dims: Sequence[str], coords: Any) -> None:
        """Refuse new names that are there already."""
        for name in (*dims, *coords):
            if name in self.dims or name in self.coords.coords:
                raise ParameterError(
                    f"{A!r} gives {name!r} to its result, and expected an array without another {name!r}, got dimensions "
                    f"{', '.join(map(repr, self.dims))}: rename it, as in x.rename({name}='{name}_before')"
                )

    # -- what is known of them ----------------------------------------------------------------------------------

    def coord(self, name: Any) -> Any:
        """A coordinate, or None; for a dimension that has none xarray's own `get` makes numbers up."""
        known = self.coords.coords
        return known[name] if name in known else None  # noqa: SIM401

    def step(self, axis: int) -> tuple[float, str]:
        """The distance of an axis's samples and its unit; of those that have no number in equal steps (1, "sample")."""
        known = self.coord(self.dims[axis])
        if known is not None and known.dtype.kind in "iuf" and known.size > 1:
            step = even_step(known.values)
            if step is not None:
                return step, str(known.attrs.get("units", ""))
        return 1.0, "sample"


def has_places(coord: Any) -> bool:
    """Whether a coordinate tells where several samples of one axis are: by numbers, or times."""
    return coord is not None and coord.ndim == 1 and coord.size > 1 and coord.dtype.kind in "iufmM"


def direction(coord: Any) -> int:
    """1 of a coordinate that goes up throughout, -1 of one that goes down; 0 of one that does neither, or is no number."""
    if not has_places(coord):
        return 0
    values = coord.values
    return int((values[1:] > values[:-1]).all()) - int((values[1:] < values[:-1]).all())


def even_step(places: Any) -> float | None:
    """The distance of neighbours on a grid, of numbers or times; None where it is not even, up to rounding."""
    numbers = np.asarray(places.astype(np.int64) if places.dtype.kind in "mM" else places).astype(np.float64)
    steps = np.diff(numbers)
    step = float(steps.mean())
    rounding = np.finfo(places.dtype).eps if places.dtype.kind == "f" else 0.0
    room = max(_EVEN * abs(step), 4 * float(rounding) * float(np.abs(numbers).max()))
    return step if step and float(np.abs(steps - step).max()) <= room else None


def same_places(a: Any, b: Any) -> bool:
    """Whether two coordinates have the same values: numbers and times up to a thousandth of a step, or the coarser type's rounding."""
    kinds = a.dtype.kind + b.dtype.kind
    if a.shape != b.shape or not (set(kinds) <= set("iuf") or kinds in ("mm", "MM")):
        return bool(a.variable.equals(b.variable))
    coarse = [c.values for c in (a, b) if c.dtype.kind == "f"] if a.dtype != b.dtype else []
    room = max(
        (np.abs(np.spacing(v)).astype(np.float64) for v in coarse),
        key=lambda v: np.nanmax(v, initial=0),
        default=0.0,
    )
    left, right = a.values, b.values
    if kinds in ("mm", "MM"):
        unit = np.promote_types(a.dtype, b.dtype)
        left, right = (v.astype(unit).astype(np.int64) for v in (left, right))
    else:
        left, right = left.astype(np.float64), right.astype(np.float64)
    steps = np.abs(np.diff(left)) if left.ndim == 1 else np.zeros(0)
    steps = steps[np.isfinite(steps)]
    close = np.abs(left - right) <= np.maximum(room, _EVEN * float(steps.min()) if steps.size else 0.0)
    return bool((close | (left == right) | ((left != left) & (right != right))).all())


def numbers(coord: Any) -> Any:
    """The values of a coordinate along one axis where they are numbers or times, of whatever type; None of labels."""
    if coord is None or coord.ndim != 1:
        return None
    values = coord.values
    if values.dtype.kind == "O" and all(
        isinstance(value, int | float) for value in values
    ):  # put together from parts
        values = np.asarray(values.tolist())
    return values if values.dtype.kind in "iufmM" else None


def out_of_order(A: Any, coord: Any, mend: str) -> ParameterError:
    """The error of a measurement whose coordinate says another order of its samples than the operator's.

    `mend` brings it into that order; it is empty where the numbers do not tell which that is.
    """
    dim, values = coord.dims[0], coord.values
    shown = f"{', '.join(map(str, values[:8]))}{', …' if len(values) > 8 else ''}"
    how = f"bring it into that order, as in {mend}, or " if mend else "bring it into that order, and "
    raised = f"leave the coordinate out, as in y.drop_vars({coord.name!r}), to mean samples as they come"
    return ParameterError(
        f"{A!r} expected the measurement along {dim!r} in the order of x.phys.forward(A), got {coord.name} = {shown}: {how}{raised}"
    )


def agreed(frames: Sequence[Frame]) -> Frame:
    """The axes of the first, with the coordinates that any of them has and none contradicts."""
    first = frames[0]
    merged = first.coords
    for frame in frames[1:]:
        fit = [
            n
            for n, c in frame.coords.coords.items()
            if n not in merged.coords and set(c.dims) <= set(first.dims)
        ]
        merged = merged.assign_coords(frame.coords[fit].coords)
    sizes = dict(zip(first.dims, first.shape, strict=True))
    odd = [
        name
        for name, coord in merged.coords.items()
        if any(sizes.get(d) != n for d, n in coord.sizes.items())
        or not all(same_places(coord, f.coords[name]) for f in frames if name in f.coords.coords)
    ]
    return Frame(first.dims, first.shape, merged.drop_vars(odd))
