"""A solve as the client sees it: one task to order, its progress to hear, and one result."""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from distributed import Future

from daskphys import backend
from daskphys.distributed.ledger import Entry
from daskphys.distributed.report import Call
from daskphys.distributed.resident.hearing import listening
from daskphys.distributed.resident.part import Form
from daskphys.distributed.resident.residence import settle
from daskphys.distributed.resident.session import SolveOrder
from daskphys.distributed.resident.system import Job
from daskphys.distributed.resident.task import Outcome, run_solver
from daskphys.distributed.resident.tree import Block
from daskphys.distributed.runner import Runner
from daskphys.distributed.waiting import WATCH, WorkersGone, until_done, wait_here
from daskphys.errors import FallbackWarning, warn
from daskphys.krylov.system import Progress, Solution
from daskphys.markup import counted
from daskphys.physics.system import scalars_shape


def solve(
    operator: Any, solver: Callable[..., Solution], y: Any, shape: Any, x0: Any, progress: Progress | None
) -> Solution:
    """What `solver` makes of ``operator x = y``, on the workers that hold the operator's blocks.

    Parameters
    ----------
    operator : DistributedPhysics
        The operator; its report is that of the solve afterwards.
    solver
        One of `daskphys.krylov`, or any callable like them that pickles.
    y, x0 : Measurements or None, array or None
        The measurements (None for a solver that uses AᴴA alone), and where to start from.
    shape
        That of x.
    progress
        Is told of each iteration, in their order, in a bundle every tenth of a second.  What it raises ends the
        solve.

    Raises
    ------
    MemoryPlanError
        An iteration cannot fit into the memory of the workers; nothing was submitted.
    WorkersLostError
        Workers were lost in each of several attempts.
    """
    begin, name = time.perf_counter(), uuid.uuid4().hex[:12]
    title = _title(solver)
    given = [*(() if y is None else y), *(() if x0 is None else (x0,))]
    facts, ctx = operator.holding.facts, operator.ctx
    form = Form(
        tuple(shape),
        scalars_shape(operator, shape),
        transform=facts.transform.outline(),
        wide=facts.makes_complex or any(map(backend.is_complex, given)),
        device=ctx.device,
        expected=operator.recipe.expected(tuple(shape)),
    )
    settle(ctx.client)
    image = np.broadcast_to(np.zeros((), operator._adjoint_dtype(backend.dtype_name(given[0]))), shape)
    vectors = getattr(solver, "vectors", 1) * image.nbytes
    blocks, workers = operator.holding.groups(), operator.holding.workers
    for method, value in ((f"A_adjoint in {title}", y), (f"A_adjoint_A in {title}", image)):
        operator.runner.guard.check(method, blocks, workers, value, beside=vectors)

    def attempt(number: int) -> tuple[Outcome, int]:
        attempted = _Attempt(operator.runner, f"{name}-{number}", progress)
        return attempted.run(solver, y, x0, form), number

    try:
        outcome, number = until_done(title, attempt)
    except _Raised as raised:
        raise raised.error from None
    solution, shares = outcome.solution, outcome.shares
    operator.runner.last = Call(
        name,
        f"{title}, {counted(solution.iterations, 'iteration')}, {counted(outcome.products, 'product')}, resident on "
        f"worker {outcome.worker} of {len(shares)}",
        tasks=1,
        seconds=time.perf_counter() - begin,
        bytes_sent=sum(map(backend.nbytes, given)),
        bytes_returned=int(solution.x.nbytes),
        attempts=number + outcome.rebuilt,
        bytes_between=sum(share.sent for share in shares),
        blocks=tuple(Entry(s.worker, *run) for s in shares for run in s.runs),
    )
    return replace(solution, x=backend.like(solution.x, given[0])) if given else solution


def _title(solver: Any) -> str:
    return str(getattr(solver, "__name__", type(solver).__name__))


_CALLS = "a solver iterates in this process, with calls to the cluster at each iteration"


def warn_of_calls(operator: Any) -> None:
    """Say once of an operator that what is made of it has no resident solve."""
    if operator.__dict__.get("_warned_of_calls"):
        return
    operator.__dict__["_warned_of_calls"] = True
    if _CALLS not in operator.ctx.fallbacks:
        operator.ctx.fell_back(_CALLS)
    warn(
        f"{operator!r}: {_CALLS}: a solve runs on the workers for a distributed operator D, its multiples, D @ B and "
        f"AᴴA of it, not for an adjoint, or a product or sum in which D is one part",
        FallbackWarning,
    )


