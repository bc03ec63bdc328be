"""A family of operators against peers that live in another environment, in turns with our own calls.

`compare` is what a case calls; what each peer does is in `benchmarks/peers/families`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.peers import families
from benchmarks.peers.launch import FAMILIES, PeerError, PeerProcess, RefusedError
from benchmarks.peers.serving import flat
from benchmarks.problems import relative
from benchmarks.timing import Bench, Case, Timings
from benchmarks.turns import Opponents

#: Calls by who makes them, ours first.
Calls = Mapping[str, Callable[[], Any]]


def compare(
    bench: Bench,
    case: Case,
    family: str,
    arrays: Mapping[str, np.ndarray],
    products: Mapping[str, Calls],
    *,
    label: str = "",
    options: Mapping[str, Any] | None = None,
    tolerance: float = 1e-4,
    seconds: float = 4.0,
) -> dict[str, Timings]:
    """Time products in this process and by a family's peers; add rows, rounds and notes to the case.

    Parameters
    ----------
    bench, case
        Who measures, and where the figures go.
    family
        Its peers are in ``benchmarks/peers/families/FAMILY.py`` (see `peers/family_products.py`).
    arrays
        What the peers make their operators of.
    products
        By product ("A", "Aᵀ", "AᵀA", …), calls without arguments by who makes them.  The first is the measure of all
        others: whose result differs from its is left out, and a note says so.
    label
        The problem, where a case has several.
    options
        What else the peers need to know, numbers and texts.
    tolerance
        The largest difference, relative to the largest entry, at which two results are the same mathematics.
    seconds
        For how long a product is measured.
    """
    rivals = FamilyRivals.of(bench, family, arrays, options or {})
    found: dict[str, Timings] = {}
    for product, calls in products.items():
        first, *_ = calls
        kept = rivals.agreeing(product, calls, tolerance)
        found[product] = times = rivals.time(product, kept, seconds)
        add_rows(case, label, product, times, first)
    case.notes += [note for note in rivals.notes if note not in case.notes]
    return found


def add_rows(case: Case, label: str, product: str, times: Timings, first: str) -> None:
    """Keep the rounds of a product, with a row for each side; `first` is the measure of the others."""
    case.timings[", ".join(filter(None, (product, label)))] = times
    for name in times.rounds:
        row: dict[str, Any] = {"problem": label} if label else {}
        row |= {"product": product, "by": name, "time": times.ms(name)}
        row[f"÷ {first}"] = times.ratio(name, first) if name != first else ""
        case.rows.append(row)


@dataclass
class FamilyRivals(Opponents):
    """The peers of one family.  One process has them all; it is kept for the next family."""

    process: PeerProcess | None = None
    offered: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, bench: Bench, family: str, arrays: Mapping[str, np.ndarray], options: Mapping[str, Any]
    ) -> FamilyRivals:
        """Give the problem to the peers."""
        peers = bench.family_peers
        (rivals,) = [cls(bench, process=p) for p in peers.running().values()] or [cls(bench)]
        rivals.notes += peers.notes()
        if rivals.process is None:
            return rivals
        path = rivals.process.folder / "problem.npz"
        np.savez(path, **arrays)
        with rivals.losing(family):
            module = f"{families.__name__}.{family}"
            told = rivals.process.ask("load", path=str(path), module=module, options=dict(options))
            rivals.offered = told["offered"]
            rivals.notes += [f"{name}: not there: {why}" for name, why in told["failed"].items()]
            peers.versions |= {f"{name} (peer)": version for name, version in told["versions"].items()}
        path.unlink(missing_ok=True)
        return rivals

    def question(self, name: str, product: str) -> dict[str, Any]:
        return {"peer": name, "product": product}

    def lost(self, name: str, error: PeerError) -> None:
        self.notes.append(f"{name}: failed: {error}")
        if self.process is not None and not isinstance(error, RefusedError):
            (mode,) = FAMILIES.modes
            self.bench.family_peers.lost(mode, error)
            self.process = None
            self.loaded.clear()

    def agreeing(self, product: str, calls: Calls, tolerance: float) -> Calls:
        """The calls whose results are the first one's; of the peers those are `loaded` that offer it and agree."""
        (first, ours), *others = calls.items()
        wanted = flat(ours())
        kept = {first: ours}
        for name, call in others:
            if self._agrees(name, product, flat(call()), wanted, tolerance):
                kept[name] = call
        self.loaded.clear()
        for name in [n for n, products in self.offered.items() if product in products]:
            if self.process is None:
                break
            with self.losing(name):
                theirs, _ = self.process.result(**self.question(name, product))
                if self._agrees(name, product, theirs, wanted, tolerance):
                    self.loaded[name] = self.process
        return kept

    def _agrees(
        self, name: str, product: str, theirs: np.ndarray, wanted: np.ndarray, tolerance: float
    ) -> bool:
        if theirs.shape != wanted.shape:
            self.notes.append(f"{name}: {product} is left out: {theirs.size} numbers, ours has {wanted.size}")
            return False
        far = relative(theirs, wanted)
        if not far <= tolerance:
            self.notes.append(f"{name}: {product} is left out: it differs from ours by {far:.2g}")
            return False
        return True
