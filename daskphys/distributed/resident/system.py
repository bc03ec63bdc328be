"""The system that a solver sees when it runs on the worker at the root of the tree."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from distributed.comm import get_address_host

from daskphys.dashboard.telling import EVENTS, PROGRESS
from daskphys.distributed import connecting
from daskphys.distributed.resident.link import PeerLost
from daskphys.distributed.resident.part import Sums
from daskphys.distributed.resident.residence import residence
from daskphys.distributed.resident.session import Session, Share, SolveOrder
from daskphys.distributed.resident.tree import Block, Node, grow
from daskphys.distributed.waiting import MAX_ATTEMPTS
from daskphys.krylov.system import Scalars
from daskphys.pairwise import PairwiseSum, Partial

#: Seconds between two messages of progress.
INTERVAL = 0.1

#: Seconds between two looks whether the solve is still wanted, or a lost block is there again.
_POLL = 0.05

T = TypeVar("T")


class SolveCancelled(Exception):
    """The client does not want the result any more."""


@dataclass(frozen=True)
class Job:
    """A solve as the client orders it.

    Parameters
    ----------
    solve, title
        Its name, and the solver's.
    blocks, homes
        The blocks in ascending order, and the worker that each was on when the client looked.
    order
        What every worker of the solve is told.
    """

    solve: str
    title: str
    blocks: tuple[Block, ...]
    homes: tuple[str, ...]
    order: SolveOrder

    @property
    def root(self) -> str:
        """Where the solver runs."""
        return self.homes[0]


class ResidentSystem:
    """min ‖A x − y‖² over the blocks that workers hold; one call is one round trip among them.

    A worker that is lost costs a repetition of the product where the product is all that it knew (`normal`).
    Where it took a part of U with it, that is a `PeerLost`, and the solver has to begin again.

    Parameters
    ----------
    worker
        The Dask worker that it runs on.
    job
        The solve.
    key
        The task that it runs in: when nobody wants its result any more, the next product raises `SolveCancelled`.

    Attributes
    ----------
    heard : list of (int, float)
        What the solver has said of its progress: iterations and residuals.
    """

    def __init__(self, worker: Any, job: Job, key: Any) -> None:
        self._worker, self._job, self._key = worker, job, key
        self._loop = residence(worker).loop
        self._session: Session | None = None
        self._lost: set[str] = set()
        self.heard: list[tuple[int, float]] = []
        self._sent, self._told = 0, 0.0
        self.products, self.rebuilt = 0, 0

    # -- what a solver asks --------------------------------------------------------------------------------

    def start(self, x0: Any) -> tuple[Scalars, Any]:
        return self._measured("begin", x0=x0)

    def step(self, v: Any, scale: Scalars) -> tuple[Scalars, Any]:
        return self._measured("step", v=v, scale=scale)

    def _measured(self, what: str, **arrays: Any) -> tuple[Scalars, Any]:
        sums = self._product(what, arrays)
        return _total(sums.squares), self._open.part.lowered(_total(sums.images))

    def normal(self, p: Any, weights: Any = None) -> Any:
        arrays = {"p": p} if weights is None else {"p": p, "weights": weights}
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return _total(self._product("gram", arrays).images)
            except PeerLost as error:
                if attempt == MAX_ATTEMPTS:
                    raise
                self._lost.add(error.address)
                self.rebuilt += 1
                self._worker.log_event(
                    EVENTS, {"kind": "rebuilt", "title": self._job.title, "lost": error.address}
                )
                self._settle()
        raise AssertionError

    def progress(self, iteration: int, residual: float) -> None:
        """Tell the client, now and then, of all iterations since; of the last ones the task's result tells it."""
        self.heard.append((int(iteration), float(residual)))
        if (now := time.monotonic()) >= self._told + INTERVAL:
            self._told = now
            self._worker.log_event(PROGRESS, self._untold())

    def _untold(self) -> dict[str, Any]:
        """A message of the iterations that nobody was told of yet."""
        first, self._sent = self._sent, len(self.heard)
        job = self._job
        return {"solve": job.solve, "title": job.title, "first": first, "iterations": self.heard[first:]}

    # -- how it is answered --------------------------------------------------------------------------------

    def _product(self, what: str, arrays: Mapping[str, Any]) -> Sums:
        """The partial sums of all workers: those below compute while this one does."""
        session = self._open
        below = asyncio.run_coroutine_threadsafe(session.ask(what, **arrays), self._loop)
        own = session.own(what, arrays)
        sums = session.total(own, self._waited(below))
        self.products += 1
        return sums

    def _on_loop(self, act: Coroutine[Any, Any, T]) -> T:
        return self._waited(asyncio.run_coroutine_threadsafe(act, self._loop))

    def _waited(self, future: concurrent.futures.Future[T]) -> T:
        while True:
            self._check_wanted()
            try:
                return future.result(timeout=_POLL)
            except concurrent.futures.TimeoutError:
                if future.done():
                    raise

    def _check_wanted(self) -> None:
        task = self._worker.state.tasks.get(self._key)
        if task is None or task.state == "cancelled":
            raise SolveCancelled(f"{self._key}: its client has cancelled it or is gone")

    @property
    def _open(self) -> Session:
        assert self._session is not None
        return self._session

    def __enter__(self) -> Self:
        self._settle()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        if error is not None:
            self._worker.log_event(EVENTS, {"kind": "stopped"} | self._untold())

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            home = residence(self._worker)
            home.sessions.discard(session)
            self._loop.call_soon_threadsafe(session.close)

    def _settle(self) -> None:
        """Connect the workers that have the blocks now, when the scheduler has made again what was lost."""
        self._close()
        deadline = time.monotonic() + connecting.timeout()
        while True:
            try:
                session = Session(self._worker, self._tree(), self._job.order)
                residence(self._worker).sessions.add(session)
                self._session = session
                return self._on_loop(session.open())
            except PeerLost:
                self._close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL)

    def _tree(self) -> Node:
        scheduler, here = self._worker.scheduler, self._worker.address
        blocks = self._job.blocks
        where = self._on_loop(scheduler.who_has(keys=[b.key for b in blocks]))
        workers = self._on_loop(scheduler.identity(n_workers=-1))["workers"]
        homes = []
        for block, home in zip(blocks, self._job.homes, strict=True):
            there = [a for a in where.get(block.key, ()) if a in workers and a not in self._lost]
            if not there:
                raise PeerLost(home, f"its block {block.start}:{block.stop} is nowhere else yet")
            homes.append(home if home in there else here if here in there else min(there))
        if here not in homes:
            raise PeerLost(here, "it has no block any more, and cannot be the root")
        threads = {address: int(info["nthreads"]) for address, info in workers.items()}
        hosts = {address: get_address_host(address) for address in workers}
        return grow(blocks, homes, threads, hosts, here)

    def end(self) -> list[Share]:
        """What each worker did; the dashboard is told of it too."""
        session = self._open
        try:
            shares = session.shares(self._on_loop(session.ask("end")))
        except PeerLost:  # after the last product: the solution is there
            return session.shares([])
        nodes = list(session.node)  # in the order of the shares
        said = [
            (node.address, [(*bound, seconds) for bound, seconds, _ in share.runs], share.up)
            for node, share in zip(nodes, shares, strict=True)
        ]
        self._worker.log_event(
            EVENTS,
            self._untold()
            | {
                "kind": "solved",
                "token": self._job.blocks[0].key[0].removeprefix("block-"),
                "products": self.products,
                "edges": [(node.address, child.address) for node in nodes for child in node.children],
                "shares": said,
                "down": sum(share.sent - share.up for share in shares),
            },
        )
        return shares


def _total(parts: list[Partial]) -> Any:
    return PairwiseSum.join([parts], given_up=True).total()
