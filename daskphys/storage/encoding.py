"""An operator as JSON and arrays: the JSON says which classes with which fields, the arrays are numbered.

A stack is written in runs of alike sensors, whose parameters are one array with the sensor axis in front, so that one
sensor can be read without the others.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.distributed.joined import DistributedJoined
from daskphys.distributed.sensors import Distributed
from daskphys.errors import StorageError, describe
from daskphys.physics.base import LinearPhysics
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.noise.model import NoiseModel
from daskphys.physics.parts import JoinedStack
from daskphys.physics.physics import Physics
from daskphys.physics.stack import NonlinearStack, StackedPhysics
from daskphys.physics.stacked import Stacked
from daskphys.physics.value import Value
from daskphys.storage.arrays import Writer
from daskphys.storage.classes import name_of

#: What stands for what a field holds: JSON, or a number of an array.
Leaf = Callable[[Any], Any]


def encode(operator: Value, writer: Writer) -> Any:
    """The JSON of an operator, whose arrays go to `writer`; the sensors of one on a cluster come one by one."""

    def known(item: Any) -> Any:
        if isinstance(item, Stacked | Distributed):
            kind = StackedPhysics if isinstance(item, LinearPhysics) else NonlinearStack
            return {"class": name_of(kind), "runs": list(_runs(item, writer))}
        if isinstance(item, DistributedJoined):
            fields = {name: walk(value, leaf, known) for name, value in item._fields().items()}
            return {"class": name_of(JoinedStack), "fields": fields}
        if isinstance(item, Physics) and not item._travels:
            raise StorageError(
                f"{item!r} cannot be written: write the operator that it was made from by distribute"
            )
        if isinstance(item, JoinedPhysics):
            axes = item.sensor_fields
            fields = {
                name: {"array": writer.add(value, axes[name]), "sensors": axes[name]}
                if name in axes and _is_array(value)
                else walk(value, leaf, known)
                for name, value in item._fields().items()
            }
            return {"class": name_of(type(item)), "fields": fields}
        return None

    def leaf(item: Any) -> Any:
        return {"array": writer.add(item)} if _is_array(item) else plain(item, operator)

    return walk(operator, leaf, known)


def walk(item: Any, leaf: Leaf, known: Leaf = lambda item: None) -> Any:
    """The JSON of a field: values and tuples as what they hold, all else as `leaf` says; `known` may say it of values."""
    if isinstance(item, Value):
        made = known(item)
        if made is None:
            fields = {name: walk(value, leaf, known) for name, value in item._fields().items()}
            made = {"class": name_of(type(item)), "fields": fields}
        return made
    if isinstance(item, tuple):
        return {"tuple": [walk(i, leaf, known) for i in item]}
    return leaf(item)


def plain(item: Any, owner: Any) -> Any:
    """A number, a text, a truth value or None as JSON."""
    item = item.item() if isinstance(item, np.generic) else item
    if item is None or isinstance(item, bool | str):
        return item
    if isinstance(item, int):
        return int(item)
    if isinstance(item, float):
        return float(item) if math.isfinite(item) else {"float": str(float(item))}
    if isinstance(item, complex):
        return {"complex": [plain(item.real, owner), plain(item.imag, owner)]}
    if callable(item):
        named = getattr(item, "__qualname__", describe(item))
        raise StorageError(
            f"{owner!r} cannot be written: it holds the function {named}, and a file that is safe to open holds no "
            f"code. Write its arrays yourself, and make the operator from them after reading"
        )
    raise StorageError(
        f"{owner!r} cannot be written: a field holds {describe(item)}, and a file holds numbers, texts, tuples, arrays and "
        f"values of these"
    )


def _is_array(item: Any) -> bool:
    return (backend.is_array(item) and not isinstance(item, np.generic)) or doors.is_lazy(item)


def _runs(sensors: Iterable[Any], writer: Writer) -> Iterator[Any]:
    """The JSON of each run of neighbouring sensors that differ in numbers and in entries of arrays alone."""
    taken_apart = (_taken_apart(sensor, writer) for sensor in sensors)
    for structure, group in itertools.groupby(taken_apart, key=lambda taken: taken[0]):
        columns: list[Any] = []
        count = 0
        for _, leaves in group:
            columns = columns or [_column(leaf, writer) for leaf in leaves]
            for column, leaf in zip(columns, leaves, strict=True):
                column.append(leaf)
            count += 1
        ends = [column.end() for column in columns]
        yield {"count": count, "each": _filled(json.loads(structure), ends)}


def _taken_apart(sensor: Any, writer: Writer) -> tuple[str, list[Any]]:
    """What alike sensors have in common, as text, and what they may differ in.

    Texts and whole numbers (a padding, a factor) may say what shape a measurement has, so only those of noise differ.
    """
    leaves: list[Any] = []

    def leaf(item: Any) -> Any:
        if doors.is_lazy(item):
            return {"array": writer.add(item)}
        leaves.append(item if _is_array(item) else plain(item, sensor))
        of = [str(item.dtype), list(item.shape)] if _is_array(item) else type(item).__name__
        return {"leaf": len(leaves) - 1, "of": of}

    def same(item: Any) -> Any:
        return leaf(item) if _is_array(item) or isinstance(item, float | complex) else plain(item, sensor)

    def noise(item: Any) -> Any:
        return walk(item, leaf) if isinstance(item, NoiseModel) else None

    return json.dumps(walk(sensor, same, noise)), leaves


class _Numbers:
    """Numbers of sensors, and what their noise has, in a list unless all are the same."""

    def __init__(self) -> None:
        self._values: list[Any] = []

    def append(self, item: Any) -> None:
        self._values.append(item)

    def end(self) -> Any:
        first = self._values[0]
        said = json.dumps(first)  # 0.0 is not -0.0
        same = all(json.dumps(item) == said for item in self._values)
        return first if same else {"each": self._values}


class _Arrays:
    """Arrays of sensors, one array with the sensor axis in front unless all are the same."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._first: Any = None
        self._digest = ""
        self._count = 0
        self._stream: Any = None

    def append(self, item: Any) -> None:
        if self._count == 0:
            self._first, self._digest = item, backend.digest(item)
        elif self._stream is None and item is not self._first and backend.digest(item) != self._digest:
            self._stream = self._writer.stream(self._first)
            for _ in range(self._count):
                self._stream.append(self._first)
        if self._stream is not None:
            self._stream.append(item)
        self._count += 1

    def end(self) -> Any:
        if self._stream is None:
            return {"array": self._writer.add(self._first)}
        return {"array": self._stream.end(), "along": 0}


def _column(leaf: Any, writer: Writer) -> Any:
    return _Arrays(writer) if _is_array(leaf) else _Numbers()


def _filled(structure: Any, ends: list[Any]) -> Any:
    if isinstance(structure, dict):
        if "leaf" in structure:
            return ends[structure["leaf"]]
        return {name: _filled(item, ends) for name, item in structure.items()}
    return [_filled(item, ends) for item in structure] if isinstance(structure, list) else structure
