"""A merged AᴴA on the workers: on pieces of a batch, or on one worker's GPU."""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Future
from distributed.comm.addressing import get_address_host
from distributed.utils import get_ip

from daskphys import backend
from daskphys.distributed import calls
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.cluster import WorkerInfo
from daskphys.distributed.ledger import measured
from daskphys.distributed.memory import peaks, refuse
from daskphys.distributed.pricing import Stack, price, process_of
from daskphys.distributed.report import Call
from daskphys.distributed.runner import Runner
from daskphys.distributed.site import Choice, choose
from daskphys.distributed.waiting import until_done, wait_here
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.graph.plan import Account, Work, account, together
from daskphys.physics.cost import nbytes

#: Merged operators that are kept on the workers.
_KEPT = 8


@dataclass(frozen=True)
class Piece:
    """A part of the batch along one axis (None: the whole image), and the worker that gets it."""

    home: Hashable
    axis: int | None
    start: int = 0
    stop: int = 0

    def of(self, x: Any) -> Any:
        return x if self.axis is None else x[(slice(None),) * self.axis + (slice(self.start, self.stop),)]

    def shape(self, whole: tuple[int, ...]) -> tuple[int, ...]:
        if self.axis is None:
            return whole
        return (*whole[: self.axis], self.stop - self.start, *whole[self.axis + 1 :])


