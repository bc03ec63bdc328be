"""One product of a stacked operator as tasks: one a block, and a reduction.

The functions here without an underscore add tasks to a graph; those that begin with ``run_`` are the tasks.
They serve plain operators on Dask arrays (blocks that the graph itself makes) and distributed ones (blocks
that workers hold) alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from daskphys import backend
from daskphys.distributed.ledger import measured
from daskphys.errors import ShapeError
from daskphys.graph.blocks import Bounds
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.graph.tree import reduce_tree
from daskphys.pairwise import PairwiseSum, Partial
from daskphys.physics.measurements import Measurements
from daskphys.physics.stack import StackedPhysics, adjoint_parts, forward_each, gram_parts, normal_parts
from daskphys.physics.transform import Transform
from daskphys.physics.value import Value
from daskphys.physics.weighted import Weights


@dataclass(frozen=True)
class Blocks:
    """The blocks of a stack as a graph refers to them.

    Parameters
    ----------
    bounds
        ``(start, stop)`` of each block.
    refs
        The task (or future) that gives each block as a `StackedPhysics`.
    homes
        The worker that each block should be on, or None.
    transform
        What all sensors of the whole stack do first, without its operators (`Transform.outline`).
    device
        Where blocks compute: ``"cpu"`` or ``"cuda"``, with results in host memory; None: where the image is.
    """

    bounds: Bounds
    refs: Sequence[Ref]
    homes: Sequence[Hashable]
    transform: Transform
    device: str | None = "cpu"

    def __iter__(self) -> Any:
        return iter(zip(self.bounds, self.refs, self.homes, strict=True))


def forward(
    builder: GraphBuilder,
    call: str,
    blocks: Blocks,
    x: Any,
    expected: Any = None,
    suffix: tuple[int, ...] = (),
) -> list[Ref]:
    """Tasks for A x; each gives the list of its block's measurements, all of the `expected` shape if given."""
    return [
        builder.add(
            (f"forward-{call}", bound[0], *suffix),
            run_forward,
            block,
            x,
            call,
            bound,
            blocks.transform,
            blocks.device,
            expected,
            worker=home,
        )
        for bound, block, home in blocks
    ]


def adjoint(
    builder: GraphBuilder,
    call: str,
    blocks: Blocks,
    y: Sequence[Any],
    shape: tuple[int, ...] | None,
    suffix: tuple[int, ...] = (),
    layer: str | None = None,
) -> Ref:
    """Tasks for Aᴴ y, where ``y[i]`` is sensor i's measurement and `shape` the image's.

    With ``shape=None`` the result stays in the domain of the shared transform.
    """
    parts = [
        builder.add(
            (f"adjoint-block-{call}", bound[0], *suffix),
            run_adjoint,
            block,
            list(y[bound[0] : bound[1]]),
            call,
            bound,
            blocks.transform,
            blocks.device,
            worker=home,
        )
        for bound, block, home in blocks
    ]
    extra = (blocks.refs[0], shape, call, blocks.device, blocks.transform)
    name = f"adjoint-{call}"
    return reduce_tree(builder, name, parts, blocks.homes, run_total, *extra, suffix=suffix, layer=layer)


def gram(
    builder: GraphBuilder,
    call: str,
    blocks: Blocks,
    x: Any,
    suffix: tuple[int, ...] = (),
    layer: str | None = None,
    weights: Weights | None = None,
) -> Ref:
    """Tasks for AᴴA x, sensor by sensor, with a weight for each."""
    parts = [
        builder.add(
            (f"gram-block-{call}", bound[0], *suffix),
            run_gram,
            block,
            x,
            call,
            bound,
            blocks.device,
            _own(weights, bound),
            worker=home,
        )
        for bound, block, home in blocks
    ]
    extra = (blocks.refs[0], None, call, blocks.device)
    name = f"gram-{call}"
    return reduce_tree(builder, name, parts, blocks.homes, run_total, *extra, suffix=suffix, layer=layer)


def normal(
    builder: GraphBuilder, call: str, blocks: Blocks, shape: Any, weights: Weights | None = None
) -> Ref:
    """Tasks for the merged normal operator for images of `shape`, with a weight for each sensor."""
    parts = [
        builder.add(
            (f"normal-block-{call}", bound[0]),
            run_normal,
            block,
            shape,
            call,
            bound,
            _own(weights, bound),
            worker=home,
        )
        for bound, block, home in blocks
    ]
    extra = (blocks.refs[0], None, call, blocks.device)
    return reduce_tree(builder, f"normal-{call}", parts, blocks.homes, run_total, *extra)


def run_forward(
    block: StackedPhysics,
    x: Any,
    call: str,
    bound: tuple[int, int],
    outline: Transform,
    device: str | None,
    expected: Any,
) -> list[Any]:
    """Each sensor's measurement."""
    with measured(call, bound):
        x = _placed(x, device)
        made = forward_each(block, x, block.transform.filled(outline), bound[0])
        for index, (sensor, y) in enumerate(zip(block, made, strict=True), bound[0]):
            if expected is not None and tuple(y.shape) != tuple(expected):
                raise ShapeError(
                    f"sensor {index} ({sensor!r}): the factory's sensors are expected to give measurements of one "
                    f"shape, that of sensor 0, {tuple(expected)}; got {tuple(y.shape)}"
                )
        return [_fetched(a, device) for a in made]


def run_adjoint(
    block: StackedPhysics,
    y: list[Any],
    call: str,
    bound: tuple[int, int],
    outline: Transform,
    device: str | None,
) -> list[Partial]:
    """The block's partial sums of Aᴴ y."""
    with measured(call, bound):
        y = [_placed(a, device) for a in y]
        shape = block._domain_shape(Measurements(y).shapes)
        return adjoint_parts(block, y, shape, block.transform.filled(outline), bound[0])


def run_gram(
    block: StackedPhysics,
    x: Any,
    call: str,
    bound: tuple[int, int],
    device: str | None,
    weights: Weights | None,
) -> list[Partial]:
    """The block's partial sums of AᴴA x."""
    with measured(call, bound):
        return gram_parts(block, _placed(x, device), bound[0], weights)


def run_normal(
    block: StackedPhysics, shape: Any, call: str, bound: tuple[int, int], weights: Weights | None
) -> list[Partial]:
    """The block's partial sums of normal operators."""
    with measured(call, bound):
        return normal_parts(block, shape, bound[0], weights)


def run_total(
    parts: list[list[Partial]],
    block: StackedPhysics,
    shape: tuple[int, ...] | None,
    call: str,
    device: str | None,
    outline: Transform | None = None,
) -> Any:
    """The whole sum; where `shape` is given, brought back to an image of it."""
    with measured(call, None):
        total = PairwiseSum.join(parts).total()
        if shape is not None and outline is not None:
            total = block.transform.filled(outline).lower(total, shape)
        return total.to("cpu") if isinstance(total, Value) else _fetched(total, device)


def _own(weights: Weights | None, bound: tuple[int, int]) -> Weights | None:
    """The weights of a block's sensors."""
    return None if weights is None else weights[slice(*bound)]


def _placed(x: Any, device: str | None) -> Any:
    return x if device is None else backend.to_device(x, device)


def _fetched(x: Any, device: str | None) -> Any:
    return x if device is None else backend.to_numpy(x)
