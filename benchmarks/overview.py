"""``python -m benchmarks.overview``: the README's plot, drawn from the committed run ``results/peers.json``.

It measures nothing.  The file that it was drawn from is named in the picture by its digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.ticker
from matplotlib.figure import Figure

from benchmarks.figure import BLUE, GREEN, ORANGE, PURPLE

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "peers.json"
PICTURE = ROOT / "docs" / "images" / "benchmark.png"

SENSORS = (3, 8, 32, 128)
PRODUCTS = {"A": "A x", "Aᵀ": "Aᵀ y", "AᵀA": "AᵀA x"}
STYLES = {
    "daskphys": ("daskphys, not distributed", BLUE, "o"),
    "NumPy by hand": ("NumPy by hand", GREEN, "s"),
    "torch by hand": ("torch by hand", PURPLE, "^"),
    "deepinv": ("deepinv, fastest of its ways", ORANGE, "D"),
}

#: Median, lowest and highest milliseconds by N.
Line = dict[int, tuple[float, float, float]]


def lines(results: Mapping[str, Any], product: str) -> dict[str, Line]:
    """What is drawn of one product, by who computes it."""
    cases = {case["case"]: case["rows"] for case in results["cases"]}
    found: dict[str, Line] = {name: {} for name in STYLES}
    for n in SENSORS:
        for row in cases[f"512x512x3-n{n}"]:
            name = "deepinv" if row["as"].endswith("(fastest)") else row["by"]
            if row["product"] == product and name in STYLES and (name != "deepinv" or "fastest" in row["as"]):
                found[name][n] = tuple(row["time"][key] for key in ("median", "min", "max"))
    return found


def digest() -> str:
    """What the picture was drawn from."""
    return hashlib.sha256(RESULTS.read_bytes()).hexdigest()


def draw(path: Path = PICTURE) -> None:
    """Write the picture."""
    results = json.loads(RESULTS.read_text("utf-8"))
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for axes, (product, title) in zip(figure.subplots(1, 3, sharey=True), PRODUCTS.items(), strict=True):
        for name, line in lines(results, product).items():
            label, colour, marker = STYLES[name]
            middle, low, high = zip(*line.values(), strict=True)
            below, above = ([abs(m - e) for m, e in zip(middle, ends, strict=True)] for ends in (low, high))
            axes.errorbar(
                list(line), middle, (below, above), color=colour, marker=marker, ms=5, lw=1.6, label=label
            )
        axes.set(xscale="log", yscale="log", title=title, xlabel="sensors N")
        axes.set_xticks(SENSORS, [str(n) for n in SENSORS])
        axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
        axes.grid(alpha=0.3, which="both", axis="y")
    figure.axes[0].set_ylabel("milliseconds")
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
    figure.savefig(path, dpi=100, metadata={"Source": f"{RESULTS.relative_to(ROOT)} {digest()}"})


if __name__ == "__main__":
    draw()