class _Raised(Exception):
    """The client's own `progress` raised `error`: that is no loss of a worker, whatever its type."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class _Attempt:
    """One attempt at a solve."""

    def __init__(self, runner: Runner, name: str, progress: Progress | None) -> None:
        self._runner, self._ctx, self._client = runner, runner.ctx, runner.ctx.client
        self._name, self._progress = name, progress
        self._blocks = runner.holding.blocks()
        self._heard: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run(self, solver: Any, y: Any, x0: Any, form: Form) -> Outcome:
        homes, sent = self._homes(), list[Future]()
        try:
            with listening(self._client, self._name, self._heard):
                return self._run(solver, y, x0, form, homes, sent)
        finally:
            for future in sent:  # not when they are collected: a traceback may hold them for long
                future.release()

    def _run(self, solver: Any, y: Any, x0: Any, form: Form, homes: list[str], sent: list[Future]) -> Outcome:
        keys: dict[str, Any] = {}
        for number, (home, arrays) in enumerate(self._at_home(y, homes).items()):
            sent.append(self._send(f"measurements-{self._name}-{number}", arrays, home))
            keys[home] = sent[-1].key
        if x0 is not None:
            sent.append(self._send(f"start-{self._name}", backend.to_numpy(x0), homes[0]))
        blocks = tuple(
            Block(*bound, ref.key) for bound, ref in zip(self._blocks.bounds, self._blocks.refs, strict=True)
        )
        future = self._client.submit(
            run_solver,
            solver,
            Job(self._name, _title(solver), blocks, tuple(homes), SolveOrder(form, keys)),
            None if x0 is None else sent[-1],
            key=f"solve-{self._name}",
            workers=[homes[0]],
            allow_other_workers=True,
            pure=False,
        )
        sent.append(future)
        try:
            return self._followed(future, homes[0])
        except BaseException:  # an interrupt too
            future.cancel()
            raise

    def _at_home(self, y: Any, homes: list[str]) -> dict[str, dict[int, Any]]:
        """Worker → the measurements of its sensors."""
        found: dict[str, dict[int, Any]] = {}
        if y is not None:
            for (start, stop), home in zip(self._blocks.bounds, homes, strict=True):
                found.setdefault(home, {}).update({i: backend.to_numpy(y[i]) for i in range(start, stop)})
        return found

    def _homes(self) -> list[str]:
        """Where each block is now, when all are there: where it was placed, if it still is."""
        futures = [Future(ref.key, self._client) for ref in self._blocks.refs]
        wait_here(self._ctx, futures, set(self._blocks.homes) - {None})
        where = self._client.who_has(futures)
        homes = []
        for future, home in zip(futures, self._blocks.homes, strict=True):
            there = where.get(future.key, ())
            if not there:
                raise WorkersGone(f"{future.key} is on no worker")
            homes.append(str(home if home in there else min(there)))
        return homes

    def _send(self, key: str, value: Any, home: str) -> Future:
        return self._runner.scatter({key: value}, home)[key]

    def _followed(self, future: Future, root: str) -> Outcome:
        """The result, when it is there."""
        future.add_done_callback(lambda _: self._heard.put(None))
        told = 0
        while not future.done():
            try:
                event = self._heard.get(timeout=WATCH)
            except queue.Empty:
                self._check(root)
                continue
            # Dask drops events when a connection breaks: what follows a gap waits for the result.
            if event is not None and event["first"] == told:
                told += len(event["iterations"])
                self._tell(event["iterations"])
        outcome: Outcome = future.result()
        self._tell(outcome.heard[told:])
        return outcome

    def _check(self, root: str) -> None:
        """Soft pins to a worker that is gone may pend for ever (`waiting.wait_here`)."""
        if root not in {w.address for w in self._ctx.require_workers().values()}:
            raise WorkersGone(f"{root}, which was to run the solver, is gone")

    def _tell(self, iterations: Sequence[tuple[int, float]]) -> None:
        if self._progress is not None:
            try:
                for iteration, residual in iterations:
                    self._progress(iteration, residual)
            except Exception as error:
                raise _Raised(error) from error
