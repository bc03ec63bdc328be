"""Measurements of several sensors as one xarray object: an array with a sensor dimension, or a tree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from daskphys import doors
from daskphys.errors import ParameterError, ShapeError
from daskphys.interop.xarray_frames import numbers, out_of_order

#: What a stack's sensor axis is called where no other name is given.
SENSOR = "sensor"

# The number at the end of a node's name.
_NUMBER = re.compile(r"\d+$")


def joined(arrays: Sequence[xr.DataArray], sensor_dim: str) -> xr.DataArray:
    """Arrays of one shape as one array with a sensor dimension in front.

    Coordinates that all have stay; of one that differs from sensor to sensor the values get the sensor dimension too, and the
    name ``{sensor_dim}_{name}`` where it was a dimension's.
    """
    first = arrays[0]
    if not isinstance(sensor_dim, str):
        raise ParameterError(
            f"the sensors' dimension expected a name, as in sensor_dim='camera', got {sensor_dim!r}"
        )
    if sensor_dim in first.dims or sensor_dim in first.coords:
        raise ParameterError(
            f"the sensors' dimension expected a name that is not there yet, got {sensor_dim!r} beside "
            f"{', '.join(map(repr, first.dims))}: give sensor_dim=…"
        )
    coords: dict[Any, Any] = {sensor_dim: (sensor_dim, np.arange(len(arrays)))}
    for name, coord in first.coords.items():
        each = [a.coords[name].variable for a in arrays if name in a.coords]
        if len(each) < len(arrays):
            continue
        if all(coord.variable.equals(own) for own in each[1:]):
            coords[name] = coord
        elif len({(own.dims, own.shape) for own in each}) == 1:
            called = f"{sensor_dim}_{name}" if name in first.dims else name
            coords[called] = xr.Variable.concat([own.to_base_variable() for own in each], sensor_dim)
    data = doors.stack([a.data for a in arrays])
    return xr.DataArray(data, coords, (sensor_dim, *first.dims), first.name, first.attrs)


def alike(arrays: Sequence[xr.DataArray]) -> bool:
    """Whether the arrays have the same dimensions."""
    return len({(a.dims, a.shape) for a in arrays}) == 1


def parted(array: xr.DataArray, A: Any, sensor_dim: str) -> list[xr.DataArray]:
    """The array of each sensor, out of what `joined` made."""
    if sensor_dim not in array.dims:
        raise ParameterError(
            f"{A!r} expected measurements with the dimension {sensor_dim!r}, got {', '.join(map(repr, array.dims))}: name "
            f"it by sensor_dim=…, and of an image x.phys.forward(A) gives them"
        )
    known = numbers(array.coords[sensor_dim]) if sensor_dim in array.coords else None
    if known is not None and (known[1:] <= known[:-1]).any():
        whole = np.array_equal(np.sort(known), np.arange(len(known)))
        raise out_of_order(A, array.coords[sensor_dim], f"y.sortby({sensor_dim!r})" if whole else "")
    own = {
        name: str(name).removeprefix(f"{sensor_dim}_")
        for name, coord in array.coords.items()
        if coord.dims[:1] == (sensor_dim,) and f"{sensor_dim}_{'_'.join(map(str, coord.dims[1:]))}" == name
    }
    each = (array.isel({sensor_dim: i}, drop=True) for i in range(array.sizes[sensor_dim]))
    return [
        a.drop_vars(own).assign_coords({dim: (dim, a.coords[name].values) for name, dim in own.items()})
        for a in each
    ]


def tree_of(sensors: Sequence[xr.Dataset], sensor_dim: str) -> Any:
    """A tree with a node for each sensor."""
    return xr.DataTree.from_dict({f"{sensor_dim}_{i}": own for i, own in enumerate(sensors)})


def nodes_of(tree: Any, A: Any) -> dict[str, xr.Dataset]:
    """The dataset of each sensor, in the sensors' order: a store gives nodes in that of their names."""
    nodes = {name: node.to_dataset() for name, node in tree.children.items()}
    numbers = {name: int(found[0]) for name in nodes if (found := _NUMBER.search(name))}
    if len(set(numbers.values())) < len(nodes):
        raise ParameterError(
            f"{A!r} expected the nodes of a tree with the sensors' numbers at the end, each once, as in sensor_0, got "
            f"{', '.join(map(repr, nodes))}: rename them, for a store gives nodes in the order of their names"
        )
    variables = {frozenset(own.data_vars) for own in nodes.values()}
    if variables in (set(), {frozenset()}) or len(variables) > 1:
        raise ShapeError(
            f"{A!r} expected a tree with a node for each sensor, all with the same variables, got "
            f"{', '.join(f'{name} with {list(own.data_vars)}' for name, own in nodes.items()) or 'a tree without nodes'}"
        )
    return {name: nodes[name] for name in sorted(nodes, key=lambda name: numbers[name])}


def split_array(array: xr.DataArray, A: Any) -> Any:
    """`parted`, of an array whose sensor dimension has the usual name."""
    if SENSOR in array.dims:
        return parted(array, A, SENSOR)
    raise ShapeError(
        f"{A!r} expected measurements with the dimension {SENSOR!r}, got {', '.join(map(repr, array.dims))}: rename the one of "
        f"the sensors, as in y.rename({array.dims[0] if array.dims else '…'}={SENSOR!r}), or give one array a sensor"
    )


def split_tree(tree: Any, A: Any) -> list[xr.DataArray]:
    """The one array of each node."""
    nodes = nodes_of(tree, A)
    names = list(next(iter(nodes.values())).data_vars)
    if len(names) > 1:
        raise ShapeError(
            f"{A!r} expected a tree of one variable, got {', '.join(map(repr, names))}: choose one, as in "
            f"tree.map_over_datasets(lambda node: node[[{names[0]!r}]])"
        )
    return [node[names[0]] for node in nodes.values()]
