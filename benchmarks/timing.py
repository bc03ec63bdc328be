"""Timing on a noisy machine: variants take turns, and ratios are taken round by round.

What slows a machine down for a second slows every variant of that round down, so the median of the rounds'
ratios holds where the milliseconds do not.
"""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np

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
    taken: dict[str, list[float]] = {name: [] for name in variants}
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < least or (rounds < most and time.perf_counter() < end):
        for name, call in variants.items():
            begin = time.perf_counter()
            result = call()
            taken[name].append(1e3 * (time.perf_counter() - begin))
            del result  # freed outside the time, before the next one allocates
        rounds += 1
    return Timings(taken)


class Bench:
    """The two clusters that the cases share, and how long to measure."""

    def __init__(self, threads: DistributedContext, processes: DistributedContext, quick: bool) -> None:
        self.contexts = {"threads": threads, "processes": processes}
        self.processes = processes
        self.quick = quick
        self.least = 3 if quick else 7

    def time(
        self, variants: Mapping[str, Callable[[], Any]], seconds: float = 5.0, most: int = 1000
    ) -> Timings:
        """Time the variants in turns; a look takes a twentieth of `seconds`."""
        long = seconds / 20 if self.quick else seconds
        return interleaved(variants, long, self.least, 1 if self.quick else 2, most)


@dataclass
class Case:
    """A table of one benchmark: a row is a mapping from column to text, number or `Spread`."""

    name: str
    title: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

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
        return {"case": self.name, "title": self.title, "rows": rows, "notes": self.notes}


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


def _number(x: float) -> str:
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def _cell(x: Any) -> str:
    return _number(x) if isinstance(x, float) else f"{x:,}" if isinstance(x, int) else str(x)


def _plain(x: Any) -> Any:
    return {"min": x.low, "median": x.mid, "max": x.high, "rounds": x.n} if isinstance(x, Spread) else x