def pieces_of(shape: tuple[int, ...], ndim: int, threads: Mapping[Hashable, int]) -> list[Piece]:
    """A piece of the longest leading axis for each thread, as far as it goes; neighbours on one worker.

    Examples
    --------
    >>> from daskphys.distributed.merged import pieces_of
    >>> [(p.home, p.start, p.stop) for p in pieces_of((5, 8, 8), 2, {"a": 1, "b": 2})]
    [('a', 0, 2), ('b', 2, 3), ('b', 3, 5)]
    """
    homes = [home for home, n in threads.items() for _ in range(n)]
    batch = batch_of(shape, ndim)
    if batch == 1:
        return [Piece(homes[0], None)]
    axis = shape.index(batch)
    n = min(batch, len(homes))
    # Fewer pieces than threads go to as many workers as there are.
    chosen = homes if n == len(homes) else [homes[i * len(homes) // n] for i in range(n)]
    cuts = [round(i * batch / n) for i in range(n + 1)]
    return [Piece(chosen[i], axis, cuts[i], cuts[i + 1]) for i in range(n)]


def batch_of(shape: tuple[int, ...], ndim: int) -> int:
    """The length of the longest axis before the last `ndim`."""
    return max(shape[: len(shape) - ndim], default=1)


class MergedOnWorkers:
    """Applies the merged normal operator of a distributed one where the workers are.

    The merged value is made on the cluster from the blocks there, and stays: it never passes through the client.
    """

    def __init__(self, runner: Runner, stack: Stack) -> None:
        self._runner, self._stack = runner, stack
        self._made: OrderedDict[tuple[int, ...], Future] = OrderedDict()

    def choose(self, shape: tuple[int, ...], dtype: str, *, on_gpu: bool = False) -> Choice:
        """Where a product should run; calibrates the context the first time that this can matter.

        `on_gpu` says whether the image is on a GPU of this machine.
        """
        ctx, workers = self._runner.ctx, self._runner.holding.workers
        gpu, batch = ctx.device == "cuda", batch_of(shape, self._stack.facts.domain_ndim)
        matters = gpu or (batch > 1 and not all(_on_this_machine(address) for address in workers))
        rates = ctx.rates() if matters and not on_gpu else None
        threads = [1 if gpu else w.threads for w in workers.values()]
        flops = self._stack.merged_product(shape, dtype).flops
        return choose(flops, nbytes(shape, dtype), batch, threads, rates, gpu=gpu, image_on_gpu=on_gpu)

    def takes(self, x: Any, method: str) -> bool:
        """Whether AᴴA x is to be computed here, where the user asks for `method`."""
        if method == "auto":
            on_gpu = backend.device_of(x) != "cpu"
            return self.choose(tuple(x.shape), backend.dtype_name(x), on_gpu=on_gpu).site == "workers"
        return method == "workers"

    def run(self, x: Any) -> Any:
        """AᴴA x, with the bits of the merged operator on the client."""
        begin, name = time.perf_counter(), uuid.uuid4().hex[:12]
        parts, tasks, number = until_done("A_adjoint_A", lambda n: (*self._submit(f"{name}-{n}", x), n))
        result = parts[0] if len(parts) == 1 else backend.concat(parts, self._axis(x))
        seconds, sizes = time.perf_counter() - begin, (backend.nbytes(x), backend.nbytes(result))
        method = f"A_adjoint_A, merged, {words(len(parts))}"
        self._runner.last = Call(f"{name}-{number}", method, tasks, seconds, *sizes, attempts=number)
        return backend.like(result, x)

    def _axis(self, x: Any) -> int:
        return tuple(x.shape).index(batch_of(tuple(x.shape), self._stack.facts.domain_ndim))

    def _submit(self, name: str, x: Any) -> tuple[list[Any], int]:
        runner = self._runner
        blocks, ctx = runner.holding.groups(), runner.ctx
        shape, dtype = tuple(x.shape), backend.dtype_name(x)
        workers = runner.holding.workers
        if any(w.memory for w in workers.values()):
            found = peaks(self.account(blocks, workers, shape, dtype), workers, runner.guard.held(workers))
            refuse(f"A_adjoint_A of an image of {shape}, {dtype}, on the workers", found)
        pieces = self.pieces(workers, shape)
        merged = self._normal(blocks, shape)
        data: dict[Hashable, dict[str, Any]] = {}
        for i, piece in enumerate(pieces):
            data.setdefault(piece.home, {})[f"image-{i}-{name}"] = backend.to_numpy(piece.of(x))
        held = [runner.scatter(images, home) for home, images in data.items()]  # kept until the call ends
        builder = GraphBuilder(name)
        wanted = _add(builder, name, pieces, Ref(merged.key), self._bound, ctx.device)
        futures = ctx.client.get(builder.build(), [ref.key for ref in wanted], sync=False)
        wait_here(ctx, futures, set(data))
        results = ctx.client.gather(futures)
        del held
        return results, len(builder)

    @property
    def _bound(self) -> tuple[int, int]:
        return 0, len(self._stack.recipe)

    def pieces(self, workers: Mapping[Hashable, WorkerInfo], shape: tuple[int, ...]) -> list[Piece]:
        """The parts of the batch, and the worker of each."""
        gpu = self._runner.ctx.device == "cuda"
        threads = {address: 1 if gpu else w.threads for address, w in workers.items()}
        return pieces_of(shape, self._stack.facts.domain_ndim, threads)

    def _normal(self, blocks: Blocks, shape: tuple[int, ...]) -> Future:
        """The merged operator's future; when its worker is lost the scheduler makes it again from the blocks."""
        space = shape[-self._stack.facts.domain_ndim :]
        future = self._made.get(space)
        if future is None or future.status in ("cancelled", "lost", "error"):
            name = uuid.uuid4().hex[:12]
            builder = GraphBuilder(name)
            root = calls.normal(builder, name, blocks, space)
            ctx = self._runner.ctx
            [future] = ctx.client.get(builder.build(), [root.key], sync=False)
            wait_here(ctx, [future], set(blocks.homes))
            if future.status == "error":
                raise future.exception()
            self._made[space] = future
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(space)
        return future

    def account(
        self, blocks: Blocks, workers: Mapping[Hashable, WorkerInfo], shape: tuple[int, ...], dtype: str
    ) -> Account:
        """What a product on the workers takes, with the making of the merged operator where it is not there yet."""
        space = shape[-self._stack.facts.domain_ndim :]
        builder, pieces = GraphBuilder("plan"), self.pieces(workers, shape)
        wanted = _add(builder, "plan", pieces, Ref("merged"), self._bound, None)
        works = {}
        for ref, piece in zip(wanted, pieces, strict=True):
            cost = self._stack.merged_product(piece.shape(shape), dtype)
            works[ref.key] = Work(cost.transforms, cost.flops, cost.workspace, cost.result, cost.kept)
        given: dict[Hashable, tuple[int, Hashable]] = {
            f"image-{i}-plan": (nbytes(p.shape(shape), dtype), p.home) for i, p in enumerate(pieces)
        }
        tasks = builder.tasks()
        threads = {address: w.threads for address, w in workers.items()}
        product = account(
            {key: node for key, (node, _) in tasks.items()},
            {key: home for key, (_, home) in tasks.items()},
            works,
            given,
            [ref.key for ref in wanted],
            threads,
            {address: process_of(address) for address in threads},
        )
        made = self._stack.merged_nbytes(space, dtype)
        for address, load in product.loads.items():
            load.received += made * (address != blocks.homes[0] and load.tasks > 0)
        if space in self._made:
            return product
        return together([price(self._stack, blocks, workers, calls.normal, space, dtype), product])


def words(pieces: int) -> str:
    """Where it ran, for the report."""
    return "on a worker" if pieces == 1 else f"the batch in {pieces} pieces on the workers"


def _add(
    builder: GraphBuilder, name: str, pieces: Sequence[Piece], merged: Ref, bound: Any, device: str | None
) -> list[Ref]:
    return [
        builder.add(
            (f"merged-{name}", i), run_merged, merged, Ref(f"image-{i}-{name}"), name, bound, device,
            worker=piece.home,
        )
        for i, piece in enumerate(pieces)
    ]  # fmt: skip


def run_merged(merged: Any, x: Any, call: str, bound: tuple[int, int], device: str) -> Any:
    """A piece of the batch through the merged operator."""
    with measured(call, bound):
        return backend.to_numpy(merged._forward(backend.to_device(x, device)))


def _on_this_machine(address: Any) -> bool:
    """Whether a worker's cores are this machine's."""
    if str(address).startswith("inproc://"):
        return True
    host = get_address_host(str(address))
    return host.startswith("127.") or host in ("::1", "localhost", get_ip())
