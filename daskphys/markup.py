"""HTML for notebooks: a card with a title, a few lines, tables and thumbnails.

Colours are those of the page that shows it: JupyterLab's variables, or those of Sphinx's pydata theme, or else what
follows from the text's own colour; so light and dark themes both fit.  All style is inline, for notebooks that are not
trusted lose style sheets, and there is no script.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np


def _of_text(percent: int) -> str:
    return f"color-mix(in srgb, currentColor {percent}%, transparent)"


_MUTED = f"var(--jp-content-font-color2, var(--pst-color-text-muted, {_of_text(70)}))"
_LINE = f"var(--jp-border-color2, var(--pst-color-border, {_of_text(25)}))"
_LINK = "var(--jp-content-link-color, var(--pst-color-link, inherit))"
_ACCENT = "var(--jp-brand-color1, var(--pst-color-primary, currentColor))"
_CODE = "var(--jp-code-font-family, ui-monospace, monospace)"

# Notebooks stripe the rows of tables, and set their text to the right: both are unset.
_ROW = "background:none;border:0"
_CELL = "padding:1px 14px 1px 0;border:0;vertical-align:top"

#: The longest side of a thumbnail in samples: larger arrays are averaged, so that a mask of lines is grey.
_SAMPLES = 64


class Markup(str):
    """Text that is HTML already."""


def link(address: str) -> Markup:
    """An address to click on."""
    return Markup(f'<a style="color:{_LINK}" href="{html.escape(address)}">{html.escape(address)}</a>')


def meter(fraction: float, label: str) -> Markup:
    """`label` with a bar that is as full as `fraction` says."""
    full = 100 * min(max(fraction, 0.0), 1.0)
    return Markup(
        f'<span style="white-space:nowrap">{html.escape(label)} <span aria-hidden="true" style="display:inline-block;'
        f'width:4em;height:.55em;border:1px solid {_LINE};border-radius:2px;overflow:hidden">'
        f'<span style="display:block;height:100%;width:{full:.0f}%;background:{_ACCENT}"></span></span></span>'
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """A table whose first column names its rows; cells are text or `Markup`, numbers stand to the right."""
    head = "".join(
        f'<th scope="col" style="{_CELL};color:{_MUTED};font-weight:500;text-align:{_side(column)}">{html.escape(name)}</th>'
        for name, column in zip(columns, [*zip(*rows, strict=True)] or [()] * len(columns), strict=True)
    )
    sides = [_side(column) for column in zip(*rows, strict=True)]
    body = ""
    for first, *cells in rows:
        named = f'<th scope="row" style="{_CELL};font-weight:500;text-align:{sides[0]}">{_text(first)}</th>'
        others = (
            f'<td style="{_CELL};text-align:{side}">{_text(cell)}</td>'
            for cell, side in zip(cells, sides[1:], strict=True)
        )
        body += f'<tr style="{_ROW}">{named}{"".join(others)}</tr>'
    return Markup(
        f'<table style="{_TABLE}"><thead style="border:0"><tr style="{_ROW}">{head}</tr></thead><tbody>{body}</tbody></table>'
    )


_TABLE = "margin:4px 0;border:0;border-collapse:collapse;font-size:.92em;font-variant-numeric:tabular-nums;color:inherit"


def card(
    title: str,
    rows: Sequence[tuple[str, str]],
    thumbnails: Sequence[tuple[str, Any]] = (),
    below: Markup | str = "",
) -> str:
    """A framed block: `title`, a table of (name, text), (caption, 2-D array) pictures, and what stands below."""
    lines = "".join(
        f'<tr style="{_ROW}"><th scope="row" style="{_CELL};color:{_MUTED};font-weight:500;text-align:left">'
        f'{html.escape(name)}</th><td style="{_CELL};text-align:left">{_text(text)}</td></tr>'
        for name, text in rows
    )
    table = f'<table style="{_TABLE}"><tbody>{lines}</tbody></table>' if lines else ""
    pictures = "".join(_figure(caption, picture) for caption, picture in thumbnails)
    return (
        f'<div role="group" aria-label="{html.escape(title)}" style="border:1px solid {_LINE};border-radius:6px;'
        f'padding:8px 12px;margin:2px 0;display:inline-block;max-width:100%;box-sizing:border-box;overflow-x:auto">'
        f'<div style="font-family:{_CODE};font-size:.92em;overflow-wrap:anywhere">{html.escape(title)}</div>'
        f"{table}{pictures}{_text(below)}</div>"
    )


def logarithmic(picture: Any, decades: float = 3.0) -> np.ndarray:
    """The logarithm of magnitudes, of so many decades below the largest, for a thumbnail."""
    size = sampled(np.abs(picture))
    largest = size.max(initial=0.0) or 1.0
    array: np.ndarray = np.log10(np.maximum(size / largest, 10.0**-decades))
    return array


def sampled(picture: Any) -> np.ndarray:
    """Means of blocks of real numbers, so that no side is longer than a thumbnail needs."""
    array = np.asarray(picture, dtype=np.float64)
    step = -(-max(array.shape) // _SAMPLES) or 1
    for axis in (0, 1) if step > 1 else ():
        starts = np.arange(0, array.shape[axis], step)
        lengths = np.diff(starts, append=array.shape[axis])
        array = np.add.reduceat(array, starts, axis) / np.expand_dims(lengths, 1 - axis)
    return array


def _text(cell: str) -> str:
    return cell if isinstance(cell, Markup) else html.escape(cell)


def _side(cells: Sequence[str]) -> str:
    """Where a column's cells stand: numbers (with a unit or a bar, perhaps) to the right."""
    return (
        "right" if cells and all(cell[:1].isdigit() or isinstance(cell, Markup) for cell in cells) else "left"
    )


def _figure(caption: str, picture: Any) -> str:
    label = html.escape(caption)
    return (
        f'<figure style="display:inline-block;margin:4px 8px 0 0;text-align:center">'
        f'<img alt="{label}" src="data:image/png;base64,{_png(picture)}" '
        f'style="width:64px;height:64px;object-fit:contain;image-rendering:pixelated;margin:0 auto;display:block"/>'
        f'<figcaption style="font-size:.75em;color:{_MUTED};margin:0">{label}</figcaption></figure>'
    )


def _png(picture: Any) -> str:
    """Grey levels from the least finite value to the greatest."""
    from PIL import Image

    array = sampled(picture)
    finite = array[np.isfinite(array)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    grey = np.nan_to_num((array - low) / ((high - low) or 1.0), nan=0.0, posinf=1.0, neginf=0.0)
    buffer = io.BytesIO()
    Image.fromarray(np.round(255 * grey).astype(np.uint8)).save(buffer, format="png")
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
