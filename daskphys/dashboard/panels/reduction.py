"""The tree along which the results of a call were added up, and what crossed the wire."""

from __future__ import annotations

from typing import Any

from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure

from daskphys.dashboard.panels.panel import COLOURS, Panel, columns, ordered
from daskphys.dashboard.trees import Tree
from daskphys.markup import bytes_text

_EDGES = ("x0", "y0", "x1", "y1", "colour", "width", "what")
_NODES = ("x", "y", "colour", "label", "worker", "side")
_LABELS = ("x", "y", "text")

#: Up to so many nodes have their names written on them.
_WRITTEN = 40


class Reduction(Panel):
    """Leaves for the sensors' results on the left, their sum on the right; a colour for each worker."""

    title = "Reduction of the last call"
    nothing = "Nothing was added up. D.A_adjoint(y), D.A_adjoint_A(x) that does not merge, and solvers do."

    def _made(self) -> Any:
        self._edges = ColumnDataSource(columns(_EDGES))
        self._nodes = ColumnDataSource(columns(_NODES))
        self._labels = ColumnDataSource(columns(_LABELS))
        self._drawn: Any = None
        plot = figure(toolbar_location=None, tools="", x_range=(-1.0, 2.0), y_range=(1.0, -1.0))
        lines = plot.segment(
            x0="x0", y0="y0", x1="x1", y1="y1", line_color="colour", line_width="width", source=self._edges
        )
        dots = plot.scatter(x="x", y="y", size=11, color="colour", source=self._nodes)
        plot.text(
            x="x", y="y", text="label", text_align="side", text_baseline="middle", x_offset=0, text_font_size="11px",
            source=self._nodes,
        )  # fmt: skip
        plot.text(
            x="x", y="y", text="text", text_align="center", text_baseline="bottom", text_font_size="11px",
            text_color="#b34700", source=self._labels,
        )  # fmt: skip
        plot.add_tools(HoverTool(renderers=[lines], tooltips="@what"))
        plot.add_tools(HoverTool(renderers=[dots], tooltips="@label on worker @worker"))
        plot.axis.visible = False
        plot.grid.visible = False
        self._plot = plot
        return plot

    def _draw(self) -> str | None:
        tree = self.record.tree
        if tree is None:
            return None
        if tree is not self._drawn:
            self._drawn = tree
            self._spread(tree)
        sizes = {"of the image": tree.down, "of sums": tree.up}
        crossed = [f"{bytes_text(size)} {what}" for what, size in sizes.items() if size]
        return f"{tree.title}; {' and '.join(crossed) or 'nothing'} went from one process to another"

    def _spread(self, tree: Tree) -> None:
        places = tree.places()
        workers = ordered({node.worker for node in tree.nodes.values()})
        colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(workers)}
        nodes, edges, labels = list[tuple[Any, ...]](), list[tuple[Any, ...]](), list[tuple[Any, ...]]()
        written = len(tree.nodes) <= _WRITTEN
        for key, node in tree.nodes.items():
            (x, y), worker = places[key], str(node.worker)
            label = f"  {node.label}, worker {worker}  " if written else ""
            nodes.append((x, y, colours[worker], label, worker, "left" if node.sources else "right"))
            for source, nbytes in node.sources.items():
                x0, y0 = places[source]
                what = f"{bytes_text(nbytes)} by wire" if nbytes else "on the same worker, or in one process"
                edges.append((x0, y0, x, y, "#ff7f0e" if nbytes else "#bbbbbb", 3 if nbytes else 1.5, what))
                if nbytes and written:
                    labels.append(((x0 + x) / 2, (y0 + y) / 2, bytes_text(nbytes)))
        deep, high = max(x for x, _ in places.values()), max(y for _, y in places.values())
        self._plot.x_range.start, self._plot.x_range.end = -0.8 * max(1.0, deep), deep + 0.6 * max(1.0, deep)
        self._plot.y_range.start, self._plot.y_range.end = high + 0.7, -0.7
        self._fill(self._nodes, columns(_NODES, nodes))
        self._fill(self._edges, columns(_EDGES, edges))
        self._fill(self._labels, columns(_LABELS, labels))
