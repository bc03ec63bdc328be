"""How far an iteration has come: tqdm's bar in a terminal or a notebook, or one line of our own where there is no tqdm."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from typing import Any, Protocol

_WIDTH = 20
_EVERY = 0.1  # seconds between two drawings


class Drawing(Protocol):
    """A bar that is somewhere to be seen."""

    def draw(self, done: float, text: str) -> None:
        """Show what part is done, from 0 to 1, and a text."""

    def close(self) -> None:
        """Leave it as it is."""


class Bar:
    """``[########            ] cg: iteration 12, residual 3.2e-04``, drawn over itself on stderr.

    It is full when the residual has come down to `rtol`, on a logarithmic scale.  Use it as a context, so that the
    line ends however the iteration does.
    """

    def __init__(self, name: str, rtol: float) -> None:
        self._name, self._rtol = name, rtol
        self._first, self._drawn = 0.0, -math.inf
        self._shown: tuple[float, str] | None = None
        self._drawing: Drawing | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawing is not None and self._shown is not None:
            self._drawing.draw(*self._shown)  # the last state may have been drawn over for being too soon
            self._drawing.close()

    def __call__(self, iteration: int, residual: float) -> None:
        self._first = max(self._first, residual)
        self._shown = self._done(residual), f"{self._name}: iteration {iteration}, residual {residual:.1e}"
        now = time.monotonic()
        if now - self._drawn >= _EVERY:
            self._drawn = now
            if self._drawing is None:  # not before there is something to draw
                self._drawing = drawing()
            self._drawing.draw(*self._shown)

    def _done(self, residual: float) -> float:
        if residual <= self._rtol:
            return 1.0
        if not (self._rtol and math.isfinite(residual) and self._first > self._rtol):
            return 0.0
        return math.log(self._first / residual) / math.log(self._first / self._rtol)


def drawing() -> Drawing:
    """tqdm's bar for where this runs, a widget in a notebook, if tqdm is installed; else a line on stderr."""
    with contextlib.suppress(ImportError):
        return _Tqdm()
    return _Line()


class _Line:
    """A line on stderr."""

    def draw(self, done: float, text: str) -> None:
        bar = ("#" * round(_WIDTH * done)).ljust(_WIDTH)
        print(f"\r[{bar}] {text}", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        print(file=sys.stderr, flush=True)


class _Tqdm:
    """tqdm's bar; its thread that watches for bars without news is not started, for we draw by ourselves."""

    def __init__(self) -> None:
        from tqdm.auto import tqdm

        class Unwatched(tqdm):  # type: ignore[misc]
            monitor_interval = 0

        self._bar: Any = Unwatched(
            total=1.0, bar_format="{percentage:3.0f}%|{bar:20}| {desc} [{elapsed}]", delay=1e-9
        )

    def draw(self, done: float, text: str) -> None:
        self._bar.n = done
        self._bar.set_description_str(text, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()
