"""One product of a stacked operator as tasks: one a block, and a reduction.

The functions here without an underscore add tasks to a graph; those that begin with ``run_`` are the tasks.
They serve plain operators on Dask arrays (blocks that the graph itself makes) and distributed ones (blocks
that workers hold) alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from daskphys import backend
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.factories import Expected
from daskphys.distributed.held import Held, check_alike, image_shape, weights_of, whole
from daskphys.distributed.ledger import measured
from daskphys.distributed.transport import Parcel
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.graph.tree import reduce_tree
from daskphys.pairwise import PairwiseSum, Partial
from daskphys.physics.base import LinearPhysics
from daskphys.physics.blockproducts import adjoint_parts, forward_each, gram_parts, normal_parts, vjp_parts
from daskphys.physics.measurements import Measurements
from daskphys.physics.naming import naming
from daskphys.physics.noise.adding import Noise
from daskphys.physics.stack import StackedPhysics
from daskphys.physics.transform import Transform
from daskphys.physics.value import Value
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
            run_forward,
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
            run_adjoint,
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
    extra = (blocks.first, shape, call, blocks.device, blocks.transform)
    name = f"adjoint-{call}"
    return reduce_tree(builder, name, parts, blocks.homes, run_total, *extra, suffix=suffix, layer=layer)


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
            run_vjp,
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
    extra = (blocks.first, None, call, blocks.device)
    name = f"vjp-{call}"
    return reduce_tree(builder, name, parts, blocks.homes, run_total, *extra, suffix=suffix, layer=layer)


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
            run_gram,
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
    extra = (blocks.first, None, call, blocks.device)
    name = f"gram-{call}"
    return reduce_tree(builder, name, parts, blocks.homes, run_total, *extra, suffix=suffix, layer=layer)


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
            run_each,
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
            run_normal,
            block,
            shape,
            call,
            bound,
            weights_of(weights, bound),
            worker=home,
        )
        for bound, block, home in blocks
    ]
    extra = (blocks.first, None, call, blocks.device)
    return reduce_tree(builder, f"normal-{call}", parts, blocks.homes, run_total, *extra)


def run_forward(
    block: Held,
    x: Any,
    call: str,
    bound: tuple[int, int],
    outline: Transform,
    device: str | None,
    expected: Expected | None,
    noise: Noise | None,
) -> Measurements:
    """Each sensor's measurement, with `noise` if given."""
    with measured(call, bound):
        block, x = whole(block), _placed(x, device)
        made = forward_each(block, x, block.transform.filled(outline), bound[0])
        check_alike(block, [y.shape for y in made], expected, bound[0])
        if noise is not None:
            made = noise.added(block, made, bound[0])
        return Parcel(_fetched(a, device) for a in made)


def run_adjoint(
    block: Held, y: Sequence[Any], call: str, bound: tuple[int, int], outline: Transform, device: str | None
) -> list[Partial]:
    """The block's partial sums of Aᴴ y."""
    with measured(call, bound):
        block, y = whole(block), [_placed(a, device) for a in y]
        shape = image_shape(block, y, bound[0])
        return adjoint_parts(block, y, shape, block.transform.filled(outline), bound[0])


def run_vjp(
    block: Held, x: Any, v: Sequence[Any], call: str, bound: tuple[int, int], device: str | None
) -> list[Partial]:
    """The block's partial sums of ``A_vjp(x, v)``."""
    with measured(call, bound):
        return vjp_parts(whole(block), _placed(x, device), [_placed(a, device) for a in v], bound[0])


def run_gram(
    block: Held,
    x: Any,
    call: str,
    bound: tuple[int, int],
    device: str | None,
    expected: Expected | None,
    weights: Weights | None,
) -> list[Partial]:
    """The block's partial sums of AᴴA x."""
    with measured(call, bound):
        block = whole(block)
        if expected is not None:
            check_alike(block, [s._range_shape(tuple(x.shape)) for s in block], expected, bound[0])
        return gram_parts(block, _placed(x, device), bound[0], weights)


def run_each(
    block: Held,
    x: Sequence[Any],
    call: str,
    bound: tuple[int, int],
    device: str | None,
    product: Callable[[LinearPhysics, Any], Any],
) -> Measurements:
    """Each sensor's product with an array of its own."""
    with measured(call, bound):
        made = []
        for index, (sensor, own) in enumerate(zip(whole(block), x, strict=True), bound[0]):
            with naming(index, sensor):
                made.append(product(sensor, _placed(own, device)))
        return Parcel(_fetched(a, device) for a in made)


def run_normal(
    block: Held, shape: Any, call: str, bound: tuple[int, int], weights: Weights | None
) -> list[Partial]:
    """The block's partial sums of normal operators."""
    with measured(call, bound):
        return normal_parts(whole(block), shape, bound[0], weights)


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


def _placed(x: Any, device: str | None) -> Any:
    return x if device is None else backend.to_device(x, device)


def _fetched(x: Any, device: str | None) -> Any:
    return x if device is None else backend.to_numpy(x)
