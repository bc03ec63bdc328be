"""What the page remembers of operators, calls and solves: plain values, filled by the watcher, drawn by the panels."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from daskphys.dashboard.trees import Tree, of_solve
from daskphys.markup import listed

#: How much is remembered: operators that workers hold no more, solves, iterations of one, and what has happened.
MAX_OPERATORS, MAX_SOLVES, MAX_POINTS, MAX_HAPPENINGS = 16, 6, 2000, 200


@dataclass
class Took:
    """Seconds of the task of some neighbouring sensors: of its last call, and of all."""

    last: float = 0.0
    total: float = 0.0
    calls: int = 0


@dataclass
class Operator:
    """A distributed operator.

    Attributes
    ----------
    title
        What it is, and of how many sensors.
    homes : dict
        The keys of its blocks, ``("block-…", start, stop, …)``, and the worker on which each was made last.
    took : dict
        Sensors ``start, stop`` that have one task in a call, and its times.
    """

    title: str
    homes: dict[tuple[Any, ...], str] = field(default_factory=dict)
    took: dict[tuple[int, int], Took] = field(default_factory=dict)

    def holds(self, key: tuple[Any, ...], worker: str) -> None:
        """Note that a block was made on a worker."""
        self.homes[key] = worker

    def forgets(self, key: tuple[Any, ...]) -> None:
        """Note that nobody wants a block any more."""
        self.homes.pop(key, None)

    def moves(self, key: tuple[Any, ...]) -> bool:
        """Whether the block of a new key is a copy of one that is there."""
        return any(known[1:3] == key[1:3] for known in self.homes)

    def ran(self, bound: tuple[int, int], seconds: float, calls: int = 1) -> None:
        """Note how long one task of the sensors ``start, stop`` took, or several calls together."""
        if bound not in self.took:
            # Other workers, other tasks: those that have some of these sensors are past.
            self.took = {b: t for b, t in self.took.items() if b[1] <= bound[0] or b[0] >= bound[1]}
        took = self.took.setdefault(bound, Took())
        took.last, took.total, took.calls = seconds / calls, took.total + seconds, took.calls + calls


@dataclass
class Solve:
    """A solver that runs or has run: iterations and residuals, every other one where there are many."""

    title: str
    points: list[tuple[int, float]] = field(default_factory=list)
    #: "running:", "ended after" or "stopped after": what stands before its iterations.
    state: str = "running:"


@dataclass(frozen=True)
class Planned:
    """The largest peak that a call was planned with on one worker's process, and what it may have."""

    total: int
    room: int
    method: str


@dataclass
class Happening:
    """What happened, when (seconds since the epoch), and to which sensors."""

    when: float
    what: str
    sensors: set[int] = field(default_factory=set)

    @property
    def text(self) -> str:
        """In words."""
        return self.what.replace("{}", listed(sorted(self.sensors)), 1) if self.sensors else self.what


