"""How far solvers have come: the residual of each iteration, while they run."""

from __future__ import annotations

from typing import Any

from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from daskphys.dashboard.panels.panel import COLOURS, Panel
from daskphys.markup import counted


class Convergence(Panel):
    """Lines over iterations, one for each of the last solves; the latest is the boldest."""

    title = "Solvers"
    nothing = "No solver has run on the workers. optim.cg(D, y), lsqr, lsmr and D.A_dagger(y) iterate there unless AᴴA merges."

    def _made(self) -> Any:
        self._source = ColumnDataSource({"xs": [], "ys": [], "colour": [], "width": [], "title": []})
        plot = figure(
            toolbar_location=None,
            tools="",
            y_axis_type="log",
            x_axis_label="iteration",
            y_axis_label="residual",
        )
        plot.multi_line(
            xs="xs",
            ys="ys",
            line_color="colour",
            line_width="width",
            legend_group="title",
            source=self._source,
        )
        plot.legend.label_text_font_size = "11px"
        plot.legend.background_fill_alpha = 0.6
        return plot

    def _draw(self) -> str | None:
        solves = list(self.record.solves.items())
        if not solves:
            return None
        lines = [[(i, r) for i, r in solve.points if r > 0] for _, solve in solves]  # the axis is logarithmic
        data: dict[str, list[Any]] = {
            "xs": [[i for i, _ in points] for points in lines],
            "ys": [[r for _, r in points] for points in lines],
            "colour": [COLOURS[_number(name) % len(COLOURS)] for name, _ in solves],
            "width": [3.0 if n == len(solves) - 1 else 1.5 for n in range(len(solves))],
            "title": [f"{solve.title}, solve {name}" for name, solve in solves],
        }
        self._fill(self._source, data)
        last = solves[-1][1]
        if not last.points:
            return f"{last.title} has begun"
        iterations, residual = last.points[-1]
        return f"{last.title} {last.state} {counted(iterations, 'iteration')}, residual {residual:.3g}"


def _number(name: str) -> int:
    """A number that stays with a solve's name, so that its line keeps its colour; the same in every process."""
    return int(name[:4], 16)
