"""What panels have in common: a headline, a plot, and what to do where there is nothing to show."""

from __future__ import annotations

import abc
import html
from collections.abc import Sequence
from typing import Any, ClassVar

from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div
from distributed.dashboard.components import DashboardComponent

from daskphys.dashboard.record import Record


class Panel(DashboardComponent, abc.ABC):  # type: ignore[misc]
    """A part of the page.

    Parameters
    ----------
    record
        What is shown.
    scheduler
        Dask's.

    Attributes
    ----------
    title : str
        The headline.
    nothing : str
        What to do for there to be something to show.
    root
        Bokeh's model of the panel.
    """

    title: ClassVar[str]
    nothing: ClassVar[str]

    def __init__(self, record: Record, scheduler: Any) -> None:
        self.record, self.scheduler = record, scheduler
        self._shown: dict[str, Any] = {}
        self._head = Div(sizing_mode="stretch_width")
        self._body = self._made()
        self._body.sizing_mode = "stretch_both"
        self.root = column(self._head, self._body, sizing_mode="stretch_both")

    @abc.abstractmethod
    def _made(self) -> Any:
        """The plot, still empty."""

    @abc.abstractmethod
    def _draw(self) -> str | None:
        """Show what is in the record now, and say it in a line; None where there is nothing."""

    def _fill(self, source: ColumnDataSource, data: dict[str, list[Any]]) -> bool:
        """Give a source other data, which then goes to the browser; whether it is other data."""
        changed = self._shown.get(source.id) != data
        if changed:
            self._shown[source.id] = source.data = data
        return changed

    def _name_rows(self, plot: Any, workers: list[str]) -> None:
        """Let a plot have a row for each worker, from the top down."""
        if plot.y_range.factors != workers[::-1]:
            plot.y_range.factors = workers[::-1]

    def update(self) -> None:
        """Show what is in the record now."""
        said = self._draw()
        text = self.nothing if said is None else said
        colour = "#888" if said is None else "#333"
        head = (
            f'<div style="font:600 14px sans-serif;padding:6px 0 2px 12px">{html.escape(self.title)}</div>'
            f'<div style="font:13px sans-serif;color:{colour};padding:0 12px">{html.escape(text)}</div>'
        )
        if self._head.text != head:
            self._head.text = head
        if self._body.visible != (said is not None):
            self._body.visible = said is not None


#: What is not known; one object, for two such numbers are not equal.
UNKNOWN = float("nan")

#: Colours of workers, of runs of a solver: Bokeh's "Category10" without its greys, which say "the same worker".
COLOURS = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"),
    *("#8c564b", "#e377c2", "#bcbd22", "#17becf"),
)


def columns(names: Sequence[str], rows: Sequence[Sequence[Any]] = ()) -> dict[str, list[Any]]:
    """Rows as the columns of a source, by their names."""
    return {name: [row[n] for row in rows] for n, name in enumerate(names)}


def ordered(names: Any) -> list[str]:
    """Names of workers as labels of an axis: numbers in their order, then words."""
    return [
        str(n)
        for n in sorted(names, key=lambda n: (not isinstance(n, int), n if isinstance(n, int) else 0, str(n)))
    ]
