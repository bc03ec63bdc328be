"""What was aimed at, and what was measured: every row is worked out from the rounds of one run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.cluster_comparison import LEFT_ON_WORKERS, WHOLE_CALLS, independent_speedup
from benchmarks.comparison import GROWTH, PROBLEMS
from benchmarks.problems import Problem
from benchmarks.rivals import fastest_peer
from benchmarks.timing import Case, Spread, Timings

#: A figure of a run, with what it was made of; None where the run lacks something.
Figure = tuple[Spread, str] | None


@dataclass(frozen=True)
class Target:
    """One promise: `figure` is to be at least, or at most, `bound`.

    Parameters
    ----------
    what
        The promise in words.
    bound
        The figure that was promised.
    at_least
        Whether more is better.
    figure
        What was measured, and None where it was not.
    rests_on
        What the figure was made of.
    """

    what: str
    bound: float
    at_least: bool
    figure: Spread | None
    rests_on: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the promise; None where nothing was measured."""
        if self.figure is None:
            return None
        return self.figure.mid >= self.bound if self.at_least else self.figure.mid <= self.bound

    @property
    def margin(self) -> float | None:
        """How many times better than promised the median is: 1 is just met, infinity where it is below nothing."""
        if self.figure is None:
            return None
        if not self.at_least and self.figure.mid <= 0:
            return math.inf
        return self.figure.mid / self.bound if self.at_least else self.bound / self.figure.mid

    def row(self) -> dict[str, Any]:
        """The target as a row of a table."""
        verdict = {True: "met", False: "missed", None: "not measured"}[self.met]
        promised = f"{'≥' if self.at_least else '≤'} {self.bound:g}×"
        figure = "" if self.figure is None else self.figure
        return {
            "target": self.what,
            "promised": promised,
            "figure": figure,
            "": verdict,
            "from": self.rests_on,
        }


def distributed_alone(timings: Timings) -> Timings:
    """Without the peer's way that is not distributed."""
    return Timings({k: r for k, r in timings.rounds.items() if k != "deepinv"})


def against_peer(timings: Timings, ours: str) -> Figure:
    """How many times as long as `ours` the peer's fastest way takes."""
    best = fastest_peer(timings)
    if best is None or ours not in timings.rounds:
        return None
    return timings.ratio(best, ours), f"{best} ÷ {ours}"


def over_floor(timings: Timings, kind: str) -> Figure:
    """By how many floors (one empty graph) a call takes longer than the distributed peer's."""
    best = fastest_peer(distributed_alone(timings))
    ours, floor = f"daskphys, 2 {kind}", f"one empty graph, {kind}"
    if best is None or ours not in timings.rounds or floor not in timings.rounds:
        return None
    three = zip(*(timings.rounds[k] for k in (ours, best, floor)), strict=True)
    said = f"({ours} − {best}) ÷ {floor} ({timings.ms(floor).mid:.1f} ms)"
    return Spread.of([(a - b) / c for a, b, c in three]), said


def of_independent(timings: Timings) -> Figure:
    """Our speed-up on two workers as a fraction of that of two independent processes."""
    rounds = timings.rounds
    ours, ideal = timings.ratio("one process", "daskphys, 2 processes"), independent_speedup(rounds)
    fractions = [
        two / (2 * mine)
        for two, mine in zip(
            rounds["two independent processes"], rounds["daskphys, 2 processes"], strict=True
        )
    ]
    return Spread.of(fractions), f"speed-up {ours.mid:.2f}, of independent processes {ideal.mid:.2f}"


def targets(found: Mapping[str, Timings]) -> list[Target]:
    """Every target of the run whose rounds are given by case and product."""

    def of(key: str, work_out: Callable[[Timings], Figure]) -> tuple[Spread | None, str]:
        figure = work_out(found[key]) if key in found else None
        return (None, "") if figure is None else figure

    made = []
    for n, bound in ((8, 10.0), (32, 40.0)):
        label = Problem(n, GROWTH).label
        figure = of(f"AᵀA, {label}", lambda t: against_peer(t, "daskphys"))
        made.append(Target(f"AᵀA merged against deepinv's fastest, {label}", bound, True, *figure))
    growth = of("AᵀA merged, growth", _ratio("N=128", "N=1"))
    made.append(Target("AᵀA merged, N=128 against N=1, 512×512×3", 1.2, False, *growth))
    for problem in PROBLEMS:
        figure = of(f"AᵀA, {problem.label}", _ratio("daskphys", "bare pair"))
        made.append(Target(f"AᵀA merged against a bare FFT pair, {problem.label}", 1.3, False, *figure))
    for label, bound in ((LEFT_ON_WORKERS.label, 1.5), (WHOLE_CALLS.label, 1.2)):
        for product in ("A", "Aᵀ"):
            figure = of(f"{product}, {label}", lambda t: against_peer(t, "daskphys"))
            made.append(Target(f"{product} plain against deepinv's fastest, {label}", bound, True, *figure))
    for product in ("A", "Aᵀ"):
        label = LEFT_ON_WORKERS.label
        figure = of(f"{product} left on workers, {label}", of_independent)
        what = f"{product} on 2 workers, part of the speed-up of 2 lone processes, {label}"
        made.append(Target(what, 0.8, True, *figure))
    for kind in ("threads", "processes"):
        label = WHOLE_CALLS.label
        figure = of(f"A whole, {label}", lambda t, kind=kind: over_floor(t, kind))
        what = f"A on 2 {kind} against deepinv's, floors slower, {label}"
        made.append(Target(what, 1.0, False, *figure))
    for shape in ((512, 512), (1024, 1024)):
        label = Problem(8, shape).label
        figure = of(f"CG, {label}", lambda t: against_peer(distributed_alone(t), "daskphys, 2 processes"))
        made.append(Target(f"CG to 1e-5 against deepinv distributed, {label}", 10.0, True, *figure))
    return made


def _ratio(name: str, base: str) -> Callable[[Timings], Figure]:
    def work_out(timings: Timings) -> Figure:
        if name not in timings.rounds or base not in timings.rounds:
            return None
        return timings.ratio(name, base), f"{name} ÷ {base}"

    return work_out


def table(made: Sequence[Target]) -> Case:
    """The targets as a case of their own."""
    case = Case(
        "targets", "what was aimed at: ratios in one run, lowest / median / highest; the median decides"
    )
    case.rows += [target.row() for target in made]
    return case
