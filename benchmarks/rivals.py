"""deepinv against us: which of its ways are asked, and whether they agree."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.launch import DEEPINV, PeerError
from benchmarks.problems import kernels, relative
from benchmarks.timing import Bench, Case, Timings
from benchmarks.turns import Opponents
from daskphys.physics.stack import StackedPhysics

#: What the peer's script calls the products.
CODES = {"A": "A", "Aᵀ": "At", "AᵀA": "AtA", "CG": "CG"}

#: The largest difference, relative to the largest entry, at which two results are the same mathematics.
AGREES = 1e-4


@dataclass
class Rivals(Opponents):
    """The peers that have a problem loaded, and what is to be said about those that have not."""

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
                if distributed and DEEPINV.modes[mode] is None:
                    continue
                with rivals.losing(mode):
                    told = peer.ask("load", path=str(path), **question)
                    rivals.loaded[mode], rivals.chosen[mode] = peer, told["chosen"]
        yield rivals

    def question(self, name: str, product: str) -> dict[str, Any]:
        return {"product": CODES[product]}

    def lost(self, name: str, error: PeerError) -> None:
        self.bench.peers.lost(name, error)

    def check(self, product: str, ours: np.ndarray) -> None:
        """Leave out every peer whose result is not ours; of A, `ours` may hold the first sensors alone."""
        for mode, peer in list(self.loaded.items()):
            with self.losing(mode):
                theirs, _ = peer.result(product=CODES[product], first=len(ours))
                far = relative(theirs.reshape(ours.shape), ours)
                if not far < AGREES:
                    raise PeerError(f"{product}: another result than ours, relative difference {far:.2g}")


def fastest_peer(timings: Timings) -> str | None:
    """The way of running deepinv that has the lowest median."""
    modes = [m for m in DEEPINV.modes if m in timings.rounds]
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
