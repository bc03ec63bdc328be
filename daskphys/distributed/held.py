"""A block of sensors as its task gets it, with weights, and what the task checks of measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from daskphys.distributed.factories import Expected
from daskphys.errors import ShapeError
from daskphys.physics.naming import naming
from daskphys.physics.stack import StackedPhysics
from daskphys.physics.stacked import Stacked
from daskphys.physics.weighted import Weights

#: A block as a task gets it: a stack, or those that it is made of, in their order.
Held: TypeAlias = Any


def whole(block: Held) -> Any:
    """The sensors of a block, or of several, as one; the same one at every call, for what is derived of it."""
    if isinstance(block, Stacked):
        return block
    first, *others = block
    if not others:
        return first
    kept = first.__dict__.get("_joined")
    if (
        kept is None
        or len(kept[0]) != len(others)
        or any(a is not b for a, b in zip(kept[0], others, strict=True))
    ):
        kept = (others, first._of(tuple(sensor for part in block for sensor in part)))
        first.__dict__["_joined"] = kept
    return kept[1]


def image_shape(block: StackedPhysics, y: Sequence[Any], start: int) -> Any:
    """The shape of the one image that a block's measurements belong to."""
    shapes: list[Any] = []
    for index, (sensor, own) in enumerate(zip(block, y, strict=True), start):
        with naming(index, sensor):
            shapes.append(sensor._domain_shape(tuple(own.shape)))
            if shapes[-1] != shapes[0]:
                raise ShapeError(
                    f"{sensor!r} expected a measurement of an image of shape {shapes[0]}, as that of sensor {start}, "
                    f"got one of shape {tuple(own.shape)}"
                )
    return shapes[0]


def check_alike(block: StackedPhysics, shapes: Sequence[Any], expected: Expected | None, start: int) -> None:
    """Refuse a factory's sensor whose measurement has not the shape that sensor 0's has."""
    if expected is None:
        return
    for index, (sensor, shape) in enumerate(zip(block, shapes, strict=True), start):
        if tuple(shape) != tuple(expected.of(index)):
            raise ShapeError(
                f"sensor {index} ({sensor!r}): the factory's sensors are expected to give measurements of one "
                f"shape, that of sensor 0, {tuple(expected.of(index))}; got {tuple(shape)}"
            )


def weights_of(weights: Weights | None, bound: tuple[int, int]) -> Weights | None:
    """The weights of a block's sensors."""
    return None if weights is None else weights[slice(*bound)]
