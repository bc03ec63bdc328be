"""What makes a Dask worker able to take part in solves: a plugin that answers connections of other workers.

Measured against actors and against calls by Dask's `rpc` (benchmarks/engine.py), a connection of its own for each
pair of neighbours in a solve costs the least, and it tells both sides at once when the other one dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from distributed import Client, WorkerPlugin
from distributed.core import Status
from distributed.protocol import to_serialize

from daskphys.distributed.resident.link import OPERATION, packed, write
from daskphys.distributed.resident.session import Session, SolveOrder
from daskphys.distributed.resident.tree import Node

_NAME = "daskphys-solve"


class Residence(WorkerPlugin):  # type: ignore[misc]
    """A worker's side of solves.

    Attributes
    ----------
    sessions : set of Session
        Its shares in solves that run now; a share goes with the connection that it serves.
    """

    name = _NAME
    idempotent = True

    def setup(self, worker: Any) -> None:
        self.worker, self.loop = worker, asyncio.get_running_loop()
        self.sessions: set[Session] = set()
        worker.handlers[OPERATION] = self.serve

    def teardown(self, worker: Any) -> None:
        worker.handlers.pop(OPERATION, None)
        for session in list(self.sessions):
            session.close()

    async def serve(self, comm: Any, node: Node, order: SolveOrder) -> Any:
        """Take part in a solve until the connection to the worker above is closed."""
        session = Session(self.worker, node, order)
        # Not in Dask's own threads: a task of one of them may be the solver above, which waits for this one.
        with contextlib.ExitStack() as ending:
            self.sessions.add(session)
            ending.callback(self.sessions.discard, session)
            ending.callback(session.close)
            thread = ThreadPoolExecutor(1, thread_name_prefix=_NAME)
            ending.callback(thread.shutdown, wait=False)
            try:
                await _reply(comm, session, session.open)
                while True:
                    question = await comm.read()
                    await _reply(comm, session, functools.partial(_answer, session, thread, **question))
            except OSError:
                pass  # the worker above has closed the connection, or is gone
        comm.abort()
        return Status.dont_reply


async def _answer(
    session: Session, thread: ThreadPoolExecutor, first: Any, ask: str, **arrays: Any
) -> dict[str, Any]:
    """The partial sums of this worker and of those below it, which compute at the same time."""
    if ask == "end":
        return {"shares": to_serialize(session.shares(await session.ask(ask)))}
    loop = asyncio.get_running_loop()
    below = asyncio.ensure_future(session.ask(ask, **arrays))
    try:
        own = await loop.run_in_executor(thread, session.own, ask, arrays)
    finally:
        await asyncio.wait([below])
    answers = await below
    return packed(own if not answers else await loop.run_in_executor(thread, session.total, own, answers))


async def _reply(comm: Any, session: Session, act: Callable[[], Any]) -> None:
    try:
        message = await act() or {}
    except Exception as error:
        message = {"failed": error}
    session.sent += await write(comm, message)


def residence(worker: Any) -> Residence:
    """The plugin of a worker that has it."""
    found: Residence = worker.plugins[_NAME]
    return found


_settled: weakref.WeakSet[Client] = weakref.WeakSet()


def settle(client: Client) -> None:
    """Give the plugin to all workers of a cluster, and to those that join later; once for each client."""
    if client not in _settled:
        client.register_plugin(Residence())
        _settled.add(client)
