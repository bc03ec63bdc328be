"""Compact operators on Dask arrays with chunks along the image's own axes: one task a tile and block of sensors.

A task takes the chunks that its part of the image overlaps, or reads this part from the store behind the array
(`daskphys.interop.sources`); nothing else cuts or joins.  Sums over the sensors are joined inside the tiles'
own tasks (`daskphys.graph.joining`).  Where all borders are periodic, AᴴA is one convolution with the sum of
the kernels' autocorrelations, for any number of sensors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da

from daskphys.distributed.blocks import Blocks
from daskphys.distributed.gram import DistributedGram
from daskphys.distributed.held import weights_of
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.graph.joining import joins
from daskphys.graph.tree import reduce_tree
from daskphys.interop import tiletasks, tiling
from daskphys.interop.blocks import adjoint_dtype, begin, dtypes, normal_dtype
from daskphys.interop.chunks import aligned
from daskphys.interop.sources import Part, Source
from daskphys.interop.tiletasks import Tile
from daskphys.interop.tiling import Tiling
from daskphys.physics.base import Adjoint, Gram
from daskphys.physics.measurements import Measurements
from daskphys.physics.stack import StackedPhysics, widened
from daskphys.physics.tiles import Box, clipped
from daskphys.physics.weighted import WeightedGram, Weights


def apply(operator: Any, value: Any) -> Any:
    """``operator`` on chunks of the image's own axes, or None where it does not work on tiles."""
    plan = tiling.plan(operator, value)
    if plan is None:
        return None
    match operator:
        case Gram(parent=parent) | WeightedGram(parent=parent):
            return _gram(operator, stacked(parent), value, plan)
        case Adjoint(parent=parent):
            y = value if isinstance(value, Measurements) else Measurements([value])
            return _adjoint(stacked(parent), y, plan)
    y = _forward(stacked(operator), value, plan)
    return y if isinstance(operator, tiling.SENSORS) else y[0]


def stacked(physics: Any) -> Any:
    """The operator as a stack, if need be of one sensor."""
    return physics if isinstance(physics, tiling.SENSORS) else StackedPhysics((physics,))


@dataclass(frozen=True)
class _Place:
    """A tile in the result."""

    index: tuple[int, ...]  # its chunk
    lead: Box  # start and stop on the axes before the image's
    box: Box


def _places(x: Any, lead: int, plan: Tiling) -> Iterator[_Place]:
    """All tiles, where `x` has the leading chunks."""
    axes: list[Box] = [tiling.spans(c) for c in x.chunks[:lead]]
    axes += [((0, n),) for n in x.shape[lead : x.ndim - plan.ndim]]
    for numbered in itertools.product(*(enumerate(spans) for spans in (*axes, *plan.boxes))):
        index, spans = zip(*numbered, strict=True)
        yield _Place(index, spans[: -plan.ndim], spans[-plan.ndim :])


class _Needs:
    """What one task needs: references, and the parts of arrays that it makes of them."""

    def __init__(self) -> None:
        self.refs: list[Ref] = []
        self.parts: list[Part] = []
        self.which: list[int] = []
        self._known: dict[Any, int] = {}

    def add(self, source: Source, spans: Box) -> None:
        """What the next sensor needs."""
        key = (source.x.name, spans)
        if key not in self._known:
            self._known[key] = len(self.parts)
            self.parts.append(source.part(spans, self.refs))
        self.which.append(self._known[key])

    def tile(self, boxes: Sequence[Box], plan: Tiling, start: int, device: str | None) -> Tile:
        return Tile(tuple(self.parts), tuple(self.which), tuple(boxes), plan.sizes, start, device)


def _array(graph: Any, name: str, plan: Tiling, x: Any, dtype: str, limits: Box | None = None) -> Any:
    """A Dask array of tiles, with the leading chunks, and the kind, of `x`."""
    chunks = (*x.chunks[: x.ndim - plan.ndim], *plan.chunks(limits))
    return da.Array(graph, name, chunks=chunks, meta=x._meta.astype(dtype))


def _forward(physics: Any, x: Any, plan: Tiling) -> Measurements:
    (x,), lead = aligned(physics, x, plan.ndim)
    builder, call, blocks = begin("forward-tiles", physics, [x])
    source = Source(x)
    for place in _places(x, lead, plan):
        for bound, block, home in blocks:
            for i in range(*bound):
                # Its result is a chunk of the sensor's own array: a task that gave several sensors' would need
                # one more for each, and hold them all.
                box = clipped(place.box, plan.locals[i].range)
                needs = _Needs()
                needs.add(source, (*place.lead, *plan.locals[i].image_part(box)))
                tile = needs.tile([box], plan, i, blocks.device)
                name, args = f"sensor-{i}-{call}", (block, i - bound[0], needs.refs, tile)
                builder.add((name, *place.index), tiletasks.run_forward, *args, worker=home, layer=name)
    graph = builder.build([source.collection])
    return Measurements(
        _array(graph, f"sensor-{i}-{call}", plan, x, dtype, local.range)
        for i, (local, dtype) in enumerate(zip(plan.locals, dtypes(physics, x), strict=True))
    )