class Record:
    """All of it.

    Attributes
    ----------
    operators
        By the token in their blocks' keys, the one that was used last at the end.
    tree
        The reduction of the last call that ended.
    solves
        By name, the latest last.
    planned, measured
        By the address of a worker: planned peaks, and the most that was seen of its process.
    names
        Of workers by their addresses, those that are gone too.
    happenings
        What happened, the latest last.
    """

    def __init__(self) -> None:
        self.operators: OrderedDict[str, Operator] = OrderedDict()
        self.tree: Tree | None = None
        self.solves: OrderedDict[str, Solve] = OrderedDict()
        self.planned: dict[str, Planned] = {}
        self.measured: dict[str, int] = {}
        self.names: dict[str, Any] = {}
        self.happenings: deque[Happening] = deque(maxlen=MAX_HAPPENINGS)

    def happened(self, what: str) -> None:
        """Note that something happened now."""
        self.happenings.append(Happening(time.time(), what))

    def happened_to(self, bound: tuple[int, int], what: str) -> None:
        """Note what happened to sensors ``start, stop``, in one line with what happens to others within a second.

        `what` says it, with ``{}`` for the sensors.
        """
        now, sensors = time.time(), range(*bound)
        for known in reversed(self.happenings):
            if now - known.when > 1:
                break
            if known.what == what:
                known.sensors.update(sensors)
                return
        self.happenings.append(Happening(now, what, set(sensors)))

    def operator(self, token: str, title: str) -> Operator:
        """A new operator, or the one that is known by this token."""
        found = self.operators.setdefault(token, Operator(title))
        self.operators.move_to_end(token)
        past = [token for token, known in self.operators.items() if not known.homes and known is not found]
        for token in past[: max(0, len(self.operators) - MAX_OPERATORS)]:
            del self.operators[token]
        return found

    def ran(self, token: str, bound: tuple[int, int], seconds: float, calls: int = 1) -> None:
        """Note a task of an operator, which is the latest then (`Operator.ran`)."""
        self.operators[token].ran(bound, seconds, calls)
        self.operators.move_to_end(token)

    def measure(self, address: str, nbytes: int) -> int:
        """Note the memory of a worker's process now; the most that was seen of it."""
        most = self.measured[address] = max(nbytes, self.measured.get(address, 0))
        return most

    def heard(self, message: Mapping[str, Any]) -> None:
        """Take what a client or a worker told (`telling`)."""
        kind = message.get("kind")
        if kind == "operator":
            self.operator(message["token"], message["title"])
        elif kind == "plan":
            for address, (total, room) in message["peaks"].items():
                if address not in self.planned or total > self.planned[address].total:
                    self.planned[address] = Planned(total, room, message["method"])
        elif kind == "fall-back":
            self.happened(f"fall-back: {message['text']}")
        elif kind == "rebuilt":
            self.happened(
                f"{message['title']}: its tree of workers was made again without {message['lost']}, and it went on"
            )
        elif kind == "solved":
            self._solved(message)
        elif kind == "stopped":
            self.progressed(message)
            self.solves[message["solve"]].state = "stopped after"

    def progressed(self, message: Mapping[str, Any]) -> None:
        """Take iterations and residuals of a solve."""
        solve = self.solves.setdefault(message["solve"], Solve(message["title"]))
        self.solves.move_to_end(message["solve"])
        solve.points.extend((int(i), float(r)) for i, r in message["iterations"])
        if len(solve.points) > MAX_POINTS:
            solve.points = solve.points[::2] + solve.points[-1:] * (len(solve.points) % 2 == 0)
        while len(self.solves) > MAX_SOLVES:
            self.solves.popitem(last=False)

    def _solved(self, message: Mapping[str, Any]) -> None:
        self.progressed(message)
        self.solves[message["solve"]].state = "ended after"
        edges, shares, products = message["edges"], message["shares"], message["products"]
        self.tree = of_solve(message["title"], edges, shares, message["down"], self.names)
        if message["token"] in self.operators and products:
            for _, runs, _ in shares:
                for start, stop, seconds in runs:
                    self.ran(message["token"], (start, stop), seconds, products)

    def gone(self, address: str, lost: set[int], kept: set[int]) -> None:
        """Note that a worker has left, and which of its sensors no worker has now, or another."""
        which = f", which held {listed(sorted(lost))}" if lost else ""
        others = f"; other workers have its {listed(sorted(kept))}" if kept else ""
        self.happened(f"worker {self.name(address)} is gone{which}{others}")
        self.planned.pop(address, None)
        self.measured.pop(address, None)

    def name(self, address: str) -> Any:
        """The name of a worker, one that is gone too."""
        return self.names.get(address, address)

    def block(self, key: Hashable) -> tuple[str, tuple[int, int]] | None:
        """The token of the operator that has a block of this key, and the block's sensors; None where it is no such key."""
        if not (isinstance(key, tuple) and isinstance(key[0], str)):
            return None
        token = key[0].removeprefix("block-")
        return (
            (token, (key[1], key[2]))
            if token in self.operators and key in self.operators[token].homes
            else None
        )
