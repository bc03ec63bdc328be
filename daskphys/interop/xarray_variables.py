"""The variables of a dataset: which of them are measurements, and the results of all as one dataset again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import xarray as xr

from daskphys.errors import ParameterError
from daskphys.interop.tiling import sensors_of
from daskphys.interop.xarray_frames import Frame
from daskphys.interop.xarray_images import named, spectrum, tells
from daskphys.interop.xarray_order import round_trip
from daskphys.physics.spaces import Sensors


def ancillary(data: xr.Dataset, A: Any, sensor_dim: str | None, dims: Any) -> dict[Any, Any]:
    """The variables of a dataset that are no measurements of A, and have not all of their axes but that of the sensors.

    Of each sensor's own dataset without `sensor_dim`. Where none would be left, none is: each is then said what it lacks.
    """
    sensors = isinstance(A.range, Sensors)
    ndim = min(space.ndim for space in A.range.spaces) if sensors else A.range.ndim
    axes = {}
    for name, array in data.data_vars.items():
        own = [dim for dim in array.dims if not sensors or dim != sensor_dim]
        if len(own) >= ndim and (not sensors or sensor_dim is None or len(own) < array.ndim):
            axes[name] = own
    names = named(A, dims)
    if names is not None:
        axes = {name: own for name, own in axes.items() if tells(data[name], names)} or axes
    if len({tuple(own[-ndim:]) for own in axes.values()}) > 1:
        axes = {name: own for name, own in axes.items() if _fits(A, data[name], own)} or axes
    if names is None and len({tuple(own[-ndim:]) for own in axes.values()}) > 1:
        raise ParameterError(
            f"{A!r} expected measurements with the same axes, got {', '.join(f'{n!r} with {own}' for n, own in axes.items())}: name "
            f"the image's, as in dims={tuple(next(iter(axes.values()))[-ndim:])}, or choose the measurements, as in "
            f"data[[{next(iter(axes))!r}]]"
        )
    whole = [set(own[-ndim:]) for own in axes.values()]
    if names is not None:
        whole += [set(names), set(spectrum(names))]
    rest = {
        name: own
        for name, own in data.data_vars.items()
        if name not in axes and not any(each <= set(own.dims) for each in whole)
    }
    return rest if len(rest) < len(data.data_vars) else {}


def _fits(A: Any, array: xr.DataArray, own: list[Any]) -> bool:
    """Whether an array of these dimensions, beside that of the sensors, has the shape and the names of a measurement."""
    one = sensors_of(A)[0]
    known = round_trip(one, Frame(tuple(own), tuple(array.sizes[dim] for dim in own), xr.Dataset()))
    return known is not None and known[1].dims[-one.range.ndim :] == tuple(own[-one.range.ndim :])


def gathered(
    data: xr.Dataset, variables: dict[Any, xr.DataArray], carried: Collection[Any], attrs: Any
) -> xr.Dataset:
    """Results of a dataset's variables in its order, beside those that are `carried` along."""
    parts: dict[Any, Any] = {}
    lengths: dict[Any, tuple[Any, int]] = {}
    made = xr.Dataset()
    for name in (name for name in data.data_vars if name in variables):
        own = variables[name]
        clash = {name} & set(own.coords) or set(variables) & set(own.coords)
        if clash or name in made.coords:
            raise ParameterError(
                f"variable {next(iter(clash), name)!r} has the name of a coordinate of the result, and no dataset holds both: "
                f"rename it, as in data.rename({next(iter(clash), name)}='image')"
            )
        for coord in own.coords:
            if coord in parts and not own.coords[coord].variable.equals(made.coords[coord].variable):
                other = parts[coord] if parts[coord] in carried else name
                raise ParameterError(
                    f"the variables {parts[coord]!r} and {name!r} have different coordinates {coord!r}, and no dataset holds "
                    f"both: leave one out, as in data.drop_vars({other!r})"
                )
            parts.setdefault(coord, name)
        for dim, size in own.sizes.items():
            first, known = lengths.setdefault(dim, (name, size))
            if known != size:
                raise ParameterError(
                    f"variable {name!r} has {size} along {dim!r}, and {first!r} has {known}: leave one out, as in "
                    f"data.drop_vars({(first if first in carried else name)!r})"
                )
        made = made.merge(own.to_dataset(name=name), join="exact", compat="override")
    used = set().union(*(own.dims for own in data.data_vars.values()))
    unused = [name for name, coord in data.coords.items() if coord.dims and not used & set(coord.dims)]
    return made.assign_coords(data[unused].coords if unused else {}).assign_attrs(attrs)
