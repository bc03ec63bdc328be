"""Measurements whose names and coordinates say that their samples are in another order than the operator gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from daskphys.errors import DaskphysError, ParameterError
from daskphys.interop.tiling import SENSORS, sensors_of
from daskphys.interop.xarray_axes import imaged, measured
from daskphys.interop.xarray_frames import Frame, direction, numbers, out_of_order
from daskphys.interop.xarray_grids import check_direction, grid_ndim
from daskphys.optim.problem import Problem
from daskphys.physics.base import Adjoint, Composed, PseudoInverse, Scaled, Sum
from daskphys.physics.blockdiagonal import BlockDiagonal


def check_measured(operator: Any, y: Any) -> None:
    """Refuse measurements in another order than the operator, of which `operator` is the way back, gives them."""
    while isinstance(operator, Composed | Scaled):
        operator = operator.right if isinstance(operator, Composed) else operator.parent
    if isinstance(operator, Sum):
        for term in operator.terms:
            check_measured(term, y)
        return
    if not isinstance(operator, Adjoint | PseudoInverse | Problem):
        return
    A = operator.physics if isinstance(operator, Problem) else operator.parent
    if isinstance(y, Frame):
        _check_samples(A, y)
    elif isinstance(A, SENSORS):
        sensors = sensors_of(A)
        for sensor, own in zip(sensors, y, strict=True):
            _check_samples(sensor, own)
        _check_alike(A, sensors, y)
    elif isinstance(A, BlockDiagonal):
        for block, own in zip(A.blocks, y, strict=True):
            _check_samples(block, own)


def round_trip(A: Any, y: Frame) -> tuple[Frame, Frame] | None:
    """The axes of Aᴴ y and of A Aᴴ y, by what A knows without y's coordinates; None where y is no measurement of A's.

    What is carried along has other names, for it may have taken the place of A's own.
    """
    lead = len(y.dims) - A.range.ndim
    if lead < 0:
        return None
    bare = Frame((*(f"_{i}" for i in range(lead)), *y.dims[lead:]), y.shape, xr.Dataset())
    try:
        x = imaged(A, bare)
        return (x, measured(A, x)) if isinstance(x, Frame) else None
    except DaskphysError:  # which the operator raises too, where it takes the numbers
        return None


def _check_samples(A: Any, y: Frame) -> None:
    """Compare what A would call its samples with what they are called."""
    if len(y.dims) == A.range.ndim and not y.coords.coords:
        return
    known = round_trip(A, y)
    if known is None:
        return
    x, expected = known
    ndim = A.range.ndim
    for dim, name in zip(y.dims[-ndim:], expected.dims[-ndim:], strict=True):
        if name != dim and name in y.dims:
            raise ParameterError(
                f"{A!r} expected its own dimensions last, with {name!r} where {dim!r} is, got {', '.join(map(repr, y.dims))}: "
                f"put them into that order, as y.transpose does"
            )
    for name, places in expected.coords.coords.items():
        coord = y.coord(name)
        if coord is not None and places.ndim == 1 and coord.dims == places.dims:
            _check_order(A, coord, places.values)
    for dim in set(y.dims[-ndim:]) & set(x.dims[max(0, len(x.dims) - grid_ndim(A)) :]):
        coord = y.coord(dim)
        if (
            coord is not None
            and expected.coord(dim) is None
            and coord.size > 1
            and coord.dtype.kind in "iufmM"
        ):
            check_direction(A, coord)


def _check_order(A: Any, coord: Any, places: Any) -> None:
    """Refuse a coordinate with the places that the operator has there, in another order."""
    values = numbers(coord)
    if values is None or np.array_equal(values, places):
        return
    name, dim = str(coord.name), coord.dims[0]
    if name.startswith(
        "k_"
    ):  # in units that only the image knows, and the other way where its axis goes down
        steps = np.diff(values[np.argsort(places, kind="stable")].astype(np.float64))
        room = 1e-6 * float(np.ptp(values)) if len(values) else 0.0
        mixed = (steps < -room).any() and (steps > room).any()
    elif np.array_equal(places, np.arange(len(places))):  # numbers, of which some may have been chosen
        mixed = len(np.unique(values)) == len(values) and bool((np.diff(values) < 0).any())
    else:
        mixed = np.array_equal(np.sort(values), np.sort(places))
    if (
        mixed
        and np.array_equal(places, np.arange(len(places)))
        and not np.array_equal(np.sort(values), places)
    ):
        raise out_of_order(A, coord, "")  # numbers of the user's own
    if mixed:
        own = f"y.sel({dim}=x.phys.forward(A).{dim})" if name == dim else f"y.isel({dim}=…)"
        goes_up = name == dim and (np.diff(places) > 0).all()
        raise out_of_order(A, coord, f"y.sortby({name!r})" if goes_up else own)


def _same(a: Any, b: Any) -> bool:
    """Whether two coordinates have the same values, up to the rounding of single precision."""
    if a.dtype.kind == b.dtype.kind == "f":
        return a.shape == b.shape and np.allclose(a.values, b.values, rtol=1e-6, atol=0, equal_nan=True)
    return bool(a.variable.equals(b.variable))


def _check_alike(A: Any, sensors: Sequence[Any], y: Sequence[Frame]) -> None:
    """Refuse sensors that have one name for different axes, or different places for what is carried along."""
    dims = y[0].dims
    lead = dims[: max(0, len(dims) - sensors[0].range.ndim)]
    shared = {dim: coord for dim in lead if (coord := y[0].coord(dim)) is not None}
    ways = {dim: way for dim in dims[len(lead) :] if (way := direction(y[0].coord(dim)))}
    for i, (sensor, other) in enumerate(zip(sensors[1:], y[1:], strict=True), 1):
        theirs = other.dims
        if dims != theirs and set(dims) == set(theirs):
            raise ParameterError(
                f"{A!r} expected all measurements with their dimensions in one order, got {', '.join(map(repr, dims))} of sensor "
                f"0 and {', '.join(map(repr, theirs))} of sensor {i}: transpose one of them"
            )
        for dim in set(shared) & set(theirs[: max(0, len(theirs) - sensor.range.ndim)]):
            if (coord := other.coord(dim)) is not None and not _same(shared[dim], coord):
                raise ParameterError(
                    f"{A!r} expected the coordinate {dim!r} to be the same for all sensors, which are added there, got others "
                    f"of sensor 0 and of sensor {i}: select what they share, as xr.align does, or drop_vars({dim!r})"
                )
        for dim, way in ways.items():
            if direction(other.coord(dim)) == -way:
                raise ParameterError(
                    f"{A!r} expected the coordinate {dim!r} to go one way for all sensors, got one that goes up and one that goes "
                    f"down, of sensor 0 and of sensor {i}: bring them into one order, as sortby does"
                )
