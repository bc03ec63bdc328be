"""The door for Dask arrays: lazy, with one task for each chunk of the leading axes and block of sensors.

Nothing is computed and nothing submitted before the result is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import dask.array as da
from dask.base import DaskMethodsMixin
from dask.core import flatten
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import GraphNode

from daskphys import backend, doors
from daskphys.distributed.planning import LazyPlan
from daskphys.distributed.rechunking import asked_once
from daskphys.errors import ShapeError, UnsupportedArrayError, describe
from daskphys.interop import lazy, lazyplan
from daskphys.physics.measurements import Measurements


class LazyMeasurements(Measurements, DaskMethodsMixin):  # type: ignore[misc]
    """Measurements of Dask arrays: a Dask collection with `compute`, `persist` and `visualize`."""

    __dask_scheduler__ = staticmethod(da.Array.__dask_scheduler__)
    __dask_optimize__ = staticmethod(da.Array.__dask_optimize__)

    def __dask_graph__(self) -> HighLevelGraph:
        return HighLevelGraph.merge(*(a.__dask_graph__() for a in self))

    def __dask_keys__(self) -> list[Any]:
        return [a.__dask_keys__() for a in self]

    def __dask_layers__(self) -> tuple[str, ...]:
        return tuple(layer for a in self for layer in a.__dask_layers__())

    def __dask_tokenize__(self) -> tuple[str, ...]:
        return tuple(a.name for a in self)

    def __dask_postcompute__(self) -> Any:
        return _finish, ([a.__dask_postcompute__() for a in self],)

    def __dask_postpersist__(self) -> Any:
        return _rebuild, (
            [a.__dask_postpersist__() for a in self],
            [list(flatten(a.__dask_keys__())) for a in self],
        )


def _finish(results: Sequence[Any], posts: Sequence[Any]) -> Measurements:
    return Measurements(f(r, *args) for r, (f, args) in zip(results, posts, strict=True))


def _rebuild(
    graph: Any, posts: Sequence[Any], keys: Sequence[Any], *, rename: Mapping[str, str] | None = None
) -> Measurements:
    """Measurements on `graph`, which holds their chunks (`persist`) or the tasks that make them (`clone`)."""
    tasks = isinstance(graph, HighLevelGraph) or any(
        isinstance(task, GraphNode) and task.dependencies for task in graph.values()
    )
    return Measurements(
        f(graph if tasks else {k: graph[k] for k in own}, *args, rename=rename)
        for own, (f, args) in zip(keys, posts, strict=True)
    )


def _native(array: Any) -> Any:
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


class DaskDoor:
    """Takes `dask.array.Array`."""

    collection = LazyMeasurements

    def apply(self, operator: Any, value: Any) -> Any:
        arrays = value if isinstance(value, Measurements) else (value,)
        for array in arrays:
            if not backend.is_array(array._meta):
                raise UnsupportedArrayError(
                    f"{operator!r} expected a Dask array with chunks of NumPy or CuPy, got {describe(array._meta)}: "
                    f"convert them, as in x.map_blocks(np.asarray)"
                )
        if any(math.isnan(n) for array in arrays for n in array.shape):
            raise ShapeError(
                f"{operator!r} expected Dask arrays of known shape, got {', '.join(str(a.shape) for a in arrays)}: "
                f"call x.compute_chunk_sizes() first"
            )
        operator._image_shape(value)
        checked = operator.domain.check(value)
        native = checked.map(_native) if isinstance(checked, Measurements) else _native(checked)
        with asked_once():
            return lazy.apply(operator, native)

    def plan(self, D: Any, method: str, value: Any, workers: Any) -> LazyPlan:
        """What a lazy product on chunks of the image's own axes will cost (`daskphys.distributed.planning`)."""
        with asked_once():
            return lazyplan.plan(
                D, method, Measurements(value) if isinstance(value, list) else value, workers
            )

    def to_core(self, array: Any) -> Any:
        raise UnsupportedArrayError(
            "an operator's parameter expected an array in memory, got a Dask array: compute it first, or give "
            "distribute a factory that loads each sensor's part on its worker"
        )

    def stack(self, arrays: Sequence[Any]) -> Any:
        return da.stack(list(arrays))


def register() -> None:
    """Let operators take Dask arrays."""
    doors.register(da.Array, DaskDoor())
