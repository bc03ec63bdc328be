"""Memory of the workers: what calls were planned with, what is measured, and what each may have."""

from __future__ import annotations

from typing import Any

from bokeh.models import BasicTicker, ColumnDataSource, HoverTool, NumeralTickFormatter
from bokeh.plotting import figure
from distributed.dashboard.components.scheduler import TICKS_1024

from daskphys.dashboard.panels.panel import UNKNOWN, Panel, columns, ordered
from daskphys.markup import bytes_text

_COLUMNS = ("worker", "now", "most", "planned", "room", "what")


class Memory(Panel):
    """A bar for each worker: measured now and at most, with marks for the planned peak and for what it may have."""

    title = "Memory, planned and measured"
    nothing = "There are no workers. `dask worker <address>` starts one."

    def _made(self) -> Any:
        self._source = ColumnDataSource(columns(_COLUMNS))
        plot = figure(
            y_range=[], toolbar_location=None, tools="", x_axis_label="bytes of the worker's process"
        )
        bars = [
            plot.hbar(y="worker", right="most", height=0.7, color="#c6dbef", source=self._source, legend_label="measured, most"),
            plot.hbar(y="worker", right="now", height=0.7, color="#3182bd", source=self._source, legend_label="measured, now"),
        ]  # fmt: skip
        marks = {"size": 26, "line_width": 3, "source": self._source, "marker": "dash", "angle": 1.5707963}
        plot.scatter(x="planned", y="worker", color="#ff7f0e", legend_label="planned peak", **marks)
        plot.scatter(x="room", y="worker", color="#d62728", legend_label="may have", **marks)
        plot.add_tools(HoverTool(renderers=bars[:1], tooltips="@what"))
        plot.x_range.start = 0
        plot.xaxis.ticker = BasicTicker(**TICKS_1024)
        plot.xaxis.formatter = NumeralTickFormatter(format="0.[0] b")
        plot.yaxis.axis_label = "worker"
        plot.legend.label_text_font_size = "11px"
        plot.legend.orientation = "horizontal"
        plot.add_layout(plot.legend[0], "above")
        self._plot = plot
        return plot

    def _draw(self) -> str | None:
        workers = {str(w.name): w for w in self.scheduler.workers.values()}
        if not workers:
            return None
        names = ordered([w.name for w in self.scheduler.workers.values()])
        if self._fill(self._source, columns(_COLUMNS, [self._row(name, workers[name]) for name in names])):
            self._name_rows(self._plot, names)
        planned = [
            self.record.planned[w.address] for w in workers.values() if w.address in self.record.planned
        ]
        if not planned:
            return "no call is planned yet: the first one of an operator is"
        worst = max(planned, key=lambda p: p.total)
        return f"the largest planned peak: {bytes_text(worst.total)}, {worst.method}"

    def _row(self, name: str, worker: Any) -> tuple[Any, ...]:
        now = int(worker.metrics.get("memory", 0))
        most = self.record.measure(worker.address, now)
        planned = self.record.planned.get(worker.address)
        total, room = (planned.total, planned.room) if planned else (0, 0)
        said = f"measured {bytes_text(now)} now, {bytes_text(most)} at most"
        if planned:
            limit = bytes_text(room) if room else "no limit"
            said += f"; planned {bytes_text(total)} ({planned.method}), may have {limit}"
        return name, now, most, total or UNKNOWN, room or UNKNOWN, said
