"""What a block of neighbouring sensors of a stack computes: the plain operator is one block, workers hold several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from daskphys import backend
from daskphys.pairwise import PairwiseSum, Partial, SharedPairwiseSum
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cost import Cost
from daskphys.physics.naming import naming
from daskphys.physics.transform import Plain, Transform
from daskphys.physics.weighted import Weights

# Operations an element of an image that is blurred, by the convention of `daskphys.physics.cost`, and elements of an
# image that no work makes worth a thread (nor the 50 µs that it takes to know the work).
_BLUR, _SMALL = 100, 1 << 13


class Block(Protocol):
    """Neighbouring sensors of a stack."""

    def __iter__(self) -> Iterator[LinearPhysics]: ...


def forward_each(block: Block, x: Any, transform: Transform, start: int = 0) -> list[Any]:
    """Each sensor's measurement of `x`; `transform`, that of the whole stack, is done once."""
    shared = not isinstance(transform, Plain)
    z, kind = transform.lift(x), backend.dtype_name(x)

    def measure(item: tuple[int, LinearPhysics]) -> Any:
        index, sensor = item
        with naming(index, sensor):
            return sensor._forward_from(z, x.shape, transform) if shared else sensor._forward(x)

    with backend.reused_buffers():
        return backend.spread(
            measure, list(enumerate(block, start)), _work(block, x, lambda s: s._cost(x.shape, kind))
        )


def adjoint_parts(block: Block, y: Any, shape: Any, transform: Transform, start: int = 0) -> list[Partial]:
    """The partial sums of ``Aᵢᴴ yᵢ``, in the domain of `transform`, where `start` is the first sensor's index."""
    shared = not isinstance(transform, Plain)
    total, kind = SharedPairwiseSum(), backend.dtype_name(y[0])

    def add(item: tuple[int, tuple[LinearPhysics, Any]]) -> None:
        index, (sensor, own) = item
        with naming(index, sensor):
            z = sensor._adjoint_to(own, shape, transform) if shared else sensor._adjoint(own, shape)
        total.append(index, z, owned=transform.sums_in_place)

    work = _work(block, y[0], lambda s: s._adjoint_cost(shape, kind))
    backend.spread(add, list(enumerate(zip(block, y, strict=True), start)), work)
    return total.parts


def vjp_parts(block: Block, x: Any, v: Any, start: int = 0) -> list[Partial]:
    """The partial sums of the sensors' gradients of ``Re ⟨vᵢ, Aᵢ(x)⟩`` with respect to x."""
    total, kind = SharedPairwiseSum(), backend.dtype_name(x)

    def add(item: tuple[int, tuple[Any, Any]]) -> None:
        index, (sensor, own) = item
        with naming(index, sensor):
            term = sensor._vjp(x, own)
        total.append(index, term)

    work = _work(block, x, lambda s: s._cost(x.shape, kind))
    backend.spread(add, list(enumerate(zip(block, v, strict=True), start)), work)
    return total.parts


def gram_parts(block: Block, x: Any, start: int = 0, weights: Weights | None = None) -> list[Partial]:
    """The partial sums of ``wᵢ Aᵢᴴ Aᵢ x``, sensor by sensor; `weights` are those of the block."""
    total, kind = SharedPairwiseSum(), backend.dtype_name(x)

    def add(item: tuple[int, LinearPhysics]) -> None:
        index, sensor = item
        with naming(index, sensor):
            merged = sensor._by_normal
            term = sensor._normal(x.shape)._forward(x) if merged else sensor._gram(x)
        total.append(index, term if weights is None else weights[index - start] * term)

    backend.spread(add, list(enumerate(block, start)), _work(block, x, lambda s: s._gram_cost(x.shape, kind)))
    return total.parts


def normal_parts(block: Block, shape: Any, start: int = 0, weights: Weights | None = None) -> list[Partial]:
    """The partial sums of the sensors' normal operators, as values; holds O(log n) of them at a time."""
    total = PairwiseSum()
    for index, sensor in enumerate(block, start):
        with naming(index, sensor):
            # Not kept: it is used once, and N of them would push out what is needed again.
            term = sensor._make_normal(shape)
            total.append(index, term if weights is None else weights[index - start] * term)
    return total.parts


def total_of(parts: list[Partial]) -> Any:
    """The sum over all sensors, from the partial sums of the block that has them all."""
    return PairwiseSum.join([parts]).total()


def _work(block: Block, x: Any, cost: Callable[[LinearPhysics], Cost]) -> int:
    """How much a sensor has to do, as elements of an image that is blurred; 0 where threads do not share the work."""
    if backend.on_gpu(x):
        return 0
    elements = backend.size(x.shape)
    if elements < _SMALL or backend.threads_left() == 1:
        return elements
    return max(elements, int(cost(next(iter(block))).flops / _BLUR))
