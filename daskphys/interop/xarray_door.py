"""The door for xarray arrays: an operator takes the numbers, and names and coordinates go along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xarray as xr

import daskphys.interop.xarray_algebra
import daskphys.interop.xarray_families  # noqa: F401  (each registers what it knows)
from daskphys import doors
from daskphys.errors import ShapeError
from daskphys.interop.xarray_axes import measured
from daskphys.interop.xarray_frames import Frame, keeps_attrs
from daskphys.interop.xarray_grids import check_grid
from daskphys.interop.xarray_order import check_measured
from daskphys.interop.xarray_sensors import SENSOR, joined
from daskphys.physics.measurements import Measurements


class XarrayDoor:
    """Takes `xarray.DataArray`: its trailing dimensions are the operator's."""

    collection = None

    def apply(self, operator: Any, value: Any) -> Any:
        """``operator`` applied to an array, or to one a sensor."""
        many = isinstance(value, Measurements)
        arrays = list(value) if many else [value]
        frames = tuple(map(Frame.of, arrays))
        if not many:
            check_grid(operator, frames[0])
        check_measured(operator, frames if many else frames[0])
        try:
            made = doors.apply(operator, value.map(lambda a: a.data) if many else value.data)
        except ShapeError as error:
            if (mend := _mend(operator, value)) is None:
                raise
            raise ShapeError(f"{error}; {mend}") from error
        axes = measured(operator, frames if many else frames[0])
        name, attrs = arrays[0].name, arrays[0].attrs if keeps_attrs() else {}
        if not isinstance(made, Measurements):
            return axes.holding(made, name, attrs)
        pairs = zip(axes, made, strict=True)
        return Measurements(frame.holding(data, name, attrs) for frame, data in pairs)

    def to_core(self, array: xr.DataArray) -> Any:
        """The numbers, for a parameter of an operator."""
        return doors.to_core(array.data)

    def stack(self, arrays: Sequence[xr.DataArray]) -> Any:
        """One array with the dimension ``sensor`` in front."""
        return joined(arrays, SENSOR)


def _mend(operator: Any, value: Any) -> str | None:
    """How the operator's own dimensions become one chunk each, where one has several; of an image, which they were."""
    spaces = operator.domain.spaces if isinstance(value, Measurements) else (operator.domain,)
    arrays = value if isinstance(value, Measurements) else (value,)
    for space, array in zip(spaces, arrays, strict=True):
        own = array.dims[max(0, array.ndim - space.ndim) :]
        if any(len(array.chunksizes.get(dim, ())) > 1 for dim in own):
            return f"of this array x.chunk({', '.join(f'{dim}=-1' for dim in own)}) does"
    if isinstance(value, Measurements) or value.ndim <= operator.domain.ndim:
        return None
    return f"its own dimensions are the last, {', '.join(map(repr, own))}: dims= of x.phys names others"
