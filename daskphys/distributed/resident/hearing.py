"""What the root of a solve tells the client: Dask's events, which cost the solve no round trip."""

from __future__ import annotations

import contextlib
import queue
import weakref
from collections.abc import Iterator
from typing import Any

from distributed import Client

from daskphys.dashboard.telling import PROGRESS

_queues: weakref.WeakKeyDictionary[Client, dict[str, queue.SimpleQueue[Any]]] = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def listening(client: Client, solve: str, heard: queue.SimpleQueue[Any]) -> Iterator[None]:
    """Put what is told of `solve` into `heard`.  A client has one handler for a topic, which all its solves share."""
    queues = _queues.get(client)
    if queues is None:
        queues = _queues.setdefault(client, {})

        def hear(event: tuple[float, dict[str, Any]]) -> None:
            if (found := queues.get(event[1]["solve"])) is not None:
                found.put(event[1])

        client.subscribe_topic(PROGRESS, hear)
    queues[solve] = heard
    try:
        yield
    finally:
        del queues[solve]
