"""What one product of a solver costs beside its arithmetic, by each way of keeping operators on workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from distributed import WorkerPlugin, get_worker
from distributed.core import Status, connect
from distributed.protocol import to_serialize

from benchmarks.timing import Bench, Case, Spread, blurs, image, times_text
from daskphys.distributed import distribute
from daskphys.krylov.cg import CG
from daskphys.krylov.system import Solution
from daskphys.physics import Blur, LinearPhysics, gaussian_blur, stack, value
from daskphys.physics.system import LocalSystem

SHAPES = ((8, 8), (512, 512), (1024, 1024))


class Echo:
    """The actor: an object on a worker, whose methods Dask calls."""

    def product(self, x: np.ndarray) -> np.ndarray:
        return x


class Candidates(WorkerPlugin):
    """The other two: a handler that Dask's `rpc` calls, and a handler that keeps its connection."""

    name = "daskphys-benchmark"

    def setup(self, worker: Any) -> None:
        self.loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1)  # arithmetic does not run on the event loop

        async def by_rpc(x: Any) -> Any:
            return to_serialize(await self.loop.run_in_executor(thread, _same, x))

        async def by_connection(comm: Any) -> Any:
            try:
                while True:
                    x = (await comm.read())["x"]
                    await comm.write({"x": to_serialize(await self.loop.run_in_executor(thread, _same, x))})
            except OSError:
                return Status.dont_reply

        worker.handlers |= {"daskphys-by-rpc": by_rpc, "daskphys-by-connection": by_connection}


def _same(x: Any) -> Any:
    return x


def _timed(call: Callable[[], Any], n: int) -> list[float]:
    """Milliseconds of `n` calls, after some that do not count."""
    for _ in range(5):
        call()
    taken = []
    for _ in range(n):
        begin = time.perf_counter()
        call()
        taken.append(1e3 * (time.perf_counter() - begin))
    return taken


