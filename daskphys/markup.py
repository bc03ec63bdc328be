"""HTML for notebooks: a card with a title, a few lines, and thumbnails.  Fits light and dark themes."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

_BORDER = "1px solid color-mix(in srgb, currentColor 25%, transparent)"


class Markup(str):
    """Text that is HTML already."""


def link(address: str) -> Markup:
    """An address to click on."""
    return Markup(f'<a style="color:inherit" href="{html.escape(address)}">{html.escape(address)}</a>')


def card(title: str, rows: Sequence[tuple[str, str]], thumbnails: Sequence[tuple[str, Any]] = ()) -> str:
    """A framed block: `title`, a table of (name, text), and (caption, 2-D array) pictures."""
    lines = "".join(
        f'<tr><th style="text-align:left;font-weight:500;opacity:.7;padding-right:1em">{html.escape(name)}</th>'
        f'<td style="text-align:left">{text if isinstance(text, Markup) else html.escape(text)}</td></tr>'
        for name, text in rows
    )
    pictures = "".join(
        f'<figure style="display:inline-block;margin:4px 8px 0 0;text-align:center">'
        f'<img alt="{html.escape(caption)}" src="data:image/png;base64,{_png(picture)}" '
        f'style="width:64px;height:64px;image-rendering:pixelated"/>'
        f'<figcaption style="font-size:.75em;opacity:.7">{html.escape(caption)}</figcaption></figure>'
        for caption, picture in thumbnails
    )
    return (
        f'<div style="border:{_BORDER};border-radius:6px;padding:8px 12px;display:inline-block">'
        f'<div style="font-family:monospace">{html.escape(title)}</div>'
        f'<table style="margin:4px 0;font-size:.9em">{lines}</table>{pictures}</div>'
    )


def _png(picture: Any) -> str:
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, np.asarray(picture), format="png", cmap="gray")
    return base64.b64encode(buffer.getvalue()).decode()


def bytes_text(n: float) -> str:
    """A number of bytes for people: ``"3.1 MiB"``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(n) < 1024 or unit == "GiB":
            break
        n /= 1024
    return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"


def span(start: int, stop: int) -> str:
    """The sensors ``start … stop-1``: ``"sensor 3"``, ``"sensors 4…7"``."""
    return f"sensor {start}" if stop == start + 1 else f"sensors {start}…{stop - 1}"


def counted(n: int, what: str) -> str:
    """A number of things: ``"1 task"``, ``"2 tasks"``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def listed(sensors: Sequence[int]) -> str:
    """Sensors in ascending order, runs of them by their ends: ``"sensors 0, 1, 4…9"``."""
    runs: list[list[int]] = []
    for index in sensors:
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    texts = [f"{run[0]}…{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"{'sensor' if len(sensors) == 1 else 'sensors'} {', '.join(texts)}"
