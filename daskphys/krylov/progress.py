"""One line on a terminal, or in a notebook, that says how far an iteration has come."""

from __future__ import annotations

import math
import sys
import time

_WIDTH = 20
_EVERY = 0.1  # seconds between two lines


class Bar:
    """``[########            ] cg: iteration 12, residual 3.2e-04``, drawn over itself on stderr.

    It is full when the residual has come down to `rtol`, on a logarithmic scale.  Use it as a context, so that the
    line ends however the iteration does.
    """

    def __init__(self, name: str, rtol: float) -> None:
        self._name, self._rtol = name, rtol
        self._first, self._drawn, self._text = 0.0, -math.inf, ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._text:
            print(f"\r{self._text}", file=sys.stderr, flush=True)

    def __call__(self, iteration: int, residual: float) -> None:
        self._first = max(self._first, residual)
        bar = ("#" * round(_WIDTH * self._done(residual))).ljust(_WIDTH)
        self._text = f"[{bar}] {self._name}: iteration {iteration}, residual {residual:.1e}"
        now = time.monotonic()
        if now - self._drawn >= _EVERY:
            self._drawn = now
            print(f"\r{self._text}", end="", file=sys.stderr, flush=True)

    def _done(self, residual: float) -> float:
        if residual <= self._rtol:
            return 1.0
        if not (self._rtol and math.isfinite(residual) and self._first > self._rtol):
            return 0.0
        return math.log(self._first / residual) / math.log(self._first / self._rtol)
