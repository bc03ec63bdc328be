"""The tasks of calls as they end: how long sensors took, and the tree along which their results were added up."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daskphys.dashboard.record import Record
from daskphys.dashboard.trees import Node, Tree
from daskphys.markup import span

#: Calls whose tasks are collected at the same time.
_MAX_CALLS = 16

#: The names of a call's tasks, as `daskphys.distributed.calls` and `daskphys.graph.tree` give them.
_NAME = re.compile(r"(forward|adjoint|gram|normal|vjp|each)(-block)?-(.+?)(-join)?")

_METHODS = {
    "forward": "A",
    "adjoint": "A_adjoint",
    "gram": "A_adjoint_A",
    "normal": "normal",
    "vjp": "A_vjp",
    "each": "each sensor",
}


@dataclass(frozen=True)
class Ended:
    """A task that has ended, as the scheduler tells of it.

    Parameters
    ----------
    key
        Its key.
    worker
        The address of the worker that it ran on.
    nbytes, seconds
        Of its result, and of its computation.
    needed
        What it depended on, and how many bytes each has.
    """

    key: tuple[Any, ...]
    worker: str
    nbytes: int
    seconds: float
    needed: Mapping[Hashable, int]


@dataclass
class _Call:
    """What has ended of a call: nodes and tasks by their keys, and which workers took an image of so many bytes."""

    nodes: dict[Hashable, Node] = field(default_factory=dict)
    tasks: dict[Hashable, Ended] = field(default_factory=dict)
    fed: set[str] = field(default_factory=set)
    image: int = 0


class Calls:
    """Sorts tasks by calls, and puts what they tell into the record."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._open: OrderedDict[Hashable, _Call] = OrderedDict()

    @staticmethod
    def names(key: Hashable) -> bool:
        """Whether a task may belong to a call, by its key."""
        return isinstance(key, tuple) and isinstance(key[0], str) and _NAME.fullmatch(key[0]) is not None

    def ended(self, task: Ended) -> None:
        """Take a task that has ended and is so named; it may be somebody else's nevertheless."""
        named = _NAME.fullmatch(task.key[0])
        assert named is not None
        product, block, call, join = named.groups()
        is_sum = block is None and product not in ("forward", "each")
        suffix = task.key[3:] if join else task.key[1:] if is_sum else task.key[2:]
        current = self._open.get((call, suffix))
        if is_sum or join:
            if current is not None and self._added(current, task) and not join:
                del self._open[call, suffix]
                self._record.tree = self._tree(_METHODS[product], current, task)
            return
        held = {key: found for key in task.needed if (found := self._record.block(key)) is not None}
        if held:
            if current is None:
                current = self._open[call, suffix] = _Call()
                while len(self._open) > _MAX_CALLS:
                    self._open.popitem(last=False)
            self._part(current, task, held)

    def _part(self, call: _Call, task: Ended, held: Mapping[Hashable, tuple[str, tuple[int, int]]]) -> None:
        """The task of some blocks."""
        token = next(iter(held.values()))[0]
        bound = min(start for _, (start, _) in held.values()), max(stop for _, (_, stop) in held.values())
        self._record.ran(token, bound, task.seconds)
        for key, nbytes in task.needed.items():
            if isinstance(key, str) and key.startswith("image-"):
                call.image = nbytes
                call.fed.add(task.worker)
        call.nodes[task.key] = Node(span(*bound), self._record.name(task.worker))
        call.tasks[task.key] = task

    def _added(self, call: _Call, task: Ended) -> bool:
        """Whether a task adds up others of this call."""
        sources: dict[Hashable, int] = {}
        for key in sorted(set(task.needed) & set(call.tasks), key=lambda key: _order(call.tasks[key].key)):
            source = call.tasks[key]
            sources[key] = _crossed(source.worker, task.worker, source.nbytes)
        if sources:
            call.nodes[task.key] = Node("sum", self._record.name(task.worker), sources)
            call.tasks[task.key] = task
        return bool(sources)

    def _tree(self, method: str, call: _Call, root: Ended) -> Tree:
        down = sum(_crossed(root.worker, worker, call.image) for worker in call.fed)
        tree = Tree(method, down=down)

        def grown(key: Hashable) -> None:
            for source in call.nodes[key].sources:
                grown(source)
            tree.nodes[key] = call.nodes[key]

        grown(root.key)
        return tree


def _order(key: Sequence[Any]) -> tuple[int, ...]:
    """Where a task stands among those of its level: by its first sensor, or its number."""
    return tuple(n for n in key[1:] if isinstance(n, int))


def _crossed(source: str, target: str, nbytes: int) -> int:
    """The bytes that went by wire: none on the same worker, nor between threads of one process."""
    return 0 if source == target or source.startswith("inproc://") else nbytes
