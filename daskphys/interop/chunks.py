"""Dask arrays chunk by chunk: keys, shapes, alignment, and results as arrays again.

The axes before the operator's own, the leading ones, may have any chunks.  The operator's own axes are one
chunk, unless it works on tiles (`daskphys.interop.tiles`) or on pencils (`daskphys.interop.pencils`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import dask.array as da

from daskphys import backend
from daskphys.errors import ShapeError
from daskphys.graph.builder import Ref
from daskphys.interop.tiling import SENSORS, sensors_of
from daskphys.physics.base import Adjoint
from daskphys.physics.measurements import Measurements

Index = tuple[int, ...]


def aligned(operator: Any, value: Any, free: int = 0) -> tuple[list[Any], int]:
    """The arrays of `value` with the same chunks along the leading axes, and how many of these there are.

    The last `free` axes may have any chunks, the operator's others have one.
    """
    arrays, lead = _leading(operator, value)
    for array in arrays:
        ndim = array.ndim - lead
        if any(len(c) > 1 for c in array.chunks[lead : array.ndim - free]):
            where = f"the last {ndim} axes" if not free else f"its channels (axes before the last {free})"
            raise ShapeError(
                f"{operator!r} expected one chunk along {where}, got chunks {array.chunks}{_why(operator, free)}: "
                f"x.rechunk({{axis: -1 for axis in range({-ndim}, {-free})}}) makes them whole"
            )
    first = arrays[0].chunks[:lead]
    return [a if a.chunks[:lead] == first else a.rechunk((*first, *a.chunks[lead:])) for a in arrays], lead


def _why(operator: Any, free: int) -> str:
    """Which of a distributed stack's sensors needs them whole, where one is known to."""
    physics = operator.parent if isinstance(operator, Adjoint) else operator
    if free or not isinstance(physics, SENSORS):
        return ""
    for index, sensor in enumerate(sensors_of(physics)):
        if sensor.stencil is None:
            if sensor.pointwise is not None:
                return (
                    f"; sensor {index} ({sensor!r}) works pixel by pixel, but distributed operators take tiles only where "
                    f"every sensor is a compact convolution: the plain operator takes these chunks"
                )
            return f"; sensor {index} ({sensor!r}) is no compact convolution, so it needs the whole image"
    return ""


def split(operator: Any, value: Any) -> bool:
    """Whether any of the operator's own axes has several chunks."""
    arrays, lead = _leading(operator, value)
    return any(len(c) > 1 for array in arrays for c in array.chunks[lead:])


def _leading(operator: Any, value: Any) -> tuple[list[Any], int]:
    many = isinstance(value, Measurements)
    arrays = list(value) if many else [value]
    spaces = operator.domain.spaces if many else (operator.domain,)
    return arrays, min(array.ndim - space.ndim for array, space in zip(arrays, spaces, strict=True))


def indexes(x: Any, lead: int) -> Iterator[Index]:
    """The chunk numbers along the leading axes."""
    return itertools.product(*(range(len(c)) for c in x.chunks[:lead]))


def filled(name: str, index: Index, ndim: int) -> tuple[Any, ...]:
    """The key of the chunk of an array with `ndim` axes."""
    return (name, *index, *((0,) * (ndim - len(index))))


def key(x: Any, index: Index) -> Ref:
    """The task that gives a chunk of `x`."""
    return Ref(filled(x.name, index, x.ndim))


def chunk_shape(x: Any, index: Index, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the chunk of an array of `shape` that has the leading chunks of `x`."""
    return (*(x.chunks[axis][i] for axis, i in enumerate(index)), *shape[len(index) :])


def array(graph: Any, name: str, inputs: Sequence[Any], lead: int, shape: Any, dtype: str) -> Any:
    """A Dask array of `shape` with the leading chunks, and the kind, of `inputs`."""
    chunks = (*inputs[0].chunks[:lead], *((n,) for n in shape[lead:]))
    return da.Array(graph, name, chunks=chunks, meta=backend.real_part(inputs[0]._meta).astype(dtype))
