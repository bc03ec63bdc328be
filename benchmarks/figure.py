"""The picture of a run: AᵀA against the number of sensors, and each target beside its figure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.ticker
from matplotlib.figure import Figure

from benchmarks.comparison import GROWTH, PROBLEMS
from benchmarks.problems import Problem
from benchmarks.rivals import fastest_peer
from benchmarks.targets import Target
from benchmarks.timing import Timings

#: Okabe and Ito's palette: told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"

STYLES = {
    "daskphys": ("daskphys, merged", BLUE, "o"),
    "NumPy by hand": ("NumPy by hand, A then Aᵀ", GREEN, "s"),
    "torch by hand": ("torch by hand, A then Aᵀ", PURPLE, "^"),
    "deepinv": ("deepinv, fastest of its ways", ORANGE, "D"),
    "bare pair": ("bare FFT pair", GREY, "x"),
}


def draw(found: Mapping[str, Timings], targets: Sequence[Target], path: Path) -> list[Path]:
    """Write the picture as PNG and SVG; `path` has no ending."""
    measured = [t for t in targets if t.figure is not None]
    heights = (4.6, 1.3 + 0.3 * max(len(measured), 2))
    figure = Figure(figsize=(10, sum(heights)), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=heights)
    _growth(above.subplots(), _lines(found))
    _bars(below.subplots(), measured)
    written = [path.with_suffix(".png"), path.with_suffix(".svg")]
    for file in written:
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    return written


def _lines(found: Mapping[str, Timings]) -> dict[str, dict[int, float]]:
    """The median milliseconds of AᵀA by N, for each line of the picture."""
    lines: dict[str, dict[int, float]] = {name: {} for name in STYLES}
    for problem in PROBLEMS:
        times = found.get(f"AᵀA, {problem.label}")
        if times is None or problem != Problem(problem.n, GROWTH):
            continue
        names = {name: name for name in STYLES if name in times.rounds} | {"deepinv": fastest_peer(times)}
        for line, name in names.items():
            if name is not None:
                lines[line][problem.n] = times.ms(name).mid
    return {name: points for name, points in lines.items() if points}


def _growth(axes: Any, lines: Mapping[str, Mapping[int, float]]) -> None:
    axes.figure.suptitle(
        "Time of AᵀA of N blurs, 512×512×3 float32, medians", x=0.01, ha="left", fontsize="large"
    )
    if not lines:
        axes.text(0.5, 0.5, "not measured in this run", ha="center", transform=axes.transAxes)
        return
    sensors = sorted({n for points in lines.values() for n in points})
    ends = {}
    for name, points in lines.items():
        label, colour, marker = STYLES[name]
        axes.plot(list(points), list(points.values()), color=colour, marker=marker, lw=2, label=label)
        ends[label] = (list(points.values())[-1], colour)
    axes.set(xscale="log", yscale="log", xlabel="sensors N", ylabel="ms")
    low, high = axes.get_ylim()
    axes.set_xlim(sensors[0] / 1.1, sensors[-1] * 1.1)
    axes.set_ylim(low / 1.2, high * 1.2)
    axes.set_xticks(sensors, [str(n) for n in sensors])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.grid(alpha=0.3, which="both", axis="y")
    for (label, (_, colour)), y in zip(ends.items(), _apart([e[0] for e in ends.values()]), strict=True):
        axes.annotate(
            label,
            (1.02, y),
            xycoords=("axes fraction", "data"),
            color=colour,
            va="center",
            annotation_clip=False,
        )


def _apart(heights: Sequence[float], least: float = 1.28) -> list[float]:
    """Heights of labels on a log axis, moved up until no two are closer than a factor."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for below, above in itertools.pairwise(order):
        placed[above] = max(placed[above], placed[below] * least)
    return placed


def _bars(axes: Any, measured: Sequence[Target]) -> None:
    title = "Targets: how many times better than promised (beside the bar: the ratio, and what was promised)"
    axes.figure.suptitle(title, x=0.01, ha="left", fontsize="large")
    if not measured:
        axes.text(0.5, 0.5, "not measured in this run", ha="center", transform=axes.transAxes)
        return
    # Where a figure is a hundred times better, or below nothing, the bar ends at the axis.
    lengths = [min(max(t.margin or 0.0, 0.02), 100.0) for t in measured]
    rows = range(len(measured))
    colours = [BLUE if t.met else ORANGE for t in measured]
    axes.barh(rows, [n - 1 for n in lengths], left=1.0, color=colours, height=0.62)
    axes.axvline(1.0, color="black", lw=1.2)
    axes.set(xscale="log", xlabel="missed  ←  1 = as promised  →  better (log scale)")
    axes.set_yticks(rows, [t.what for t in measured], fontsize=8)
    axes.set_ylim(len(measured) - 0.4, -0.6)
    low, high = min(0.5, *lengths) / 1.3, max(3.0, *lengths) * 3.0
    axes.set_xlim(low, high)
    ticks = [2.0**k for k in range(-6, 8) if low <= 2.0**k <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.grid(alpha=0.3, axis="x")
    for row, target, length in zip(rows, measured, lengths, strict=True):
        row_of = target.row()
        assert target.figure is not None
        text = f"{target.figure.mid:.3g}× ({row_of['promised']}){'' if target.met else ' missed'}"
        axes.annotate(
            text, (max(length, 1.0), row), (5, 0), textcoords="offset points", va="center", fontsize=8
        )
