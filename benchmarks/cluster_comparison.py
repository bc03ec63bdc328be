"""What runs on workers against deepinv's processes: whole calls, results left where they are, solvers."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import dask.array as da
import numpy as np
from distributed import wait

from benchmarks.clusters import empty_call
from benchmarks.peers import hand
from benchmarks.problems import Problem, solvable_blurs
from benchmarks.rivals import Rivals, add_rows
from benchmarks.timing import TIMES, Bench, Case, Spread, in_turns, once
from benchmarks.turns import Turn
from daskphys import backend
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics.stack import StackedPhysics

#: The relative residual of the normal equations at which solvers stop.
RTOL = 1e-5
MOST = 1000

WHOLE_CALLS = Problem(3, (3, 767, 512))
LEFT_ON_WORKERS = Problem(8, (2048, 2048))


def whole_calls(bench: Bench) -> Case:
    """Scheduler, the image there and the result back included."""
    problem = WHOLE_CALLS
    case = Case("whole calls", f"distributed, all included, {problem.label} ({TIMES})")
    A, x = problem.operator(), problem.image()
    y = A(x)
    D = {f"daskphys, 2 {kind}": distribute(A, ctx) for kind, ctx in bench.contexts.items()}
    delayed = hand.DelayedByHand(A, problem.space, bench.processes.client)
    products: dict[str, tuple[Callable[[Any], Any], Callable[[], Any]]] = {
        "A": (lambda S: S.A(x), lambda: delayed.A(x)),
        "Aᵀ": (lambda S: S.A_adjoint(y), lambda: delayed.At(y)),
        "AᵀA": (
            lambda S: S.A_adjoint_A(x) if S is A else S.A_adjoint_A(x, method="tree"),
            lambda: delayed.AtA(x),
        ),
    }
    with Rivals.of(bench, A, x, list(products), distributed=True) as rivals:
        for product, (ours, by_hand) in products.items():
            plain = A._gram(x) if product == "AᵀA" else ours(A)
            for S in D.values():
                assert all(map(np.array_equal, arrays(ours(S)), arrays(plain))), f"{product}: other bits"
            assert all(
                np.allclose(a, b, atol=1e-4) for a, b in zip(arrays(by_hand()), arrays(plain), strict=True)
            )
            rivals.check(product, np.stack(arrays(plain)) if product == "A" else plain)
            calls = {"plain": lambda ours=ours: ours(A)}
            calls |= {name: lambda ours=ours, S=S: ours(S) for name, S in D.items()}
            calls["dask.delayed by hand"] = by_hand
            if product == "A":
                for kind, ctx in bench.contexts.items():
                    calls[f"one empty graph, {kind}"] = lambda ctx=ctx: empty_graph(ctx)
                    calls[f"the same with the arrays, {kind}"] = lambda ctx=ctx: empty_call(ctx, x)
            times = rivals.time(product, calls, seconds=8)
            case.timings[f"{product} whole, {problem.label}"] = times
            add_rows(case, product, times, rivals.chosen, "plain")
    case.notes.append(
        "AᵀA on workers is the sum of the sensors' products, reduced by the tree; plain, it is merged"
    )
    case.notes.append("one empty graph: submit → result of one task, nothing sent: the floor of any call")
    case.notes.append("the same with the arrays: 4 empty tasks, the image there and three of its size back")
    case.notes += bench.peers.notes()
    return case


def arrays(result: Any) -> list[np.ndarray]:
    return [result] if isinstance(result, np.ndarray) else list(result)


def empty_graph(ctx: DistributedContext) -> Any:
    """One task that does nothing, and its result."""
    return ctx.client.submit(len, (), pure=False).result()


def left_on_workers(bench: Bench) -> Case:
    """A and Aᵀ whose results stay, against one thread, beside what two independent processes reach."""
    problem = Problem(8, (3, 256, 256)) if bench.quick else LEFT_ON_WORKERS
    case = Case(
        "left on workers", f"2 processes of one thread, results left there, {problem.label} ({TIMES})"
    )
    A, x, ctx = problem.operator(), problem.image(), bench.processes
    y, client = A(x), ctx.client
    homes = list(client.scheduler_info()["workers"])[:2]
    D = distribute(A, ctx, chunks=problem.n // len(homes))  # lazy results are computed block by block
    held = {
        product: client.scatter((A, given), broadcast=True, hash=False, direct=True)
        for product, given in (("A", x), ("Aᵀ", y))
    }
    there = da.from_array(x, chunks=-1).persist(scheduler=client)
    seen = D(there).persist()
    wait([there, *seen])
    assert all(np.array_equal(a.compute(), b) for a, b in zip(seen, y, strict=True))
    # The same image under another name: results of the first one are there and would not be computed again.
    again = da.from_array(x, chunks=-1, name="measured").persist(scheduler=client)
    wait(again)
    placed = {"A": lambda: D(again).persist(), "Aᵀ": lambda: D.A_adjoint(seen).persist()}
    for product, call in placed.items():

        def stay(call: Callable[[], Any] = call) -> None:
            result = call()
            wait(list(result) if isinstance(result, list | tuple) else result)

        def alone(workers: int, product: str = product) -> float:
            """Milliseconds of the plain product, in one thread each, in so many processes at once."""
            asked = [
                client.submit(one_thread, product, held[product], 2, workers=[home], pure=False)
                for home in homes[:workers]
            ]
            return float(np.mean(client.gather(asked)))

        stay()
        measures = {
            "one process": lambda: alone(1),
            "two independent processes": lambda: alone(2),
            "daskphys, 2 processes": lambda stay=stay: once(stay),
        }
        times = in_turns(measures, bench.seconds(20), least=2 if bench.quick else 5)
        case.timings[f"{product} left on workers, {problem.label}"] = times
        ideal = independent_speedup(times.rounds)
        reached = times.ratio("one process", "daskphys, 2 processes")
        row: dict[str, Any] = {"product": product, **{k: times.ms(k) for k in times.rounds}}
        row |= {"speed-up of two independent": ideal, "speed-up of daskphys": reached}
        case.rows.append(row)
    case.notes.append(
        "one process, two independent: the plain product on workers, inputs held there, in one thread"
    )
    case.notes.append("two independent processes do twice the work: their speed-up is 2 × one ÷ two")
    return case


def independent_speedup(rounds: Any) -> Spread:
    """What two processes that know nothing of each other gain."""
    pairs = zip(rounds["one process"], rounds["two independent processes"], strict=True)
    return Spread.of([2 * one / two for one, two in pairs])


def one_thread(product: str, held: tuple[StackedPhysics, Any], calls: int) -> float:
    """The median milliseconds of a product on a worker, in one thread as its tasks have it."""
    A, given = held
    taken = []
    with backend.fft_threads(1):
        for _ in range(calls):
            begin = time.perf_counter()
            result = A(given) if product == "A" else A.A_adjoint(given)
            taken.append(1e3 * (time.perf_counter() - begin))
            del result
    return median(taken)


def conjugate_gradients(problem: Problem) -> Callable[[Bench], Case]:
    """The case that solves a problem's normal equations."""

    def solve(bench: Bench) -> Case:
        from daskphys.optim import cg

        case = Case(f"cg {problem.name}", f"CG to {RTOL:g}, {problem.label}, float32 ({TIMES})")
        A, x = solvable_blurs(problem.n), problem.image()
        y = A(x)
        D = distribute(A, bench.processes)
        steps: list[int] = []
        found = cg(D, y, rtol=RTOL, max_iter=MOST, callback=lambda i, _: steps.append(i))
        products = {"daskphys, 2 processes": f"{steps[-1]} iterations, {residual(A, y, found):.1e}"}
        with Rivals.of(bench, A, x, ["CG"], distributed=True, rtol=RTOL, most=MOST) as rivals:
            for mode, peer in list(rivals.loaded.items()):
                with rivals.losing(mode):
                    theirs, told = peer.result(product="CG", first=1)
                    products[mode] = (
                        f"{told['products']} products, {residual(A, y, theirs.reshape(x.shape)):.1e}"
                    )
            calls = {
                "daskphys, 2 processes": lambda: cg(D, y, rtol=RTOL, max_iter=MOST),
                "daskphys, plain": lambda: cg(A, y, rtol=RTOL, max_iter=MOST),
            }
            times = rivals.time("CG", calls, seconds=6, turn=Turn(1, 0.0, 0), least=1 if bench.quick else 3)
            case.timings[f"CG, {problem.label}"] = times
            add_rows(case, "CG", times, rivals.chosen, "daskphys, 2 processes")
        for row in case.rows:
            row["took, with residual"] = products.get(row["by"], "")
        engine = "the merged engine" if D.normal_kind is not None else "the resident engine"
        case.notes.append(
            f"daskphys: {engine}; the blurs are mild, so that CG converges in about 100 iterations"
        )
        case.notes.append(
            "deepinv: A_dagger(solver='CG', local_only=False), measurements already on every rank"
        )
        case.notes += bench.peers.notes()
        return case

    solve.__name__ = f"cg-{problem.name}"
    return solve


def residual(A: StackedPhysics, y: Any, x: np.ndarray) -> float:
    """‖Aᵀ(A x − y)‖ ÷ ‖Aᵀ y‖."""
    back = A.A_adjoint(y)
    return float(np.linalg.norm(A.A_adjoint(A(x)) - back) / np.linalg.norm(back))


CASES = (
    whole_calls,
    left_on_workers,
    conjugate_gradients(Problem(8, (512, 512))),
    conjugate_gradients(Problem(8, (1024, 1024))),
)
