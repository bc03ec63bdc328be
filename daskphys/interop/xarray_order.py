"""Measurements whose names and coordinates say that their samples are in another order than the operator gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xarray as xr

from daskphys.errors import DaskphysError, ParameterError
from daskphys.interop.tiling import SENSORS, sensors_of
from daskphys.interop.xarray_axes import imaged, measured
from daskphys.interop.xarray_frames import Frame, check_order, direction
from daskphys.interop.xarray_grids import check_direction, grid_ndim
from daskphys.optim.problem import Problem
from daskphys.physics.base import Adjoint, PseudoInverse


def check_measured(operator: Any, y: Any) -> None:
    """Refuse measurements in another order than the operator, of which `operator` is the way back, gives them."""
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


def _check_samples(A: Any, y: Frame) -> None:
    """Compare what A would call its samples with what they are called."""
    ndim = A.range.ndim
    lead = len(y.dims) - ndim
    own = y.dims[max(0, lead) :]
    if lead < 0:
        return
    # Without coordinates, and with other names for what is carried along, which may have taken the place of A's own.
    bare = Frame((*(f"_{i}" for i in range(lead)), *own), y.shape, xr.Dataset())
    try:
        x = imaged(A, bare)
        expected = measured(A, x) if isinstance(x, Frame) else None
    except DaskphysError:  # which the operator raises too, where it takes the numbers
        return
    if expected is None:
        return
    kept = x.dims[max(0, len(x.dims) - grid_ndim(A)) :]
    for axis in range(-ndim, 0):
        dim, name = y.dims[axis], expected.dims[axis]
        if name != dim and name in y.dims:
            raise ParameterError(
                f"{A!r} expected its own dimensions last, with {name!r} where {dim!r} is, got {', '.join(map(repr, y.dims))}: "
                f"put them into that order, as y.transpose does"
            )
        coord, known = y.coords.coords.get(dim), expected.coords.coords.get(name)
        if coord is None:
            continue
        if known is not None:
            reverse = (
                str(name).startswith("k_") and direction(coord) < 0
            )  # frequencies of an axis that goes down
            check_order(A, coord, known.values[::-1] if reverse else known.values)
        elif dim in kept and coord.ndim == 1 and coord.size > 1 and coord.dtype.kind in "iufmM":
            check_direction(A, coord)


def _check_alike(A: Any, sensors: Sequence[Any], y: Sequence[Frame]) -> None:
    """Refuse sensors that have one name for different axes, or different places for what is carried along."""
    first, own = y[0], sensors[0].range.ndim
    for i, (sensor, other) in enumerate(zip(sensors, y, strict=True)):
        ours, theirs = first.dims, other.dims
        if set(ours) == set(theirs) and ours != theirs:
            raise ParameterError(
                f"{A!r} expected all measurements with their dimensions in one order, got {', '.join(map(repr, ours))} of sensor "
                f"0 and {', '.join(map(repr, theirs))} of sensor {i}: transpose one of them"
            )
        lead = ours[: max(0, len(ours) - own)]
        for dim in lead if lead == theirs[: max(0, len(theirs) - sensor.range.ndim)] else ():
            a, b = first.coords.coords.get(dim), other.coords.coords.get(dim)
            if a is not None and b is not None and not a.variable.equals(b.variable):
                raise ParameterError(
                    f"{A!r} expected the coordinate {dim!r} to be the same for all sensors, which are added there, got others "
                    f"of sensor 0 and of sensor {i}: select what they share, as xr.align does, or drop_vars({dim!r})"
                )
        for dim in set(ours[len(lead) :]) & set(theirs):
            if direction(first.coords.coords.get(dim)) * direction(other.coords.coords.get(dim)) < 0:
                raise ParameterError(
                    f"{A!r} expected the coordinate {dim!r} to go one way for all sensors, got one that goes up and one that goes "
                    f"down, of sensor 0 and of sensor {i}: bring them into one order, as sortby does"
                )
