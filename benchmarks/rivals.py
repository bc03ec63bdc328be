"""Our calls and a peer's, in turns: who is asked, whether they agree, how long they take."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peers.launch import MODES, PeerError, PeerProcess
from benchmarks.problems import kernels, relative
from benchmarks.timing import Bench, Case, Timings, in_turns, several
from daskphys.physics.stack import StackedPhysics

#: What the peer's script calls the products.
CODES = {"A": "A", "Aᵀ": "At", "AᵀA": "AtA", "CG": "CG"}

#: The largest difference, relative to the largest entry, at which two results are the same mathematics.
AGREES = 1e-4


@dataclass(frozen=True)
class Turn:
    """What one side does when it is its turn: calls, the first of which may warm the caches up."""

    calls: int = 10
    seconds: float = 0.15
    warm: int = 1


@dataclass
class Rivals:
    """The peers that have a problem loaded, and what is to be said about those that have not."""

    bench: Bench
    loaded: dict[str, PeerProcess] = field(default_factory=dict)
    chosen: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    @contextlib.contextmanager
    def of(
        cls,
        bench: Bench,
        A: StackedPhysics,
        x: np.ndarray,
        products: Sequence[str],
        *,
        distributed: bool = False,
        rtol: float = 0.0,
        most: int = 0,
    ) -> Iterator[Rivals]:
        """Give kernels and image to every peer that runs, or to those alone that are distributed."""
        rivals = cls(bench)
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            path = Path(folder) / "problem.npz"
            np.savez(path, x=x, **{f"k{i}": k for i, k in enumerate(kernels(A))})
            question = {"products": [CODES[p] for p in products], "rtol": rtol, "most": most}
            for mode, peer in bench.peers.running().items():
                if distributed and MODES[mode] is None:
                    continue
                with rivals.losing(mode):
                    told = peer.ask("load", path=str(path), **question)
                    rivals.loaded[mode], rivals.chosen[mode] = peer, told["chosen"]
        yield rivals

    @contextlib.contextmanager
    def losing(self, mode: str) -> Iterator[None]:
        """Go on without a peer that fails."""
        try:
            yield
        except PeerError as error:
            self.loaded.pop(mode, None)
            self.bench.peers.lost(mode, error)

    def check(self, product: str, ours: np.ndarray) -> None:
        """Leave out every peer whose result is not ours; of A, `ours` may hold the first sensors alone."""
        for mode, peer in list(self.loaded.items()):
            with self.losing(mode):
                theirs, _ = peer.result(CODES[product], len(ours))
                far = relative(theirs.reshape(ours.shape), ours)
                if not far < AGREES:
                    raise PeerError(f"{product}: another result than ours, relative difference {far:.2g}")

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
                with self.losing(lost.mode):
                    raise PeerError(str(lost)) from lost

    def _asked(self, mode: str, product: str, turn: Turn) -> float:
        question = {"calls": turn.calls, "seconds": turn.seconds, "warm": turn.warm}
        try:
            return median(self.loaded[mode].ask("time", product=CODES[product], **question)["rounds"])
        except PeerError as error:
            raise _LostError(mode, str(error)) from error


class _LostError(Exception):
    def __init__(self, mode: str, why: str) -> None:
        super().__init__(why)
        self.mode = mode


def fastest_peer(timings: Timings) -> str | None:
    """The way of running deepinv that has the lowest median."""
    modes = [m for m in MODES if m in timings.rounds]
    return min(modes, key=lambda m: timings.ms(m).mid) if modes else None


def add_rows(
    case: Case, product: str, timings: Timings, how: Mapping[str, Mapping[str, str]], base: str = "daskphys"
) -> None:
    """A row for each side of a comparison."""
    best = fastest_peer(timings)
    for name in timings.rounds:
        row: dict[str, Any] = {"product": product, "by": name, "time": timings.ms(name)}
        row[f"÷ {base}"] = timings.ratio(name, base) if name != base else ""
        row["as"] = how.get(name, {}).get(CODES.get(product, product), "") + (
            " (fastest)" if name == best else ""
        )
        case.rows.append(row)
