"""What a command says while it works: paragraphs, and a bar of steps."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self, TextIO


class Progress:
    """Paragraphs on stdout and, where stderr is a terminal, a bar of steps once the work has taken a while.

    Parameters
    ----------
    total
        How many steps there will be.
    terminal
        Where the bar is drawn; nothing is drawn where it is no terminal.
    quiet
        Whether nothing is printed at all.
    delay
        After how many seconds the bar appears.
    """

    def __init__(self, total: int, terminal: TextIO, quiet: bool = False, delay: float = 1.0) -> None:
        self._total, self._terminal, self._quiet = total, terminal, quiet
        self._begun = 0
        self._text = ""
        self._visible = False
        self._lock = threading.Lock()  # the timer draws from a thread of its own
        self._timer = threading.Timer(delay, self._appear)

    def __enter__(self) -> Self:
        if not self._quiet and self._terminal.isatty():
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._erase()
            self._visible = False

    def say(self, paragraph: str) -> None:
        """Print a paragraph; the bar makes room for it."""
        if not self._quiet:
            with self._lock:
                self._erase()
                print(paragraph, end="\n\n", flush=True)
                self._draw()

    def step(self, text: str) -> None:
        """The next step begins."""
        with self._lock:
            self._begun += 1
            self._text = text
            self._draw()

    def _appear(self) -> None:
        with self._lock:
            self._visible = not self._timer.finished.is_set()
            self._draw()

    def _draw(self) -> None:
        if self._visible:
            bar = ("#" * (20 * (self._begun - 1) // self._total)).ljust(20)
            print(f"\r\x1b[K[{bar}] {self._text}", end="", file=self._terminal, flush=True)

    def _erase(self) -> None:
        if self._visible:
            print("\r\x1b[K", end="", file=self._terminal, flush=True)
