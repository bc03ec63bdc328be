"""Parameters of a factory's operators: arrays whose first axis is the sensor axis.

A Dask array's chunks are made on workers, each where the block of sensors lives that takes it, and never pass
through the client; they are part of the block's recipe and are made again with it.  What the client holds as
a NumPy array is cut, and travels with each block.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import dask
import dask.array as da
from dask.base import tokenize
from dask.task_spec import GraphNode

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError, describe
from daskphys.graph.blocks import Bounds
from daskphys.graph.builder import GraphBuilder, Ref


@dataclass(frozen=True)
class Parameters:
    """Arrays with the sensor axis in front, Dask's or in memory."""

    arrays: tuple[Any, ...] = ()

    @classmethod
    def of(cls, given: Any) -> Parameters:
        """One array, or a tuple or list of them, checked."""
        if given is None:
            return cls()
        arrays = tuple(given) if isinstance(given, tuple | list) else (given,)
        if not arrays:
            raise ParameterError("distribute expected parameters, one array or several, got none")
        for number, array in enumerate(arrays):
            if not isinstance(array, da.Array) and not backend.is_array(array):
                raise ParameterError(
                    f"distribute expected parameters[{number}] as a Dask or NumPy array whose first axis is the "
                    f"sensor axis, got {describe(array)}: read a Zarr store by dask.array.from_zarr"
                )
            if not array.shape:
                raise ShapeError(
                    f"distribute expected parameters[{number}] with the sensor axis in front, got an array with no "
                    f"axes: one value for all sensors belongs in the factory"
                )
            if any(n != n for n in array.shape):
                raise ShapeError(
                    f"distribute expected parameters[{number}] of known shape, got {array.shape}: call "
                    f"compute_chunk_sizes() first"
                )
        lengths = [int(array.shape[0]) for array in arrays]
        if len(set(lengths)) > 1 or not lengths[0]:
            raise ShapeError(
                f"distribute expected parameters of as many sensors each, one at least, got first axes of "
                f"{', '.join(map(str, lengths))}"
            )
        return cls(arrays)

    @property
    def lazy(self) -> bool:
        """Whether any of them is a Dask array."""
        return any(isinstance(array, da.Array) for array in self.arrays)

    def sensors(self) -> int:
        """The length of the sensor axis."""
        return int(self.arrays[0].shape[0])

    def chosen(self, indexes: Sequence[int]) -> Parameters:
        """The parameters of some sensors."""
        chosen: Any = list(indexes)
        if isinstance(indexes, range) and indexes.step > 0:  # of a Dask array a slice is cheaper than a list
            chosen = slice(indexes.start, indexes.stop, indexes.step)
        return Parameters(tuple(array[chosen] for array in self.arrays))

    def nbytes(self, start: int, stop: int) -> int:
        """Bytes that travel from the client with a block."""
        return sum(backend.nbytes(a[start:stop]) for a in self.arrays if not isinstance(a, da.Array))

    def size(self, start: int, stop: int) -> int:
        """Bytes of a block's part."""
        return sum(backend.nbytes(a) * (stop - start) // self.sensors() for a in self.arrays)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return tuple(tokenize(array) for array in self.arrays)

    def add(self, builder: GraphBuilder, bounds: Bounds, homes: Sequence[Hashable]) -> list[list[Any]]:
        """Add the tasks that make the chunks, each at the home of the first block that needs it.

        Returns
        -------
        list
            For each array, what each block's task takes of it: a slice of it, or the task that gives its chunk.
        """
        lazy = {
            number: array.rechunk(
                {0: tuple(stop - start for start, stop in bounds)} | _whole(array), method="tasks"
            )
            for number, array in enumerate(self.arrays)
            if isinstance(array, da.Array)
        }
        # Reading, cutting and what else belongs to a chunk become one task.
        fused = dict(zip(lazy, dask.optimize(*lazy.values()), strict=True))
        taken = []
        for number, array in enumerate(self.arrays):
            if number in fused:
                array = fused[number]
                keys = [(array.name, block, *(0,) * (array.ndim - 1)) for block in range(len(bounds))]
                _add_chunks(builder, array.__dask_graph__().to_dict(), keys, homes)
                taken.append([Ref(key) for key in keys])
            else:
                taken.append([array[start:stop] for start, stop in bounds])
        return taken


def _whole(array: Any) -> dict[int, int]:
    return dict.fromkeys(range(1, array.ndim), -1)


def _add_chunks(
    builder: GraphBuilder, tasks: dict[Any, GraphNode], keys: Sequence[Any], homes: Sequence[Hashable]
) -> None:
    """Add the tasks below `keys`, dependencies first, each with the home of the first key that needs it."""
    for top, home in zip(keys, homes, strict=True):
        waiting = [top]
        while waiting:
            key = waiting[-1]
            below = [k for k in tasks[key].dependencies if k in tasks and k not in builder]
            if key in builder or not below:
                waiting.pop()
                if key not in builder:
                    builder.adopt(tasks[key], worker=home)
            else:
                waiting.extend(below)
