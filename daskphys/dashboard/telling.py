"""What clients and workers tell the page: Dask's events, which no one waits for."""

from __future__ import annotations

import contextlib
from typing import Any

#: What has happened, and where a solver is: two topics, for clients listen to the second.  One for all solves, for Dask's
#: scheduler keeps the last messages of each topic for ever.
EVENTS, PROGRESS = "daskphys", "daskphys-progress"


def tell(client: Any, message: dict[str, Any]) -> None:
    """Send a message of the topic `EVENTS` to the scheduler, and go on at once.

    Parameters
    ----------
    client
        A client; of one that is closed nothing is sent.
    message
        Its ``"kind"`` says what it is (`Record.heard`); plain values.
    """

    async def send() -> None:
        # The page is no reason for a call to fail.
        with contextlib.suppress(OSError):
            await client.scheduler.log_event(topic=EVENTS, msg=message)

    if client.status == "running":
        client.loop.add_callback(send)
