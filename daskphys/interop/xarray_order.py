"""Measurements whose names and coordinates say that their samples are in another order than the operator gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from daskphys.errors import DaskphysError, ParameterError
from daskphys.interop.tiling import SENSORS, sensors_of
from daskphys.interop.xarray_axes import imaged, measured
from daskphys.interop.xarray_frames import Frame, direction, has_places, numbers, out_of_order, same_places
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
        kept = [_check_samples(sensor, own) for sensor, own in zip(sensors, y, strict=True)]
        _check_alike(A, sensors, y, kept)
    elif isinstance(A, BlockDiagonal):
        for block, own in zip(A.blocks, y, strict=True):
            _check_samples(block, own)


def round_trip(A: Any, y: Frame) -> tuple[Frame, Frame] | None:
    """The axes of Aᴴ y and of A Aᴴ y, by what A knows without y's coordinates; None where y is no measurement of A's.

    What is carried along has other names, for it may have taken the place of A's own.  The image's axes are marked by
    coordinates of their names, so that it shows which samples of theirs the measurement has.
    """
    lead = len(y.dims) - A.range.ndim
    if lead < 0:
        return None
    bare = Frame((*(f"_{i}" for i in range(lead)), *y.dims[lead:]), y.shape, xr.Dataset())
    try:
        x = imaged(A, bare)
        if not isinstance(x, Frame):
            return None
        own = Frame(x.dims, x.shape, xr.Dataset())
        x = own.also({dim: (dim, np.arange(n) + 0.5, {}) for dim, n in zip(x.dims, x.shape, strict=True)})
        return x, measured(A, x)
    except DaskphysError:  # which the operator raises too, where it takes the numbers
        return None


def _check_samples(A: Any, y: Frame) -> dict[Any, Any]:
    """Compare what A would call its samples with what they are called.

    Returns the coordinates of the axes that are the image's own, sample by sample.
    """
    if len(y.dims) == A.range.ndim and not y.coords.coords:
        return {}
    known = round_trip(A, y)
    if known is None:
        return {}
    x, seen = known
    ndim = A.range.ndim
    grid = x.dims[max(0, len(x.dims) - grid_ndim(A)) :]
    kept = {}
    for dim, name in zip(y.dims[-ndim:], seen.dims[-ndim:], strict=True):
        if name != dim and name in y.dims:
            raise ParameterError(
                f"{A!r} expected its own dimensions last, with {name!r} where {dim!r} is, got {', '.join(map(repr, y.dims))}: "
                f"put them into that order, as y.transpose does"
            )
        coord, places = y.coord(dim), seen.coord(name)
        if coord is None:
            continue
        if name not in x.dims:
            if places is not None and name != dim:
                _check_order(A, coord, places.values, own_name=False)
            continue
        if places is not None and np.array_equal(places.values, x.coord(name).values):
            kept[dim] = coord
        if name in grid and has_places(coord):
            check_direction(A, coord)
    for name, places in seen.coords.coords.items():
        coord = y.coord(name)
        if name not in x.dims and coord is not None and places.ndim == 1 and coord.dims == places.dims:
            _check_order(A, coord, places.values)
    return kept


def _check_order(A: Any, coord: Any, places: Any, own_name: bool = True) -> None:
    """Refuse a coordinate with the places that the operator has there, in another order.

    Under a name that is not the operator's own that is known of exactly these places alone.
    """
    values = numbers(coord)
    if values is None or np.array_equal(values, places):
        return
    name, dim = str(coord.name), coord.dims[0]
    whole = np.array_equal(np.sort(values), np.sort(places))
    if own_name and name.startswith("k_"):
        _check_frequencies(A, coord, values.astype(np.float64), places)
    elif whole:
        goes_up = name == dim and (np.diff(places) > 0).all()
        own = f"y.sel({dim}=x.phys.forward(A).{dim})" if own_name and name == dim else f"y.isel({dim}=…)"
        raise out_of_order(A, coord, f"y.sortby({name!r})" if goes_up else own)
    elif own_name and np.array_equal(places, np.arange(len(places))):
        chosen = len(np.unique(values)) == len(values)  # some of the numbers
        if chosen and (np.diff(values) < 0).any():
            raise out_of_order(A, coord, "")


def _check_frequencies(A: Any, coord: Any, values: Any, places: Any) -> None:
    """Refuse frequencies in another order, in units that only the image knows, and of an axis that may go down."""
    dim, room = coord.dims[0], 1e-3 * float(np.abs(np.diff(places)).min(initial=1.0))

    def fit(order: Any) -> bool:
        scale = float(order @ values) / float(order @ order) if order.any() else 0.0
        return bool(scale) and np.allclose(values / scale, order, rtol=0, atol=room)

    if fit(places):
        return
    if coord.name == dim and fit(places[::-1]):  # of an even number 0 is behind the middle
        raise out_of_order(A, coord, f"y.isel({dim}=slice(None, None, -1))")
    steps = np.diff(values[np.argsort(places, kind="stable")])
    rounding = 1e-6 * float(np.ptp(values))
    if (steps < -rounding).any() and (steps > rounding).any():
        raise out_of_order(A, coord, f"y.isel({dim}=…)")


def _check_alike(A: Any, sensors: Sequence[Any], y: Sequence[Frame], kept: Sequence[dict[Any, Any]]) -> None:
    """Refuse sensors that have one name for different axes, or different places where these are the image's own."""
    dims = y[0].dims
    places: dict[Any, tuple[int, Any]] = {}  # of the first sensor that has such a coordinate
    ways: dict[Any, tuple[int, int]] = {}
    for i, (sensor, own) in enumerate(zip(sensors, y, strict=True)):
        if dims != own.dims and set(dims) == set(own.dims):
            raise ParameterError(
                f"{A!r} expected all measurements with their dimensions in one order, got {', '.join(map(repr, dims))} of sensor "
                f"0 and {', '.join(map(repr, own.dims))} of sensor {i}: transpose one of them"
            )
        lead = own.dims[: max(0, len(own.dims) - sensor.range.ndim)]
        for dim in own.dims[len(lead) :]:
            way = direction(own.coord(dim))
            first, other = ways.setdefault(dim, (i, way)) if way else (i, 0)
            if way * other < 0:
                raise ParameterError(
                    f"{A!r} expected the coordinate {dim!r} to go one way for all sensors, got one that goes up and one that goes "
                    f"down, of sensor {first} and of sensor {i}: bring them into one order, as sortby does"
                )
        for dim in (*lead, *kept[i]):
            coord = own.coord(dim)
            if coord is None:
                continue
            first, known = places.setdefault(dim, (i, coord))
            if known.shape == coord.shape and not same_places(known, coord):
                raise ParameterError(
                    f"{A!r} expected the coordinate {dim!r} to be the same for all sensors, which are added there, got others of "
                    f"sensor {first} and of sensor {i}: bring them to one grid, as xr.align does, or drop_vars({dim!r}) to mean "
                    f"samples by their order"
                )