def round_trips(peer: str, actor: Any, shape: tuple[int, ...], n: int) -> dict[str, list[float]]:
    """On a worker: an image to the worker at `peer` and back, in each way."""
    worker = get_worker()
    loop = worker.plugins[Candidates.name].loop
    x = np.zeros(shape, np.float32)

    def on_loop(act: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(act, loop).result()

    async def begin() -> Any:
        comm = await connect(peer, **worker.connection_args)
        await comm.write({"op": "daskphys-by-connection", "reply": False})
        return comm

    async def kept() -> Any:
        await comm.write({"x": to_serialize(x)})
        return await comm.read()

    async def called() -> Any:
        return await getattr(worker.rpc(peer), "daskphys-by-rpc")(x=to_serialize(x))

    comm = on_loop(begin())
    try:
        return {
            "actor": _timed(lambda: actor.product(x).result(), n),
            "rpc to a handler": _timed(lambda: on_loop(called()), n),
            "kept connection": _timed(lambda: on_loop(kept()), n),
        }
    finally:
        loop.call_soon_threadsafe(comm.abort)


def candidates(bench: Bench) -> Case:
    case = Case("1", "an image to another worker and back, from a task (ms, lowest / median / highest)")
    n = 20 if bench.quick else 200
    for kind, ctx in bench.contexts.items():
        client = ctx.client
        client.register_plugin(Candidates())
        here, there = [w.address for w in ctx.workers().values()][:2]
        actor = client.submit(Echo, actor=True, workers=[there], pure=False).result()
        for shape in SHAPES:
            taken = client.submit(round_trips, there, actor, shape, n, workers=[here], pure=False).result()
            row: dict[str, Any] = {"workers": kind, "image": f"{times_text(shape)} float32"}
            case.rows.append(row | {name: Spread.of(times) for name, times in taken.items()})
    case.notes.append(
        "Caches keyed by tokens were not a way of their own: the blocks are in `worker.data` under the keys of "
        "their recipes, and each of the three can take them from there."
    )
    return case


@value
class Nothing(LinearPhysics):
    """An operator without arithmetic: what is left is the engine."""

    label: float
    domain_ndim = 2

    def _forward(self, x: Any) -> Any:
        return x

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return y


@dataclass(frozen=True)
class Stopwatch:
    """A solver whose residuals are the milliseconds of `n` products."""

    n: int
    method: str

    def __call__(self, system: Any, x0: Any, progress: Any = None) -> Solution:
        squares, p = system.start(None)
        zero = np.zeros(squares.shape)
        calls = {"normal": lambda: system.normal(p), "step": lambda: system.step(p, zero)}
        return Solution(p, self.n, tuple(_timed(calls[self.method], self.n)), True)


def overhead(bench: Bench) -> Case:
    case = Case("2", "a product of 2 workers without arithmetic: what the engine costs (ms)")
    n = 20 if bench.quick else 200
    for kind, ctx in bench.contexts.items():
        for shape in SHAPES:
            A = stack(Nothing(1.0), Nothing(2.0))
            D, y = distribute(A, ctx), A(np.zeros(shape, np.float32))
            row: dict[str, Any] = {"workers": kind, "image": f"{times_text(shape)} float32"}
            for method in ("normal", "step"):
                local = Stopwatch(n, method)(LocalSystem(A, y, shape), None).residuals
                row[method] = Spread.of(D._solve(Stopwatch(n, method), y, shape).residuals)
                row[f"{method}, in one process"] = Spread.of(local)
            case.rows.append(row)
    case.notes.append("In one process: the same additions (and ‖U‖², by `step`) by the plain operator.")
    return case


def _unmerged(n: int) -> Any:
    return stack(*[Blur(gaussian_blur((0.8 + 0.1 * i, 2.0), angle=7 * i), padding="valid") for i in range(n)])


class ByGraphs(LocalSystem):
    """Each product as one graph of the distributed operator."""

    def normal(self, p: Any) -> Any:
        return self._operator._gram(p)


def iterations(bench: Bench) -> Case:
    case = Case(
        "3", "CG to 1e-5, N=8, 2 workers: ms of one iteration (lowest / median / highest over solves)"
    )
    for size in (512, 1024)[: 1 if bench.quick else 2]:
        x = image(size, size)
        for name, A in (("circular", blurs(8)), ("valid", _unmerged(8))):
            y = A(x)
            for kind, ctx in bench.contexts.items():
                D = distribute(A, ctx)
                solver = CG(1e-5, 30, lam=1e-2)
                counted = solver(LocalSystem(A, y, x.shape)).iterations
                variants = {
                    "plain": lambda: A._solve(solver, y, x.shape),
                    "a graph an iteration": lambda: solver(ByGraphs(D, y, x.shape)),
                    "merged" if D.normal_kind else "resident": lambda: D._solve(solver, y, x.shape),
                }
                times = bench.time(variants, seconds=20)
                row: dict[str, Any] = {
                    "blurs": name,
                    "image": f"{size}²",
                    "workers": kind,
                    "iterations": counted,
                }
                for variant in variants:
                    each = [t / counted for t in times.rounds[variant]]
                    row["merged / resident" if variant in ("merged", "resident") else variant] = Spread.of(
                        each
                    )
                chosen = "merged" if D.normal_kind else "resident"
                row["graph ÷ engine"] = times.ratio("a graph an iteration", chosen)
                row["plain ÷ engine"] = times.ratio("plain", chosen)
                case.rows.append(row)
    return case


def bytes_moved(bench: Bench) -> Case:
    case = Case("4", "bytes between 2 worker processes for a product, N=8, in images of 2 (W − 1)")
    for size in (256, 512):
        A, x = _unmerged(8), image(size, size)
        D, y = distribute(A, bench.processes), A(x)
        for method in ("normal", "step"):
            moved = []
            for n in (5, 15):
                D._solve(Stopwatch(n, method), y, x.shape)
                moved.append(D.report().bytes_between)
            case.rows.append(
                {
                    "image": f"{size}²",
                    "product": method,
                    "÷ 2 (W − 1) |x|": (moved[1] - moved[0]) / 10 / (2 * x.nbytes),
                }
            )
    return case


CASES = (candidates, overhead, iterations, bytes_moved)
