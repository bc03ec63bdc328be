"""What scripts that a peer's interpreter runs have in common: the socket, the questions, the clock.

It imports nothing of daskphys, nor of any library of peers.
"""

from __future__ import annotations

import json
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class Connection:
    """The script's end of the socket that the benchmark listens on: a JSON object a line, there and back."""

    def __init__(self, address: str) -> None:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
        self._lines = connection.makefile("rw", encoding="utf-8")

    def ask(self) -> dict[str, Any]:
        """The next question; the last one where the benchmark is gone."""
        line = self._lines.readline()
        return dict(json.loads(line)) if line else {"do": "end"}

    def tell(self, answer: dict[str, Any]) -> None:
        self._lines.write(json.dumps(answer) + "\n")
        self._lines.flush()


def serve(peer: Any, ask: Callable[[], dict[str, Any]], tell: Callable[[dict[str, Any]], None]) -> None:
    """Answer questions (methods of `peer`, and keywords) until the last one; an error is an answer."""
    while True:
        question = ask()
        do = question.pop("do")
        try:
            answer = {} if do == "end" else getattr(peer, do)(**question)
        except Exception:
            answer = {"error": traceback.format_exc(limit=4)}
        tell(answer)
        if do == "end":
            return


def flat(given: Any) -> np.ndarray:
    """What a product gives, an array or several, as one array of one axis."""
    arrays = given if isinstance(given, Sequence) else [given]
    return np.concatenate([np.asarray(a).ravel() for a in arrays])


def once(call: Callable[[], Any]) -> float:
    """Milliseconds of one call."""
    begin = time.perf_counter()
    result = call()
    taken = 1e3 * (time.perf_counter() - begin)
    del result
    return taken


def turn(
    measure: Callable[[], float],
    calls: int,
    seconds: float,
    warm: int,
    agreed: Callable[[bool], bool] = lambda choice: choice,
) -> list[float]:
    """Up to `calls` measures, none begun after `seconds`; `warm` more come first.

    `agreed` makes one decision for all of several processes.
    """
    for _ in range(warm):
        measure()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or agreed(len(taken) < calls and time.perf_counter() < end):
        taken.append(measure())
    return taken
