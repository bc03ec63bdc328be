"""Parameters that several blocks have in common (a mask, a trajectory): they travel once, as a task of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daskphys import backend
from daskphys.physics.stacked import Stacked
from daskphys.physics.value import Value

#: Bytes above which an array is worth a task.
LEAST = 1 << 16


@dataclass(frozen=True)
class Hole:
    """Where a shared array belongs."""

    number: int


def shared_by(blocks: Sequence[Stacked]) -> list[Any]:
    """The arrays that more than one block has."""
    seen: dict[int, Any] = {}
    shared: dict[int, Any] = {}
    for block in blocks:
        own = {id(array): array for array in block._arrays() if backend.nbytes(array) >= LEAST}
        shared |= {key: array for key, array in own.items() if key in seen}
        seen |= own
    return list(shared.values())


def nbytes_once(blocks: Sequence[Stacked]) -> int:
    """Bytes of all blocks, of which those that are shared travel once."""
    twice = shared_by(blocks)
    ids = {id(array) for array in twice}
    own = [{id(array): array for array in block._arrays()} for block in blocks]
    rest = sum(backend.nbytes(array) for arrays in own for key, array in arrays.items() if key not in ids)
    return rest + sum(map(backend.nbytes, twice))


def stripped(block: Stacked, shared: Sequence[Any]) -> tuple[Any, list[int]]:
    """A block without shared arrays, and the numbers of those that it had."""
    numbers = {id(array): number for number, array in enumerate(shared)}
    used: dict[int, None] = {}

    def hole(array: Any) -> Any:
        number = numbers.get(id(array))
        if number is None:
            return array
        used[number] = None
        return Hole(number)

    return _mapped(block, hole), list(used)


def fill_block(block: Any, used: Sequence[int], shared: Sequence[Any]) -> Stacked:
    """The recipe of a block whose shared arrays are the results of other tasks."""
    arrays: Mapping[int, Any] = dict(zip(used, shared, strict=True))
    for array in shared:
        backend.lock(array)
    filled: Stacked = _mapped(block, lambda item: arrays[item.number] if isinstance(item, Hole) else item)
    return filled


def keep_array(array: Any) -> Any:
    """The recipe of a shared array."""
    return array


def _mapped(item: Any, f: Any) -> Any:
    """A value with `f` of each of its arrays and holes."""
    if isinstance(item, Value):
        return item._with({name: _mapped(field, f) for name, field in item._fields().items()})
    if isinstance(item, tuple):
        return tuple(_mapped(i, f) for i in item)
    return f(item) if isinstance(item, Hole) or backend.is_array(item) else item
