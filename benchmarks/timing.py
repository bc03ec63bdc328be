"""Timing on a noisy machine: variants take turns, and ratios are taken round by round.

What slows a machine down for a second slows every variant of that round down, so the median of the rounds'
ratios holds where the milliseconds do not.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peers.launch import FAMILIES, Peers
from daskphys import backend
from daskphys.distributed import DistributedContext
from daskphys.physics import Blur, gaussian_blur, stack
from daskphys.physics.stack import StackedPhysics

TIMES = "ms, lowest / median / highest"
CORES = backend.cpu_count()


@dataclass(frozen=True)
class Spread:
    """The smallest, the median and the largest of several figures."""

    low: float
    mid: float
    high: float
    n: int

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        return cls(min(figures), median(figures), max(figures), len(figures))

    def __str__(self) -> str:
        return f"{_number(self.low)} / {_number(self.mid)} / {_number(self.high)}"


@dataclass(frozen=True)
class Timings:
    """Milliseconds of each variant, one a round."""

    rounds: Mapping[str, Sequence[float]]

    def ms(self, name: str) -> Spread:
        """How long a variant takes."""
        return Spread.of(self.rounds[name])

    def ratio(self, name: str, base: str) -> Spread:
        """How many times as long as `base` a variant takes, round by round."""
        return Spread.of([a / b for a, b in zip(self.rounds[name], self.rounds[base], strict=True)])


def interleaved(
    variants: Mapping[str, Callable[[], Any]],
    seconds: float,
    least: int = 5,
    warm: int = 2,
    most: int = 1000,
) -> Timings:
    """Time the variants in turns (A B A B …).

    Parameters
    ----------
    variants
        What to time, by name.
    seconds
        Rounds are made for this long.
    least, most
        And so many rounds at least, and at most.
    warm
        Calls of each variant before the first round, which are not counted.
    """
    for call in variants.values():
        for _ in range(warm):
            call()
    return in_turns(
        {name: lambda call=call: once(call) for name, call in variants.items()}, seconds, least, most
    )


def in_turns(
    measures: Mapping[str, Callable[[], float]], seconds: float, least: int, most: int = 1000
) -> Timings:
    """Let each measure give its milliseconds, round by round."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < least or (rounds < most and time.perf_counter() < end):
        for name, measure in measures.items():
            taken[name].append(measure())
        rounds += 1
    return Timings(taken)


def once(call: Callable[[], Any]) -> float:
    """Milliseconds of one call."""
    begin = time.perf_counter()
    result = call()
    taken = 1e3 * (time.perf_counter() - begin)
    del result  # freed outside the time, before the next one allocates
    return taken


def several(call: Callable[[], Any], calls: int, seconds: float, warm: int = 1) -> float:
    """The median milliseconds of up to `calls` calls, none of which begins after `seconds`; `warm` more come first."""
    for _ in range(warm):
        call()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or (len(taken) < calls and time.perf_counter() < end):
        taken.append(once(call))
    return median(taken)


class Bench:
    """What the cases share: clusters and peers, started when a case first asks for them, and how long to measure."""

    def __init__(self, quick: bool, peers: Peers | None = None, family_peers: Peers | None = None) -> None:
        self.quick = quick
        self.peers = Peers(None) if peers is None else peers
        self.family_peers = Peers(None, FAMILIES) if family_peers is None else family_peers
        self.least = 3 if quick else 7
        self._open = contextlib.ExitStack()
        self._open.callback(self.peers.close)
        self._open.callback(self.family_peers.close)

    @functools.cached_property
    def threads(self) -> DistributedContext:
        """Two workers that are threads of this process."""
        return self._open.enter_context(DistributedContext(n_workers=2, processes=False))

    @functools.cached_property
    def processes(self) -> DistributedContext:
        """Two worker processes."""
        return self._open.enter_context(DistributedContext(n_workers=2, processes=True))

    @property
    def contexts(self) -> dict[str, DistributedContext]:
        """Both kinds of cluster."""
        return {"threads": self.threads, "processes": self.processes}

    def close(self) -> None:
        """End clusters and peers."""
        self._open.close()

    def time(
        self, variants: Mapping[str, Callable[[], Any]], seconds: float = 5.0, most: int = 1000
    ) -> Timings:
        """Time the variants in turns; a look takes a twentieth of `seconds`."""
        return interleaved(variants, self.seconds(seconds), self.least, 1 if self.quick else 2, most)

    def seconds(self, seconds: float) -> float:
        """`seconds`, or a twentieth of it for a look."""
        return seconds / 20 if self.quick else seconds


@dataclass
class Case:
    """A table of one benchmark: a row is a mapping from column to text, number or `Spread`."""

    name: str
    title: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: All rounds, by what was measured, where a picture or a target needs them.
    timings: dict[str, Timings] = field(default_factory=dict)

    def text(self) -> str:
        """The table for a terminal; spreads are lowest / median / highest."""
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        cells = [[_cell(row.get(column, "")) for column in columns] for row in self.rows]
        widths = [max(len(c), *(len(row[i]) for row in cells)) for i, c in enumerate(columns)]
        lines = [
            "  ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)) for line in (columns, *cells)
        ]
        lines.insert(1, "  ".join("-" * w for w in widths))
        body = "\n".join(line.rstrip() for line in lines)
        return "\n".join([f"{self.name}. {self.title}", body, *self.notes, ""])

    def json(self) -> dict[str, Any]:
        rows = [{k: _plain(v) for k, v in row.items()} for row in self.rows]
        found = {"case": self.name, "title": self.title, "rows": rows, "notes": self.notes}
        timings = {k: {name: _rounded(r) for name, r in t.rounds.items()} for k, t in self.timings.items()}
        return found | ({"rounds, ms": timings} if timings else {})


def image(*shape: int) -> np.ndarray:
    """A float32 image."""
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def blurs(n: int) -> StackedPhysics:
    """A stack of `n` circular blurs, no two of them alike."""
    return stack(*[Blur(gaussian_blur(sigma=(0.8 + 0.02 * i, 2.0), angle=7 * i)) for i in range(n)])


def times_text(shape: Sequence[int]) -> str:
    """``(3, 767, 512)`` as ``767×512×3``."""
    return "×".join(map(str, (*shape[-2:], *shape[:-2])))


def environment(quick: bool) -> dict[str, Any]:
    """What the figures depend on."""
    packages = ("daskphys", "numpy", "scipy", "dask", "distributed")
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "machine": platform.machine(),
        "cores": backend.cpu_count(),
        "load at start": load(),
        "quick": quick,
    }


def load() -> float | None:
    """How many processes wanted a core in the last minute, this one's among them."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _rounded(figures: Sequence[float]) -> list[float]:
    return [float(f"{x:.4g}") for x in figures]


def _number(x: float) -> str:
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def _cell(x: Any) -> str:
    return _number(x) if isinstance(x, float) else f"{x:,}" if isinstance(x, int) else str(x)


def _plain(x: Any) -> Any:
    return {"min": x.low, "median": x.mid, "max": x.high, "rounds": x.n} if isinstance(x, Spread) else x
