"""Benchmarks of the page on Dask's dashboard: what it adds to the time of the work that it shows."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any
from unittest import mock

from bokeh.client import pull_session
from bokeh.server.views.ws import WSHandler

from benchmarks.timing import TIMES, Bench, Case, Spread, image, in_turns, several
from daskphys.dashboard.panels.panel import Panel
from daskphys.dashboard.watcher import Watcher
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import ConvergenceWarning
from daskphys.optim import lsmr
from daskphys.physics import Blur, gaussian_blur, stack

#: What is compared with the first: the same cluster without the plugin, with it, and with the page open.
VARIANTS = ("without", "watched", "page open")


def dashboard_cost(bench: Bench) -> Case:
    case = Case(
        "dashboard.1", f"the page on the dashboard, 8 valid blurs of 512²×3 on 2 worker processes ({TIMES})"
    )
    ctx = bench.processes
    work = _work(ctx)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name, call in work.items():
            measures = {v: partial(_turn, ctx, v, call, bench.quick) for v in VARIANTS}
            times = in_turns(measures, bench.seconds(25), bench.least)
            for v in VARIANTS:
                row = {"work": name, "dashboard": v, "time": times.ms(v)}
                case.rows.append(row | {"÷ without": times.ratio(v, VARIANTS[0])})
    case.notes.append(
        "without: the plugin is taken off the scheduler; page open: a session follows it as a browser does, in this process"
    )
    return case


def dashboard_share(bench: Bench) -> Case:
    case = Case(
        "dashboard.2",
        "the same: milliseconds of the scheduler's thread that the page takes in a second of the work (lowest / median / highest)",
    )
    ctx = bench.processes
    with warnings.catch_warnings(), _clock() as spent, _watched(ctx, "page open"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name, call in _work(ctx).items():
            rounds = [_spent(call, spent, bench.quick) for _ in range(bench.least)]
            for part in (*PARTS, "all"):
                took = Spread.of([one[part] for one in rounds])
                case.rows.append(
                    {"work": name, "part": part, "ms a second": took, "%": round(took.mid / 10, 2)}
                )
    case.notes.append(
        "timed in their own functions, by the thread's own clock, with one page open; without a page there is the plugin alone"
    )
    return case


#: What the page takes of the scheduler's thread: what it sees, what it makes of it, and what Bokeh sends.
PARTS = ("plugin", "panels", "messages")


@contextlib.contextmanager
def _clock() -> Iterator[dict[str, float]]:
    """The seconds of its thread that each part has taken, from now on."""
    spent = dict.fromkeys(PARTS, 0.0)

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent[part] += time.thread_time() - began

        return measured

    async def sent(handler: Any, message: Any) -> Any:
        return await _Steps(send(handler, message), timed)

    send = WSHandler.send_message
    with contextlib.ExitStack() as patches:
        patches.enter_context(mock.patch.object(WSHandler, "send_message", sent))
        for part, owner, name in (
            ("plugin", Watcher, "transition"),
            ("plugin", Watcher, "log_event"),
            ("panels", Panel, "update"),
        ):
            patches.enter_context(mock.patch.object(owner, name, timed(part, getattr(owner, name))))
        yield spent


class _Steps:
    """A coroutine whose steps are timed, and not what the loop does between them."""

    def __init__(
        self, coroutine: Any, timed: Callable[[str, Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        self._coroutine = coroutine
        self._timed = timed

    def __await__(self) -> Any:
        steps = self._coroutine.__await__()
        step, value = self._timed("messages", steps.send), None
        while True:
            try:
                waits_for = step(value)
            except StopIteration as end:
                return end.value
            value = yield waits_for


def _spent(call: Callable[[], Any], spent: dict[str, float], quick: bool) -> dict[str, float]:
    """Milliseconds a second of each part, and of all, while `call` runs over and over."""
    call()
    began, before = time.perf_counter(), dict(spent)
    while (wall := time.perf_counter() - began) < (2 if quick else 10):
        call()
    took = {part: 1e3 * (spent[part] - before[part]) / wall for part in PARTS}
    return took | {"all": sum(took.values())}


def _work(ctx: DistributedContext) -> dict[str, Callable[[], Any]]:
    """What is run, by name."""
    D = distribute(stack(*[Blur(gaussian_blur(s), "valid") for s in (1.0, 1.5, 2.0, 2.5) * 2]), ctx)
    x = image(3, 512, 512)
    y = D(x)
    return {
        "Aᵀ": lambda: D.A_adjoint(y),
        "AᵀA by the tree": lambda: D.A_adjoint_A(x),
        "LSMR, 20 iterations": lambda: lsmr(D, y, rtol=0.0, max_iter=20),
    }


def _turn(ctx: DistributedContext, variant: str, call: Callable[[], Any], quick: bool) -> float:
    with _watched(ctx, variant):
        return several(call, 2 if quick else 12, 0.1 if quick else 1.2)


@contextlib.contextmanager
def _watched(ctx: DistributedContext, variant: str) -> Iterator[None]:
    """The cluster with what `variant` says, and as it was afterwards."""
    plugins = ctx._cluster.scheduler.plugins
    watcher = plugins.pop("daskphys")
    if variant != "without":
        plugins["daskphys"] = watcher
    session = None
    if variant == "page open":
        session = pull_session(url=ctx.dashboard_link.replace("status", "daskphys"))
    try:
        yield
    finally:
        if session is not None:
            session.close()
        plugins["daskphys"] = watcher


CASES = (dashboard_cost, dashboard_share)
