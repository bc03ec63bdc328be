"""The tasks of one product of a stacked operator, which `calls` adds to graphs: what a worker does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from daskphys import backend
from daskphys.distributed.factories import Expected
from daskphys.distributed.held import Held, check_alike, image_shape, whole
from daskphys.distributed.ledger import measured
from daskphys.distributed.transport import Parcel
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
