"""The page and its panels on the web server of Dask's scheduler."""

from __future__ import annotations

import functools
from typing import Any

from bokeh.layouts import column, row
from bokeh.server.tornado import BokehTornado
from distributed.dashboard.components import add_periodic_callback
from distributed.dashboard.components.scheduler import BOKEH_THEME, env
from distributed.dashboard.core import BokehApplication
from distributed.dashboard.scheduler import template_variables
from tornado.ioloop import IOLoop

from daskphys.dashboard.panels.convergence import Convergence
from daskphys.dashboard.panels.happenings import Happenings
from daskphys.dashboard.panels.memory import Memory
from daskphys.dashboard.panels.panel import Panel
from daskphys.dashboard.panels.reduction import Reduction
from daskphys.dashboard.panels.sensors import Sensors
from daskphys.dashboard.record import Record

#: Milliseconds between two looks at the record: with their messages the panels take 5 to 6 ms of the scheduler's thread.
INTERVAL = 1500

#: The name of the page, and of each panel that has one of its own: ``individual-daskphys-…``.
PAGE = "daskphys"
PANELS: dict[str, type[Panel]] = {
    "sensors": Sensors,
    "reduction": Reduction,
    "convergence": Convergence,
    "memory": Memory,
    "events": Happenings,
}

#: Pixels of a row of the page.
_HEIGHT = 330


def add_pages(scheduler: Any, record: Record) -> None:
    """Add the page and the panels to the dashboard of a scheduler, where it has one.

    Dask lists the pages of its own application alone (``individual-plots.json``, by which JupyterLab finds them), so ours
    are entered there; they are served by an application beside it.
    """
    served = scheduler.http_application.applications
    of_dask = next((app for app in served if isinstance(app, BokehTornado)), None)
    if of_dask is None:
        return
    shared = template_variables(scheduler)
    shared["pages"].append(PAGE)
    names = {name: f"individual-{PAGE}-{name}" for name in PANELS}
    shared["plots"] += [{"url": url, "name": f"daskphys {name.title()}"} for name, url in names.items()]
    documents = {
        f"/{names[name]}": functools.partial(_single, panel, record) for name, panel in PANELS.items()
    }
    documents[f"/{PAGE}"] = functools.partial(_page, record)
    ours = BokehApplication(documents, scheduler, prefix=of_dask.prefix, template_variables=shared)
    scheduler.http_application.add_application(ours)
    ours.initialize(IOLoop.current())
    ours.start()
    of_dask.applications.update(ours.applications)


def _single(kind: type[Panel], record: Record, scheduler: Any, extra: Any, doc: Any) -> None:
    """One panel, as JupyterLab's extension opens it."""
    doc.add_root(_shown(kind, record, scheduler, doc))
    doc.title, doc.theme = f"daskphys: {kind.title}", BOKEH_THEME


def _page(record: Record, scheduler: Any, extra: Any, doc: Any) -> None:
    """All panels."""
    shown = {name: _shown(panel, record, scheduler, doc) for name, panel in PANELS.items()}
    rows = [
        row(*(shown[name] for name in names), sizing_mode="stretch_width", height=_HEIGHT)
        for names in (("sensors", "reduction"), ("convergence", "memory"), ("events",))
    ]
    doc.add_root(column(*rows, sizing_mode="stretch_width"))
    doc.title, doc.theme = "Dask: daskphys", BOKEH_THEME
    doc.template = env.get_template("simple.html")
    doc.template_variables.update(extra)


def _shown(kind: type[Panel], record: Record, scheduler: Any, doc: Any) -> Any:
    panel = kind(record, scheduler)
    panel.update()
    add_periodic_callback(doc, panel, INTERVAL)
    return panel.root
