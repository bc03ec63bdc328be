"""Benchmarks of what runs on workers: calls, reductions, bytes, the allocator."""

from __future__ import annotations

import contextlib
import operator
import os
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from distributed import LocalCluster
from distributed.comm.tcp import TCP

from benchmarks.timing import TIMES, Bench, Case, blurs, image
from daskphys import backend
from daskphys.distributed import DistributedContext, distribute
from daskphys.distributed.cluster import ALLOCATOR
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.graph.tree import FAN_IN, join, reduce_tree
from daskphys.pairwise import Partial
from daskphys.physics import Blur, stack
from daskphys.physics.stack import StackedPhysics


def empty_call(ctx: DistributedContext, x: np.ndarray) -> list[np.ndarray]:
    """What a call with three blocks costs where nothing is computed: an image there, three back."""
    homes = [list(ctx.workers())[i] for i in (0, 0, 1)]
    name = f"floor-{uuid.uuid4().hex}"
    sent = ctx.client.scatter({f"image-{name}": x}, workers=[homes[0]], hash=False)
    (image_key,) = sent
    builder, itself = GraphBuilder(name), operator.itemgetter(...)
    parts = [builder.add((name, i), itself, Ref(image_key), worker=h) for i, h in enumerate(homes)]
    root = builder.add(f"root-{name}", len, parts, worker=homes[0])
    return list(ctx.client.get(builder.build(), [p.key for p in (*parts, root)]))[:3]


def fan_in(bench: Bench) -> Case:
    case = Case("4", f"fan-in of the tree reduction, 64 blocks of 256² float32 on 2 workers ({TIMES})")
    for kind, ctx in bench.contexts.items():
        homes = [w for w in list(ctx.workers())[:2] for _ in range(32)]
        held, name = {}, uuid.uuid4().hex
        for i, home in enumerate(homes):
            block = [Partial(i, i + 1, image(256, 256))]
            held |= ctx.client.scatter({f"fan-in-{i}-{name}": block}, workers=[home], hash=False)
        variants = {
            width: lambda width=width, ctx=ctx, homes=homes, held=held: reduced(ctx, list(held), homes, width)
            for width in sorted({2, 32, FAN_IN} if bench.quick else {2, 4, 8, 16, 32, FAN_IN})
        }
        times = bench.time({str(width): call for width, call in variants.items()}, seconds=12)
        for width, call in variants.items():
            row = {"workers": kind, "fan-in": width, "tasks": call()[1], "time": times.ms(str(width))}
            case.rows.append(row | {f"÷ fan-in {FAN_IN}": times.ratio(str(width), str(FAN_IN))})
    return case


def reduced(
    ctx: DistributedContext, keys: list[str], homes: Sequence[Any], width: int
) -> tuple[np.ndarray, int]:
    """The sum of blocks that workers hold, and how many tasks it took."""
    name = f"reduced-{uuid.uuid4().hex}"
    builder = GraphBuilder(name)
    root = reduce_tree(builder, name, [Ref(k) for k in keys], homes, join, fan_in=width)
    (part,) = ctx.client.get(builder.build(), root.key)
    return part.value, len(builder)


class WireTap:
    """Bytes that this process (client and scheduler) writes to TCP sockets, by where they go."""

    def __init__(self) -> None:
        self._written: list[tuple[str, str, int]] = []

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        plain = TCP.write

        async def write(comm: TCP, *args: Any, **kwargs: Any) -> int:
            n = int(await plain(comm, *args, **kwargs))
            self._written.append((comm.local_address, comm.peer_address, n))
            return n

        TCP.write = write
        try:
            yield
        finally:
            TCP.write = plain

    def taken(self, scheduler: str) -> dict[str, int]:
        """The bytes since the last time: to the scheduler, on to workers, back to the client."""
        written, self._written = self._written, []
        clients = {mine for mine, peer, _ in written if peer == scheduler}
        total = {"client → scheduler": 0, "scheduler → workers": 0, "scheduler → client": 0}
        for _, peer, n in written:
            if peer == scheduler:
                total["client → scheduler"] += n
            else:
                total["scheduler → client" if peer in clients else "scheduler → workers"] += n
        return total


def wire_bytes(bench: Bench) -> Case:
    case = Case("6", "bytes that client and scheduler write: 8 blurs of 257×257, 512²×3 float32, 2 processes")
    rng = np.random.default_rng(1)
    A, x = stack(*[Blur(rng.random((257, 257))) for _ in range(8)]), image(3, 512, 512)
    y, tap, scheduler = A(x), WireTap(), bench.processes.client.scheduler.address

    def add(step: str, what: str, goes: int, returns: int) -> None:
        row = {
            "step": step,
            **tap.taken(scheduler),
            "goes out": what,
            "bytes out": goes,
            "bytes back": returns,
        }
        case.rows.append(row)

    with tap.listening():
        D = distribute(A, bench.processes)
        add("distribute", "operators", A.nbytes, 0)
        for step in ("first", "second", "third"):
            D.A_adjoint(y)
            add(f"A_adjoint, {step}", "measurements", y.nbytes, x.nbytes)
        for step in ("first", "second"):
            D(x)
            add(f"A, {step}", "image", x.nbytes, y.nbytes)
    return case


@contextlib.contextmanager
def dask_cluster() -> Iterator[DistributedContext]:
    """Two worker processes as Dask itself starts them.

    A nanny leaves the variables that it sets in this process, and the next one takes them from there: what
    our own cluster has left is put aside first.
    """
    aside = {k: os.environ.pop(k) for k in ALLOCATOR if k in os.environ}
    try:
        cluster = LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        )
    finally:
        os.environ.update(aside)
    with cluster, DistributedContext(cluster=cluster) as ctx:
        yield ctx


def allocator_settings() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in ALLOCATOR}


def allocator(bench: Bench) -> Case:
    case = Case("8", f"the allocator of worker processes, N=8, 512²×3, 2 workers ({TIMES})")
    A, x = blurs(8), image(3, 512, 512)
    with dask_cluster() as dask_ctx:
        contexts = {"ALLOCATOR": bench.processes, "Dask's own": dask_ctx}
        D = {k: distribute(A, ctx) for k, ctx in contexts.items()}
        held = {k: ctx.client.scatter([A[:4], x], hash=False) for k, ctx in contexts.items()}
        for name, call in {
            "A": lambda k: D[k](x),
            "AᵀA by the tree": lambda k: D[k].A_adjoint_A(x, method="tree"),
            "4 sensors of A on one worker, nothing sent": lambda k: (
                contexts[k].client.submit(evaluated, *held[k], pure=False).result()
            ),
        }.items():
            times = bench.time({k: (lambda k=k, call=call: call(k)) for k in contexts}, seconds=8)
            row = {"call": name, **{k: times.ms(k) for k in contexts}}
            case.rows.append(row | {"Dask's own ÷ ALLOCATOR": times.ratio("Dask's own", "ALLOCATOR")})
        for k, ctx in contexts.items():
            settings = next(iter(ctx.client.run(allocator_settings).values()))
            case.notes.append(f"{k}: {', '.join(f'{name}={value}' for name, value in settings.items())}")
    return case


def evaluated(A: StackedPhysics, x: np.ndarray) -> int:
    """A product whose result stays where it is, in one thread as a block's task has it."""
    with backend.fft_threads(1):
        return len(A(x))
