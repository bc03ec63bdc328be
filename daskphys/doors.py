"""Doors: how arrays of every library reach the core and go out again as what they were.

An operator's public methods hand what they were given to `apply`, which finds the door of its array type.
The core's own arrays (NumPy, CuPy, array API) go straight in.  Other libraries register a door, lazily by the
name of their package (`dask.utils.Dispatch.register_lazy`), so that nothing is imported until it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from dask.utils import Dispatch

from daskphys import backend
from daskphys.errors import UnsupportedArrayError, describe


class Door(Protocol):
    """What a door does for its array type."""

    @property
    def collection(self) -> type | None:
        """The class of measurements that holds arrays of this type; None for the plain one."""

    def apply(self, operator: Any, value: Any) -> Any:
        """``operator`` applied to `value` (an array of this type, or `Measurements` of them)."""

    def to_core(self, array: Any) -> Any:
        """`array` as an array of the core, for a parameter of an operator."""

    def stack(self, arrays: Sequence[Any]) -> Any:
        """`arrays` of one shape as one array with a new first axis."""


class _Core:
    """The core's own arrays need no door."""

    collection = None

    def apply(self, operator: Any, value: Any) -> Any:
        return operator.apply_core(value)

    def to_core(self, array: Any) -> Any:
        return array

    def stack(self, arrays: Sequence[Any]) -> Any:
        return backend.namespace(arrays[0]).stack(list(arrays))


_CORE = _Core()
_doors: Dispatch = Dispatch("daskphys.doors")
_doors.register(object, lambda value: _CORE if backend.is_array(value) else None)
_parted: Dispatch = Dispatch("daskphys.doors.parted")
_parted.register(object, lambda value, operator: value)


def register(array_type: type, door: Door) -> None:
    """Let `door` take arrays of `array_type`."""
    _doors.register(array_type, lambda value: door)


def register_lazy(package: str, load: Callable[[], Any]) -> None:
    """Call `load`, which registers a door, when the first array of `package` comes."""
    _doors.register_lazy(package, load)
    _parted.register_lazy(package, load)


def register_parted(many_type: type, split: Callable[[Any, Any], Any]) -> None:
    """Let ``split(value, operator)`` make a list, one array a sensor, of an object that holds those of all sensors."""
    _parted.register(many_type, split)


def parted(value: Any, operator: Any) -> Any:
    """Measurements that a library holds in one object as a list, one array a sensor; anything else as it is."""
    return _parted(value, operator)


def door_of(array: Any) -> Door | None:
    """The door for an array, or None where it is no array that any door knows."""
    door: Door | None = _doors(array)
    return door


def apply(operator: Any, value: Any) -> Any:
    """``operator`` applied to an array, or to a sequence of arrays of one kind."""
    value = operator.domain.coerce(value)
    sample = value
    if getattr(value, "is_measurements", False):
        sample = value[0]
        types = {type(array): array for array in value}  # first, for they are few
        doors = {_kind(array): array for array in types.values()}
        if len(doors) > 1:
            kinds = ", ".join(describe(array) for array in doors.values())
            raise UnsupportedArrayError(
                f"{operator!r} expected measurements of one kind of array, got {kinds}"
            )
    door = door_of(sample)
    if door is None:
        raise UnsupportedArrayError(
            f"{operator!r} expected an array (NumPy, CuPy, torch, Dask), got {describe(sample)}: "
            f"convert it first, as in np.asarray(x, dtype=np.float32)"
        )
    return door.apply(operator, value)


def _kind(array: Any) -> Any:
    door = door_of(array)
    return backend.namespace(array) if door is _CORE else type(door)


def to_core(value: Any) -> Any:
    """A parameter of an operator as what the core knows: a torch tensor becomes a NumPy array."""
    door = door_of(value)
    return value if door is None else door.to_core(value)


def is_lazy(value: Any) -> bool:
    """Whether `value` is an array that is made when it is needed: a Dask array, or one of xarray that holds one."""
    graph = getattr(value, "__dask_graph__", None)  # xarray's arrays have the method whatever they hold
    return graph is not None and door_of(value) is not None and graph() is not None


def stack(arrays: Sequence[Any]) -> Any:
    """Arrays of one kind and shape as one array with a new first axis."""
    door = door_of(arrays[0])
    if door is None:
        raise UnsupportedArrayError(f"expected arrays to stack, got {describe(arrays[0])}")
    return door.stack(arrays)


#: Writes operators and measurements to a store; `daskphys.storage`, below this room, says which.
_writers: list[Callable[[Any, Any, bool], None]] = []


def register_writer(write: Callable[[Any, Any, bool], None]) -> None:
    """Let ``write(what, store, overwrite)`` put operators and measurements on disk."""
    _writers[:] = [write]


def write(what: Any, store: Any, overwrite: bool) -> None:
    """Put an operator or measurements on disk."""
    _writers[0](what, store, overwrite)