def _adjoint(physics: Any, y: Measurements, plan: Tiling) -> Any:
    y = widened(y, physics._result_dtype)
    inputs, lead = aligned(physics.H, y, plan.ndim)
    builder, call, blocks = begin("adjoint-tiles", physics, inputs)
    sources = [Source(a) for a in inputs]

    def needed(needs: _Needs, i: int, place: _Place) -> None:
        local = plan.locals[i]
        part = zip(local.range_part(place.box), local.range, strict=True)
        needs.add(sources[i], (*place.lead, *((a - low, b - low) for (a, b), (low, _) in part)))

    name = f"adjoint-{call}"
    _add_sums(builder, name, blocks, inputs[0], lead, plan, needed, "adjoint")
    dtype = adjoint_dtype(physics, inputs[0])
    return _array(builder.build([s.collection for s in sources]), name, plan, inputs[0], dtype)


def _gram(operator: Gram | WeightedGram, physics: Any, x: Any, plan: Tiling) -> Any:
    weights = operator.weights if isinstance(operator, WeightedGram) else None
    (x,), lead = aligned(physics, x, plan.ndim)
    builder, call, blocks = begin("gram-tiles", operator, [x], physics)
    source, name = Source(x), f"gram-{call}"
    by_tree = isinstance(operator, DistributedGram) and operator.method == "tree"
    real = physics.normal_kind is not None and not by_tree and weights is None
    dtype = x.dtype.name if real else normal_dtype(physics, x)
    if all(local.stencil.padding == "circular" for local in plan.locals) and not by_tree:
        kernel = kernel_task(builder, call, blocks, real, plan.overlap, weights)
        for place in _places(x, lead, plan):
            needs = _Needs()
            wider = ((a - n, b + n) for (a, b), n in zip(place.box, plan.overlap, strict=True))
            needs.add(source, (*place.lead, *wider))
            tile = needs.tile([place.box], plan, 0, blocks.device)
            builder.add((name, *place.index), tiletasks.run_normal, kernel, needs.refs, tile, layer=name)
    else:

        def needed(needs: _Needs, i: int, place: _Place) -> None:
            needs.add(source, (*place.lead, *plan.locals[i].normal_part(place.box)))

        _add_sums(builder, name, blocks, x, lead, plan, needed, "normal", weights)
    return _array(builder.build([source.collection]), name, plan, x, dtype)


def _add_sums(
    builder: GraphBuilder,
    name: str,
    blocks: Blocks,
    x: Any,
    lead: int,
    plan: Tiling,
    needed: Callable[[_Needs, int, _Place], None],
    product: str,
    weights: Weights | None = None,
) -> None:
    """Tasks for the sum of a product over the sensors; the last block's gives it."""
    taken = joins(len(blocks.bounds))
    for place in _places(x, lead, plan):
        made: list[Ref] = []
        for (bound, block, home), earlier in zip(blocks, taken, strict=True):
            needs = _Needs()
            for i in range(*bound):
                needed(needs, i, place)
            tile = needs.tile([place.box] * (bound[1] - bound[0]), plan, bound[0], blocks.device)
            last = bound is blocks.bounds[-1]
            layer = name if last else f"{name}-{bound[0]}"
            own = weights_of(weights, bound)
            args = (block, needs.refs, [made[b] for b in earlier], tile, product, last, own)
            made.append(
                builder.add((layer, *place.index), tiletasks.run_sum, *args, worker=home, layer=layer)
            )


def kernel_task(
    builder: GraphBuilder,
    call: str,
    blocks: Blocks,
    real: bool,
    overlap: tuple[int, ...] | None = None,
    weights: Weights | None = None,
) -> Ref:
    """Tasks for the kernel of AᴴA: the sum of autocorrelations, by a tree."""
    name = f"kernel-{call}"
    parts = []
    for bound, block, home in blocks:
        args = (block, bound[0], real, overlap, weights_of(weights, bound))
        parts.append(builder.add((f"{name}-block", bound[0]), tiletasks.run_kernel, *args, worker=home))
    return reduce_tree(builder, name, parts, blocks.homes, tiletasks.run_kernel_total)
