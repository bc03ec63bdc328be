"""How far a call has come, for who waits for it: its tasks as the scheduler tells of them, drawn by the thread that waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from distributed import Client, Future
from distributed.diagnostics.progressbar import ProgressBar

from daskphys.krylov.progress import Drawing, drawing
from daskphys.markup import counted

#: Seconds after which a call is long enough for a bar.
DELAY = 0.5


class Told(ProgressBar):  # type: ignore[misc, unused-ignore]
    """Dask's own listener to the scheduler, which keeps what it hears in place of drawing it."""

    counts: tuple[int, int] | None = None

    async def until_told_all(self) -> None:
        """Listen until the tasks are done, or until this is cancelled; the connection is closed either way."""
        try:
            await self.listen()
        finally:
            if hasattr(self, "comm"):
                await self.comm.close()

    def _draw_bar(self, remaining: int, all: int, **_: Any) -> None:
        self.counts = all - remaining, all


class CallBar:
    """A bar of a call's tasks, from when it has taken a while; a context around the waiting.

    Parameters
    ----------
    name
        The call's.
    client, futures
        What is waited for; tasks that it depends on count too.
    """

    def __init__(self, name: str, client: Client, futures: Sequence[Future]) -> None:
        self._name, self._client, self._futures = name, client, futures
        self._told = Told(futures, scheduler=client.scheduler.address, complete=False)
        self._begun, self._drawing = time.monotonic(), None

    _drawing: Drawing | None

    def __enter__(self) -> Callable[[], None]:
        loop = self._client.loop.asyncio_loop
        self._listening = asyncio.run_coroutine_threadsafe(self._told.until_told_all(), loop)
        return self._draw

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.cancel()
        if self._drawing is not None:
            if self._told.counts is not None and all(f.status == "finished" for f in self._futures):
                self._told.counts = self._told.counts[1], self._told.counts[1]
                self._draw()
            self._drawing.close()

    def _draw(self) -> None:
        counts = self._told.counts
        if counts is not None and counts[1] and time.monotonic() - self._begun >= DELAY:
            if self._drawing is None:
                self._drawing = drawing()
            done, total = counts
            self._drawing.draw(done / total, f"{self._name}: {done} of {counted(total, 'task')}")
