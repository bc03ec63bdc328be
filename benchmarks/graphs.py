"""Benchmarks of task graphs: what they cost to build and to send, and what grouping neighbours brings."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
from distributed.protocol import deserialize, serialize, to_serialize

from benchmarks.timing import TIMES, Bench, Case, Spread, blurs, image
from daskphys.distributed import calls, distribute, runner
from daskphys.distributed.physics import DistributedPhysics
from daskphys.distributed.transport import Parcel
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.physics import Blur, Measurements, stack


def graph_sizes(bench: Bench) -> Case:
    case = Case(
        "graphs.1", f"the graph of one call, 2 workers of one thread, blurs of 3×3, 16² float32 ({TIMES})"
    )
    rng, x = np.random.default_rng(0), image(16, 16)
    for n in (3, 256) if bench.quick else (3, 256, 10_000):
        D = distribute(stack(*[Blur(rng.random((3, 3))) for _ in range(n)]), bench.processes)
        for grouped in (True, False):
            for name in ("A", "Aᵀ", "AᵀA by the tree", "normal"):
                case.rows.append(
                    {
                        "N": n,
                        "call": name,
                        "a task": "a thread" if grouped else "a block",
                        **_graph(D, name, x, grouped),
                    }
                )
    case.notes.append("bytes: what the client sends to the scheduler for the graph, without the image")
    return case


def _graph(D: DistributedPhysics, name: str, x: np.ndarray, grouped: bool) -> dict[str, Any]:
    """Tasks, bytes and milliseconds of a call's graph."""
    taken = []
    builder = GraphBuilder("none")
    for _ in range(9):
        begin = time.perf_counter()
        blocks = D.holding.groups() if grouped else D.holding.blocks()
        call = uuid.uuid4().hex[:12]
        builder = GraphBuilder(call)
        one = Ref(f"image-{call}")
        match name:
            case "A":
                calls.forward(builder, call, blocks, one)
            case "Aᵀ":
                y = {bound: Ref(f"measurements-{bound[0]}-{call}") for bound in blocks.bounds}
                calls.adjoint(builder, call, blocks, y, x.shape)
            case "normal":
                calls.normal(builder, call, blocks, x.shape)
            case _:
                calls.gram(builder, call, blocks, one)
        graph = builder.build()
        taken.append(1e3 * (time.perf_counter() - begin))
    _, frames = serialize(to_serialize(graph))
    sent = sum(memoryview(frame).nbytes for frame in frames)
    return {"tasks": len(builder), "bytes": sent, "bytes a sensor": sent / len(D), "build": Spread.of(taken)}


def client_time(bench: Bench) -> Case:
    case = Case(
        "graphs.2", "what the client itself does for a call (checks, shapes, results), 16² float32, ms a call"
    )
    rng, x = np.random.default_rng(0), image(16, 16)
    n = 256 if bench.quick else 10_000
    D = distribute(stack(*[Blur(rng.random((3, 3))) for _ in range(n)]), bench.contexts["threads"])
    y = D(x)
    inside: list[float] = []
    attempts = runner.until_done

    def timed(what: str, attempt: Callable[[int], Any]) -> Any:
        begin = time.perf_counter()
        try:
            return attempts(what, attempt)
        finally:
            inside.append(time.perf_counter() - begin)

    with mock.patch.object(runner, "until_done", timed):
        for name, call in {
            "A": lambda: D(x),
            "Aᵀ": lambda: D.A_adjoint(y),
            "AAᵀ": lambda: D.A_A_adjoint(y),
        }.items():
            own = []
            for _ in range(7):
                inside.clear()
                begin = time.perf_counter()
                call()
                own.append(1e3 * (time.perf_counter() - begin - sum(inside)))
            case.rows.append(
                {"N": n, "call": name, "client": Spread.of(own), "µs a sensor": 1e3 * median(own) / n}
            )
    return case


def grouping(bench: Bench) -> Case:
    case = Case("graphs.3", f"one task a thread against one a block, N=16, 512²×3, 2 workers ({TIMES})")
    A, x = blurs(16), image(3, 512, 512)
    y = A(x)
    for kind, ctx in bench.contexts.items():
        D = distribute(A, ctx)
        apart = distribute(A, ctx)
        apart.holding.groups = apart.holding.blocks  # type: ignore[method-assign]
        products: dict[str, Callable[[DistributedPhysics], Any]] = {
            "A": lambda P: P(x),
            "Aᵀ": lambda P: P.A_adjoint(y),
            "AᵀA by the tree": lambda P: P.A_adjoint_A(x, method="tree"),
        }
        for name, call in products.items():
            variants = {"thread": partial(call, D), "block": partial(call, apart)}
            times = bench.time(variants, seconds=8)
            row: dict[str, Any] = {"call": f"{name}, {kind}"}
            for key, P in (("thread", D), ("block", apart)):
                call(P)
                row |= {
                    f"a {key}": times.ms(key),
                    f"tasks, a {key}": P.report().tasks,
                    f"FFTs, a {key}": P.report().transforms,
                }
            case.rows.append(row | {"a thread ÷ a block": times.ratio("thread", "block")})
    return case


def parcels(bench: Bench) -> Case:
    case = Case(
        "graphs.4",
        f"2,500 measurements packed and unpacked: as a list, as Measurements, as a Parcel ({TIMES})",
    )
    for side in (8, 16, 32, 64, 128):
        y = [image(side, side) for _ in range(2500 if side < 128 else 500)]
        kinds: dict[str, Any] = {"list": list(y), "Measurements": Measurements(y), "Parcel": Parcel(y)}
        times = bench.time({k: lambda v=v: deserialize(*serialize(v)) for k, v in kinds.items()}, seconds=3)
        row = {"size": f"{side}²", "n": len(y), **{k: times.ms(k) for k in kinds}}
        case.rows.append(row | {"Parcel ÷ list": times.ratio("Parcel", "list")})
    return case


def futures_kept(bench: Bench) -> Case:
    case = Case(
        "graphs.5",
        f"futures of a call let go at once, or kept until the next has ended, N=3, 256²×3 ({TIMES})",
    )
    A, x = blurs(3), image(3, 256, 256)
    y = A(x)
    for kind, ctx in bench.contexts.items():
        D = distribute(A, ctx)
        last: list[Any] = []
        for name, call in {"A": lambda D=D: D(x), "Aᵀ": lambda D=D: D.A_adjoint(y)}.items():
            variants = {
                "at once": partial(_four, call),
                "kept": partial(_keeping, D, last, partial(_four, call)),
            }
            times = bench.time(variants, seconds=6)
            row = {"four calls": f"{name}, {kind}", **{k: times.ms(k) for k in variants}}
            case.rows.append(row | {"kept ÷ at once": times.ratio("kept", "at once")})
            last.clear()
    return case


def _four(call: Callable[[], Any]) -> None:
    for _ in range(4):
        call()


def _keeping(D: DistributedPhysics, last: list[Any], calls_of_it: Callable[[], None]) -> None:
    """Calls whose futures, and those of what they sent, stay until the next one has its own."""
    client, sent = D.ctx.client, []
    gather, scatter = client.gather, client.scatter

    def scattering(*args: Any, **how: Any) -> Any:
        sent.append(scatter(*args, **how))
        return sent[-1]

    def gathering(futures: Any) -> Any:
        result = gather(futures)
        last[:] = [futures, *sent]
        sent.clear()
        return result

    with mock.patch.multiple(client, gather=gathering, scatter=scattering):
        calls_of_it()


CASES = (graph_sizes, client_time, grouping, parcels, futures_kept)
