"""What a block of sensors costs: one function for each of those in `daskphys.physics.blockproducts` that compute it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from daskphys import backend
from daskphys.pairwise import subtrees
from daskphys.physics.cost import Cost, all_of, nbytes, summed
from daskphys.physics.forward import Forward
from daskphys.physics.hooks import Hooks
from daskphys.physics.normal_kind import joined
from daskphys.physics.transform import Plain, Transform
from daskphys.physics.value import Value, plain_key

T = TypeVar("T")


def forward_cost(block: Sequence[Hooks], shape: Any, dtype: str, transform: Transform) -> Cost:
    """That of `forward_each`: the shared step, and each sensor's measurement, which are all held."""
    if isinstance(transform, Plain):
        return all_of(_each(block, lambda sensor: sensor._cost(shape, dtype)))
    return _after_step(transform.cost(shape, dtype), all_of(_steps(block, shape, dtype, transform)))


def adjoint_cost(
    block: Sequence[Hooks], shape: Any, dtype: str, transform: Transform, start: int = 0
) -> Cost:
    """That of `adjoint_parts`: partial sums, in the domain of the shared step, that `lower` is to follow."""
    if isinstance(transform, Plain):
        terms = _each(block, lambda sensor: sensor._adjoint_cost(shape, dtype))
    else:
        z = transform.cost(shape, dtype).result
        terms = [replace(cost, result=z) for cost in _steps(block, shape, dtype, transform)]
    return summed(terms, subtrees(start, start + len(block)))


def vjp_cost(block: Sequence[Forward], shape: Any, dtype: str, start: int = 0) -> Cost:
    """That of `vjp_parts`: each sensor's gradient, in partial sums."""
    terms = _each(block, lambda sensor: sensor._vjp_cost(shape, dtype))
    return summed(terms, subtrees(start, start + len(block)))


def gram_cost(block: Sequence[Hooks], shape: Any, dtype: str, start: int = 0) -> Cost:
    """That of `gram_parts`: each sensor's AᴴA x, in partial sums."""
    terms = _each(block, lambda sensor: sensor._gram_cost(shape, dtype))
    return summed(terms, subtrees(start, start + len(block)))


def normal_cost(block: Sequence[Hooks], shape: Any, dtype: str, start: int = 0) -> Cost:
    """That of `normal_parts`: the partial sums of AᴴA as values, each with a term of every kind in the block."""
    size = merged_nbytes(one_a_kind(block), shape, dtype)
    terms = _each(block, lambda sensor: replace(sensor._normal_cost(shape, dtype), result=size))
    return summed(terms, subtrees(start, start + len(block)))


def one_a_kind(block: Iterable[Hooks]) -> list[Hooks]:
    """Sensors whose merged AᴴA together have each kind of term that the block's has, if they can once."""
    kinds: dict[Any, Hooks] = {}
    for sensor in block:
        if sensor.normal_kind is not None:
            kinds.setdefault(sensor.normal_kind, sensor)
    wanted = joined(kinds)
    left = set() if wanted is None else set(wanted.terms)
    chosen = []
    for kind, sensor in kinds.items():
        if left & set(kind.terms):
            left -= set(kind.terms)
            chosen.append(sensor)
    return chosen


def merged_nbytes(chosen: Sequence[Hooks], shape: Any, dtype: str) -> int:
    """Bytes of the merged AᴴA, for sensors of one kind each."""
    return sum(sensor._normal_cost(shape, dtype).result for sensor in chosen)


def merged_cost(chosen: Sequence[Hooks], shape: Any, dtype: str) -> Cost:
    """A product with the merged AᴴA, when it is made: one of each kind, added up."""
    steps = [
        replace(
            sensor._merged_cost(shape, dtype),
            workspace=2 * sensor._merged_step(shape, dtype).result,
        )
        for sensor in chosen
    ]
    return summed(steps, sums=1)


def total_cost(parts: Cost, shape: Any, dtype: str, transform: Transform) -> Cost:
    """A block's partial sums added up and, from the domain of the shared step, brought back to an image."""
    step, image = transform.cost(shape, dtype), nbytes(shape, dtype)
    return parts.then(replace(step, result=image) if step.result else Cost(result=image))


def range_nbytes(block: Sequence[Hooks], shape: Any, dtype: str) -> int:
    """Bytes of the block's measurements of an image of `shape`, where they have this dtype."""
    return sum(_each(block, lambda sensor: nbytes(sensor._range_shape(shape), dtype)))


def _steps(block: Sequence[Hooks], shape: Any, dtype: str, transform: Transform) -> list[Cost]:
    return _each(block, lambda sensor: sensor._step_cost(shape, dtype, transform))


def _after_step(step: Cost, rest: Cost) -> Cost:
    """What follows a shared step whose result is held until the end."""
    held = step.result + rest.workspace
    peak = max(step.workspace + step.result - rest.result, held)
    total = replace(step, result=0).beside(rest)
    return replace(total, workspace=peak, result=rest.result)


def _each(block: Iterable[Any], cost: Callable[[Any], T]) -> list[T]:
    """The cost of each sensor; sensors that differ in their numbers alone are asked once.

    One with a field that does not hash is asked for itself.
    """
    known: dict[Any, T] = {}
    found = []
    for sensor in block:
        kind = _outline(sensor)
        if not _hashes(kind):
            found.append(cost(sensor))
            continue
        if kind not in known:
            known[kind] = cost(sensor)
        found.append(known[kind])
    return found


def _hashes(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True


def _outline(part: Any) -> Any:
    """An operator, or a field of one, without the entries of its arrays."""
    if isinstance(part, Value):
        return (type(part), *map(_outline, part._fields().values()))
    if backend.is_array(part):
        return tuple(part.shape), backend.dtype_name(part)
    return plain_key(part, _outline)
