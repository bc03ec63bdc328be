"""What has happened: workers that went, blocks that were made again, fall-backs."""

from __future__ import annotations

import html
import time
from typing import Any

from bokeh.models import Div

from daskphys.dashboard.panels.panel import Panel
from daskphys.markup import counted

#: The latest ones that are shown.
_SHOWN = 50


class Happenings(Panel):
    """A line for each, the latest first."""

    title = "Events"
    nothing = "Nothing has happened: no worker was lost, no block made again, nothing fallen back from."

    def _made(self) -> Any:
        self._list = Div(styles={"overflow-y": "auto", "padding": "4px 12px"})
        return self._list

    def _draw(self) -> str | None:
        happened = list(self.record.happenings)
        if not happened:
            return None
        rows = "".join(
            f'<tr><td style="color:#888;padding-right:12px">{time.strftime("%H:%M:%S", time.localtime(known.when))}</td>'
            f"<td>{html.escape(known.text)}</td></tr>"
            for known in reversed(happened[-_SHOWN:])
        )
        text = f'<table style="font:13px sans-serif">{rows}</table>'
        if self._list.text != text:
            self._list.text = text
        return f"{counted(len(happened), 'event')}, the latest first"
