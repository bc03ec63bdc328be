"""The axes of what is made of other operators: adjoints, products, sums, stacks, distributed ones."""

from __future__ import annotations

from typing import Any

from daskphys.distributed.recipes import StackRecipe
from daskphys.distributed.sensors import Distributed
from daskphys.interop.tiling import sensors_of
from daskphys.interop.xarray_axes import imaged, joined, measured, parted
from daskphys.interop.xarray_frames import Frame, agreed
from daskphys.optim.problem import Problem
from daskphys.physics.base import Adjoint, Composed, Gram, PseudoInverse, Scaled, Sum
from daskphys.physics.blockdiagonal import BlockDiagonal
from daskphys.physics.parts import JoinedStack
from daskphys.physics.phase_retrieval import PhaseRetrieval
from daskphys.physics.physics import Chained, Noisy, Vjp
from daskphys.physics.real_images import OfRealImages
from daskphys.physics.stacked import Stacked
from daskphys.physics.weighted import WeightedGram


@measured.register
def _(A: Adjoint | PseudoInverse, y: Any) -> Any:
    return imaged(A.parent, y)


@imaged.register
def _(A: Adjoint | PseudoInverse, x: Any) -> Any:
    return measured(A.parent, x)


@measured.register
def _(A: Problem, y: Any) -> Any:
    return imaged(A.physics, y)


@measured.register
def _(A: Composed | Chained, x: Any) -> Any:
    return measured(A.left, measured(A.right, x))


@imaged.register
def _(A: Composed | Chained, y: Any) -> Any:
    return imaged(A.right, imaged(A.left, y))


@measured.register
def _(A: Sum, x: Any) -> Any:
    return _common([measured(term, x) for term in A.terms])


@imaged.register
def _(A: Sum, y: Any) -> Any:
    return _common([imaged(term, y) for term in A.terms])


def _common(made: list[Any]) -> Any:
    """The axes of a sum of arrays, or of measurements."""
    return agreed(made) if isinstance(made[0], Frame) else tuple(map(agreed, zip(*made, strict=True)))


@measured.register
def _(A: Scaled | OfRealImages | Noisy, x: Any) -> Any:
    return measured(A.parent, x)


@imaged.register
def _(A: Scaled | OfRealImages | Noisy, y: Any) -> Any:
    return imaged(A.parent, y)


@measured.register
def _(A: Gram | WeightedGram, x: Any) -> Any:
    return x


@imaged.register
def _(A: Gram | WeightedGram, x: Any) -> Any:
    return x


@measured.register
def _(A: PhaseRetrieval, x: Frame) -> Any:
    return measured(A.B, x)


@measured.register
def _(A: Vjp, x: Any) -> Any:
    return x[0]


@measured.register
def _(A: BlockDiagonal, x: Any) -> Any:
    return tuple(measured(block, own) for block, own in zip(A.blocks, x, strict=True))


@imaged.register
def _(A: BlockDiagonal, y: Any) -> Any:
    return tuple(imaged(block, own) for block, own in zip(A.blocks, y, strict=True))


@measured.register
def _(A: Stacked, x: Frame) -> Any:
    return tuple(measured(sensor, x) for sensor in A)


@imaged.register
def _(A: Stacked | Distributed, y: Any) -> Any:
    return agreed([imaged(sensor, own) for sensor, own in zip(sensors_of(A), y, strict=True)])


@measured.register
def _(A: Distributed, x: Frame) -> Any:
    sensors = sensors_of(A)
    if isinstance(A.recipe, StackRecipe):
        return tuple(measured(sensor, x) for sensor in sensors)
    # Of a factory sensor 0 alone is known here: its axes are those of all, and places that it gives are its own.
    first = measured(sensors[0], x)
    shared = first
    for axis in range(-sensors[0].range.ndim, 0):
        if not _same_places(first, x, axis):
            shared = shared.resized(axis, shared.shape[axis])
    shapes = A._range_shape(x.shape)
    return (first, *(_fitted(shared, shape) for shape in shapes[1:]))


def _same_places(a: Frame, b: Frame, axis: int) -> bool:
    """Whether an axis of the one has the name and the coordinate that it has in the other."""
    dim = a.dims[axis]
    if len(a.dims) != len(b.dims) or b.dims[axis] != dim:
        return False
    left, right = a.coord(dim), b.coord(dim)
    return left is None if right is None else left is not None and bool(left.equals(right))


def _fitted(frame: Frame, shape: tuple[int, ...]) -> Frame:
    """With other sizes, where they are other ones."""
    for axis in range(-len(shape), 0):
        if frame.shape[axis] != shape[axis]:
            frame = frame.resized(axis, shape[axis])
    return frame


@measured.register
def _(A: JoinedStack, x: Frame) -> Frame:
    return joined(A, measured(A.parts, x))


@imaged.register
def _(A: JoinedStack, y: Frame) -> Any:
    return imaged(A.parts, parted(A, y))
