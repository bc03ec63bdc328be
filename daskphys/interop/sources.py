"""How a task gets a part of a Dask array: from the chunks that it overlaps, or from the store behind them.

A part of the array in a store (Zarr, HDF5, any array that can be sliced) is read by the task that needs it,
halo and all: neighbours' chunks are then neither kept nor sent.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import dask.array as da
from dask.array.core import ArraySliceDep, getter, getter_inline, getter_nofancy, normalize_chunks
from dask.base import tokenize
from dask.blockwise import Blockwise
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.task_spec import DataNode, Task, TaskRef

from daskphys import backend
from daskphys.graph.builder import GraphBuilder, Ref

Slices = tuple[tuple[int, int], ...]

_GETTERS = (getter, getter_nofancy, getter_inline)


@dataclass(frozen=True)
class Store:
    """What the chunks of a Dask array are read from, as a graph with one task."""

    key: Any
    graph: HighLevelGraph
    read: Any
    keywords: tuple[tuple[str, Any], ...]

    def __dask_graph__(self) -> HighLevelGraph:
        return self.graph

    def __dask_keys__(self) -> list[Any]:
        return [self.key]

    def __dask_layers__(self) -> tuple[Any, ...]:
        return (self.key,)


def store_of(x: Any) -> Store | None:
    """The store that the chunks of `x` are read from as they are, or None: `x` was computed, or is in memory."""
    layer = x.dask.layers.get(x.name)
    if not isinstance(layer, Blockwise) or not isinstance(layer.task, Task):
        return None
    task, keywords = layer.task, dict(layer.task.kwargs)
    if task.func not in _GETTERS or len(task.args) != 2 or not keywords.keys() <= {"asarray", "lock"}:
        return None
    (source, index), (part, _) = layer.indices
    slices = layer.io_deps.get(part)
    if index is not None or not isinstance(slices, ArraySliceDep) or slices.chunks != x.chunks:
        return None
    if isinstance(source, TaskRef):
        if source.key not in x.dask.layers:
            return None
        graph = HighLevelGraph({source.key: x.dask.layers[source.key]}, {source.key: set()})
        return Store(source.key, graph, task.func, tuple(keywords.items()))
    key = f"store-{tokenize(source)}"
    graph = HighLevelGraph({key: MaterializedLayer({key: DataNode(key, source)})}, {key: set()})
    return Store(key, graph, task.func, tuple(keywords.items()))


@dataclass(frozen=True)
class Piece:
    """A rectangle that lies in one chunk, or in a store."""

    ref: int  # which of the task's references
    source: Slices
    target: Slices


@dataclass(frozen=True)
class Part:
    """A part of an array as a task puts it together from what it is given."""

    shape: tuple[int, ...]
    pieces: tuple[Piece, ...]
    read: Any = None
    keywords: tuple[tuple[str, Any], ...] = ()

    def assembled(self, given: list[Any]) -> Any:
        """The part; a view where it lies in one chunk."""
        first = self._take(given, self.pieces[0])
        if len(self.pieces) == 1:
            return first
        whole = backend.zeros(self.shape, first)
        for number, piece in enumerate(self.pieces):
            at = tuple(slice(*s) for s in piece.target)
            whole[at] = self._take(given, piece) if number else first
        return whole

    def _take(self, given: list[Any], piece: Piece) -> Any:
        slices = tuple(slice(*s) for s in piece.source)
        if self.read is None:
            return given[piece.ref][slices]
        return self.read(given[piece.ref], slices, **dict(self.keywords))


class Source:
    """A Dask array from which tasks take parts.

    Parameters
    ----------
    x
        The array.
    """

    def __init__(self, x: da.Array) -> None:
        self.x = x
        self.store = store_of(x)
        #: What a graph that uses this source builds upon.
        self.collection = x if self.store is None else self.store
        self._starts = [_starts(c) for c in x.chunks]

    def part(self, spans: Slices, refs: list[Ref]) -> Part:
        """The part from start to stop on each axis; beyond the border the array goes on periodically.

        The references that the task needs are added to `refs`.
        """
        axes = [self._axis(axis, *span) for axis, span in enumerate(spans)]
        numbers: dict[Any, int] = {}
        pieces = []
        for cut in itertools.product(*axes):
            if self.store is not None:
                key: Any = self.store.key
                source = tuple((start, stop) for _, start, stop, _ in cut)
            else:
                key = (self.x.name, *(chunk for chunk, *_ in cut))
                source = tuple(
                    (start - s[chunk], stop - s[chunk])
                    for (chunk, start, stop, _), s in zip(cut, self._starts, strict=True)
                )
            if key not in numbers:
                numbers[key] = len(refs)
                refs.append(Ref(key))
            target = tuple((at, at + stop - start) for _, start, stop, at in cut)
            pieces.append(Piece(numbers[key], source, target))
        shape = tuple(stop - start for start, stop in spans)
        if self.store is None:
            return Part(shape, tuple(pieces))
        return Part(shape, tuple(pieces), self.store.read, self.store.keywords)

    def _axis(self, axis: int, start: int, stop: int) -> list[tuple[int, int, int, int]]:
        """Chunk, start and stop in the array, and place in the part, of each piece along an axis."""
        n, starts, at = self.x.shape[axis], self._starts[axis], start
        pieces: list[tuple[int, int, int, int]] = []
        while at < stop or not pieces:  # an empty part is one empty piece
            here = at % n
            chunk = bisect_right(starts, here) - 1 if self.store is None else 0
            end = starts[chunk] + self.x.chunks[axis][chunk] if self.store is None else n
            end = min(end, here + stop - at)
            pieces.append((chunk, here, end, at - start))
            at += end - here
        return pieces


def _starts(chunks: tuple[int, ...]) -> list[int]:
    return [0, *itertools.accumulate(chunks)][:-1]


def rechunked(x: Any, chunks: Any) -> Any:
    """`x` in other chunks; what lies in a store is read in these, and nothing moves between workers.

    `chunks` are those of some axes; the others stay as they are.
    """
    source = Source(x)
    if source.store is None:
        return x.rechunk(chunks)
    new = normalize_chunks([chunks.get(i, c) for i, c in enumerate(x.chunks)], x.shape, dtype=x.dtype)
    if new == x.chunks:
        return x
    name = f"read-{tokenize(x.name, new)}"
    builder = GraphBuilder(name)
    axes = [tuple(itertools.pairwise((0, *itertools.accumulate(c)))) for c in new]
    for numbered in itertools.product(*(enumerate(axis) for axis in axes)):
        index, spans = zip(*numbered, strict=True)
        refs: list[Ref] = []
        builder.add((name, *index), Part.assembled, source.part(spans, refs), refs, layer=name)
    return da.Array(builder.build([source.store]), name, chunks=new, meta=x._meta)
