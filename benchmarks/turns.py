"""Our calls and those of peers in other processes, in turns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.peers.launch import PeerError, PeerProcess
from benchmarks.timing import Bench, Timings, in_turns, several


@dataclass(frozen=True)
class Turn:
    """What one side does when it is its turn: calls, the first of which may warm the caches up."""

    calls: int = 10
    seconds: float = 0.15
    warm: int = 1


@dataclass
class Opponents:
    """Peers that have a problem loaded, by name; what they are asked, and what becomes of one that fails."""

    bench: Bench
    loaded: dict[str, PeerProcess] = field(default_factory=dict)

    def question(self, name: str, product: str) -> dict[str, Any]:
        """How a product of a peer is named to its process."""
        raise NotImplementedError

    def lost(self, name: str, error: PeerError) -> None:
        """Remember that a peer failed."""
        raise NotImplementedError

    @contextlib.contextmanager
    def losing(self, name: str) -> Iterator[None]:
        """Go on without a peer that fails."""
        try:
            yield
        except PeerError as error:
            self.loaded.pop(name, None)
            self.lost(name, error)

    def time(
        self,
        product: str,
        calls: Mapping[str, Callable[[], Any]],
        seconds: float,
        turn: Turn | None = None,
        least: int = 3,
    ) -> Timings:
        """Rounds in which each of `calls` and each peer has a turn; the figure is the median of a turn."""
        turn = turn or (Turn(2, 0.02) if self.bench.quick else Turn())
        while True:
            measures = {
                k: lambda call=call: several(call, turn.calls, turn.seconds, turn.warm)
                for k, call in calls.items()
            }
            measures |= {m: lambda m=m: self._asked(m, product, turn) for m in self.loaded}
            try:
                return in_turns(measures, self.bench.seconds(seconds), least)
            except _LostError as lost:  # the rounds so far lack a column: begin again without it
                with self.losing(lost.name):
                    raise PeerError(str(lost)) from lost

    def _asked(self, name: str, product: str, turn: Turn) -> float:
        question = self.question(name, product)
        question |= {"calls": turn.calls, "seconds": turn.seconds, "warm": turn.warm}
        try:
            return median(self.loaded[name].ask("time", **question)["rounds"])
        except PeerError as error:
            raise _LostError(name, str(error)) from error


class _LostError(Exception):
    def __init__(self, name: str, why: str) -> None:
        super().__init__(why)
        self.name = name
