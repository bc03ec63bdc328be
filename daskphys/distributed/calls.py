"""One product of a stacked operator as tasks: one a block, and a reduction.

The functions here add tasks to a graph; the tasks are in `calltasks`.  They serve plain operators on Dask arrays
(blocks that the graph itself makes) and distributed ones (blocks that workers hold) alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from daskphys.distributed import calltasks
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.factories import Expected
from daskphys.distributed.held import weights_of
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.graph.tree import reduce_tree
from daskphys.physics.base import LinearPhysics
from daskphys.physics.noise.adding import Noise
from daskphys.physics.transform import Transform
from daskphys.physics.weighted import Weights


def forward(
    builder: GraphBuilder,
    call: str,
    blocks: Blocks,
    x: Any,
    expected: Expected | None = None,
    suffix: tuple[int, ...] = (),
    noise: Noise | None = None,
) -> list[Ref]:
    """Tasks for A x, with `noise` if given; each gives its block's measurements, of the `expected` shapes if given."""
    return [
        builder.add(
            (f"forward-{call}", bound[0], *suffix),
            calltasks.run_forward,
            block,
            x,
            call,
            bound,
            blocks.transform,
            blocks.device,
            expected,
            noise,
            worker=home,
        )
        for bound, block, home in blocks
    ]


def adjoint(
    builder: GraphBuilder,
    call: str,
    blocks: Blocks,
    y: Sequence[Any] | Mapping[tuple[int, int], Any],
    shape: tuple[int, ...] | None,
    suffix: tuple[int, ...] = (),
    layer: str | None = None,
) -> Ref:
    """Tasks for Aᴴ y, where `shape` is the image's.

    ``y[i]`` is sensor i's measurement; or ``y[start, stop]``, of a mapping, is the task that gives all of a block's.
    With ``shape=None`` the result stays in the domain of the shared transform.
    """
    parts = [
        builder.add(
            (f"adjoint-block-{call}", bound[0], *suffix),
            calltasks.run_adjoint,
            block,
            _of_block(y, bound),
            call,
            bound,
            blocks.transform,
            blocks.device,
            worker=home,
        )
        for bound, block, home in blocks
    ]
    return _total(builder, "adjoint", call, blocks, parts, suffix, layer, shape, blocks.transform)


def _of_block(y: Sequence[Any] | Mapping[tuple[int, int], Any], bound: tuple[int, int]) -> Any:
    """What belongs to the sensors of one block."""
    return y[bound] if isinstance(y, Mapping) else list(y[bound[0] : bound[1]])


def vjp(
    builder: GraphBuilder,
    call: str,
    blocks: Blocks,
    given: tuple[Any, Any],
    suffix: tuple[int, ...] = (),
    layer: str | None = None,
) -> Ref:
    """Tasks for ``A_vjp(x, v)``, where `given` is x, and v as y of `adjoint`."""
    x, v = given
    parts = [
        builder.add(
            (f"vjp-block-{call}", bound[0], *suffix),
            calltasks.run_vjp,
            block,
            x,
            _of_block(v, bound),
            call,
            bound,
            blocks.device,
            worker=home,
        )
        for bound, block, home in blocks
    ]
    return _total(builder, "vjp", call, blocks, parts, suffix, layer)


def gram(
    builder: GraphBuilder,
    call: str,
    blocks: Blocks,
    x: Any,
    suffix: tuple[int, ...] = (),
    layer: str | None = None,
    expected: Expected | None = None,
    weights: Weights | None = None,
) -> Ref:
    """Tasks for AᴴA x, sensor by sensor, with a weight for each; measurements would have the `expected` shapes."""
    parts = [
        builder.add(
            (f"gram-block-{call}", bound[0], *suffix),
            calltasks.run_gram,
            block,
            x,
            call,
            bound,
            blocks.device,
            expected,
            weights_of(weights, bound),
            worker=home,
        )
        for bound, block, home in blocks
    ]
    return _total(builder, "gram", call, blocks, parts, suffix, layer)


def each(
    builder: GraphBuilder,
    call: str,
    blocks: Blocks,
    x: Mapping[tuple[int, int], Any],
    product: Callable[[LinearPhysics, Any], Any],
) -> list[Ref]:
    """Tasks for ``product(sensor, its own array)``; ``x[start, stop]`` is the task that gives all arrays of a block."""
    return [
        builder.add(
            (f"each-{call}", bound[0]),
            calltasks.run_each,
            block,
            x[bound],
            call,
            bound,
            blocks.device,
            product,
            worker=home,
        )
        for bound, block, home in blocks
    ]


def normal(
    builder: GraphBuilder, call: str, blocks: Blocks, shape: Any, weights: Weights | None = None
) -> Ref:
    """Tasks for the merged normal operator for images of `shape`, with a weight for each sensor."""
    parts = [
        builder.add(
            (f"normal-block-{call}", bound[0]),
            calltasks.run_normal,
            block,
            shape,
            call,
            bound,
            weights_of(weights, bound),
            worker=home,
        )
        for bound, block, home in blocks
    ]
    return _total(builder, "normal", call, blocks, parts)


def _total(
    builder: GraphBuilder,
    product: str,
    call: str,
    blocks: Blocks,
    parts: Sequence[Ref],
    suffix: tuple[int, ...] = (),
    layer: str | None = None,
    shape: Any = None,
    transform: Transform | None = None,
) -> Ref:
    """Tasks for the sum of what the blocks' `parts` give, along the tree."""
    extra = (blocks.first, shape, call, blocks.device, transform)
    name = f"{product}-{call}"
    return reduce_tree(
        builder, name, parts, blocks.homes, calltasks.run_total, *extra, suffix=suffix, layer=layer
    )
