"""What one product of a solver costs beside its arithmetic, by each way of keeping operators on workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from distributed import WorkerPlugin, get_client, get_worker
from distributed.core import Status, connect
from distributed.protocol import to_serialize

from benchmarks.timing import TIMES, Bench, Case, Spread, blurs, image, times_text
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


def round_trips(peer: str, shape: tuple[int, ...], n: int) -> dict[str, list[float]]:
    """On a worker: an image to the worker at `peer` and back, in each way."""
    worker = get_worker()
    loop = worker.plugins[Candidates.name].loop
    actor = get_client().submit(Echo, actor=True, workers=[peer], pure=False).result()
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
    case = Case("1", f"an image to another worker and back, from a task ({TIMES})")
    n = 20 if bench.quick else 200
    for kind, ctx in bench.contexts.items():
        client = ctx.client
        client.register_plugin(Candidates())
        here, there = [w.address for w in ctx.workers().values()][:2]
        for shape in SHAPES:
            taken = client.submit(round_trips, there, shape, n, workers=[here], pure=False).result()
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
    case = Case("2", f"a product of 2 workers without arithmetic: what the engine costs ({TIMES})")
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
    case = Case("3", f"an iteration of CG to 1e-5, λ = 0.01, N=8, 2 workers ({TIMES})")
    for size in (512, 1024)[: 1 if bench.quick else 2]:
        for name, A in (("circular", blurs(8)), ("valid", _unmerged(8))):
            case.rows += [_iteration(bench, name, A, size, kind) for kind in bench.contexts]
    return case


def _iteration(bench: Bench, name: str, A: Any, size: int, kind: str) -> dict[str, Any]:
    x, D = image(size, size), distribute(A, bench.contexts[kind])
    y, solver = A(x), CG(1e-5, 30, lam=1e-2)
    n = A._solve(solver, y, x.shape).iterations
    engine = "resident" if D.normal_kind is None else "merged"
    variants = {
        "plain": lambda: A._solve(solver, y, x.shape),
        "a graph an iteration": lambda: solver(ByGraphs(D, y, x.shape)),
        engine: lambda: D._solve(solver, y, x.shape),
    }
    times = bench.time(variants, seconds=20)
    row: dict[str, Any] = {"blurs": name, "image": f"{size}²", "workers": kind, "iterations": n}
    row |= {"engine": engine, "ms": Spread.of([t / n for t in times.rounds[engine]])}
    row |= {v: Spread.of([t / n for t in times.rounds[v]]) for v in ("plain", "a graph an iteration")}
    return row | {f"{v} ÷ engine": times.ratio(v, engine) for v in ("plain", "a graph an iteration")}


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
