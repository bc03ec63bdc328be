"""Which sensors are on which worker, how large they are, and how long they took in the last call."""

from __future__ import annotations

from typing import Any

from bokeh.models import ColorBar, ColumnDataSource, HoverTool, LinearColorMapper, NumeralTickFormatter
from bokeh.palettes import YlGnBu9
from bokeh.plotting import figure

from daskphys.dashboard.panels.panel import UNKNOWN, Panel, columns, ordered
from daskphys.dashboard.record import Operator
from daskphys.markup import bytes_text, counted, span

_BLOCKS = ("left", "right", "worker", "what", "size", "ms", "mean", "calls")
_LABELS = ("x", "worker", "text", "colour")

#: Up to so many tasks have their times written on them.
_WRITTEN = 16


class Sensors(Panel):
    """Rectangles over the sensors, a row for each worker."""

    title = "Sensors on workers"
    nothing = "No operator is distributed. D = distribute(A, ctx) puts one here."

    def _made(self) -> Any:
        self._source = ColumnDataSource(columns(_BLOCKS))
        self._labels = ColumnDataSource(columns(_LABELS))
        self._colours = LinearColorMapper(
            palette=list(reversed(YlGnBu9))[:7], low=0, high=1, nan_color="#dddddd"
        )
        plot = figure(y_range=[], x_axis_label="sensor", toolbar_location=None, tools="")
        plot.hbar(
            y="worker",
            left="left",
            right="right",
            height=0.8,
            source=self._source,
            fill_color={"field": "ms", "transform": self._colours},
            line_color="white",
        )
        plot.text(
            x="x",
            y="worker",
            text="text",
            text_color="colour",
            source=self._labels,
            text_align="center",
            text_baseline="middle",
            text_font_size="11px",
        )
        tips = [("", "@what on worker @worker"), ("parameters", "@size"), ("last call", "@ms{0.0} ms")]
        plot.add_tools(HoverTool(tooltips=[*tips, ("mean", "@mean{0.0} ms of @calls calls")]))
        bar = ColorBar(
            color_mapper=self._colours, formatter=NumeralTickFormatter(format="0.[00]"), title="ms", width=10
        )
        plot.add_layout(bar, "right")
        plot.xgrid.visible = plot.ygrid.visible = False
        plot.yaxis.axis_label = "worker"
        self._plot = plot
        return plot

    def _draw(self) -> str | None:
        found = next((o for o in reversed(self.record.operators.values()) if o.homes), None)
        if found is None:
            return None
        rows = self._rows(found)
        if self._fill(self._source, {name: [row[name] for row in rows] for name in _BLOCKS}):
            workers = {self.record.name(w.address) for w in self.scheduler.workers.values()}
            self._name_rows(self._plot, ordered(workers))
            self._colours.high = max((row["ms"] for row in rows if row["ms"] is not UNKNOWN), default=1.0)
            self._fill(self._labels, columns(_LABELS, self._written(rows)))
        there = {row["worker"] for row in rows}
        return f"{found.title}; {counted(len(rows), 'block')} on {counted(len(there), 'worker')}"

    def _rows(self, operator: Operator) -> list[dict[str, Any]]:
        """A row for each block on each worker, as the scheduler has them now."""
        rows = []
        for key in sorted(operator.homes, key=lambda key: key[1:3]):
            task = self.scheduler.tasks.get(key)
            for worker in () if task is None else sorted(task.who_has or (), key=lambda w: str(w.address)):
                name = str(self.record.name(worker.address))
                rows.append(self._row(operator, key[1], key[2], name, task.nbytes))
        return rows

    def _written(self, rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        """A label for each task on each worker: its blocks together take that time."""
        tasks: dict[Any, list[dict[str, Any]]] = {}
        for row in rows:
            tasks.setdefault((row["worker"], row["task"]), []).append(row)
        if len(tasks) > _WRITTEN:
            return []
        labels = []
        for (worker, _), own in tasks.items():
            ms, size = own[0]["ms"], bytes_text(sum(row["nbytes"] for row in own))
            text = size if ms is UNKNOWN else f"{ms:.1f} ms, {size}"
            dark = ms is not UNKNOWN and ms > 0.55 * self._colours.high
            labels.append(
                ((own[0]["left"] + own[-1]["right"]) / 2, worker, text, "white" if dark else "#333333")
            )
        return labels

    @staticmethod
    def _row(operator: Operator, start: int, stop: int, worker: str, nbytes: int) -> dict[str, Any]:
        bound, took = next(
            (item for item in operator.took.items() if item[0][0] <= start and stop <= item[0][1]),
            ((start, stop), None),
        )
        shared = f" (a task with {span(*bound)})" if bound != (start, stop) else ""
        return {
            "left": start - 0.5,
            "right": stop - 0.5,
            "worker": worker,
            "what": span(start, stop) + shared,
            "size": bytes_text(nbytes),
            "ms": UNKNOWN if took is None else 1e3 * took.last,
            "mean": UNKNOWN if took is None else 1e3 * took.total / took.calls,
            "calls": 0 if took is None else took.calls,
            "nbytes": nbytes,
            "task": bound,
        }
