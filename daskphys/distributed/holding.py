"""The blocks that workers hold for a distributed operator."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import dask
import numpy as np
from dask.utils import parse_bytes
from distributed import Future

from daskphys.dashboard.telling import tell
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.cluster import WorkerInfo
from daskphys.distributed.context import DistributedContext
from daskphys.distributed.factories import keep_block
from daskphys.distributed.facts import Facts
from daskphys.distributed.memory import check_operators
from daskphys.distributed.placed import Placement
from daskphys.distributed.recipes import Recipe, StackRecipe, quiet_about_size
from daskphys.distributed.waiting import until_done, wait_here
from daskphys.errors import DaskphysWarning, ParameterError, warn
from daskphys.graph.blocks import Bounds
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.graph.placement import block_cost, place, stand_ins
from daskphys.markup import bytes_text
from daskphys.physics.physics import Physics
from daskphys.physics.stacked import Stacked

#: The part of a worker's memory that parameters may take, where other workers have room; the rest is for images.
PARAMETER_SHARE = 0.5


class Holding:
    """Submits each block's recipe once, and keeps the futures.

    Later graphs name these futures alone.  When a worker is lost, the scheduler makes its blocks again from
    their recipes; when the whole cluster was restarted, they are submitted again.  When the set of workers has
    changed, the next call moves the blocks that the stable rule of `place` gives to others.
    """

    def __init__(self, recipe: Recipe, ctx: DistributedContext, bounds: Bounds, replicas: int) -> None:
        workers = ctx.require_workers()
        if not isinstance(replicas, int | np.integer) or not 1 <= replicas <= len(workers):
            raise ParameterError(
                f"distribute expected replicas from 1 to {len(workers)}, the number of workers, got {replicas!r}"
            )
        self._recipe, self._ctx, self._bounds, self.replicas = recipe, ctx, bounds, int(replicas)
        self._sizes = [recipe.size(*bound) for bound in bounds]
        check_operators(self._sizes, self.replicas, list(workers.values()))
        self.scheduler = str(ctx.client.scheduler.address)
        self.bytes_sent = self.replicas * recipe.sent(bounds)
        self._warn_if_large()
        self._workers: dict[Hashable, WorkerInfo] = {}  # those that were there at the last call
        self._held: list[dict[Hashable, Future]] = []  # of each block, its replicas by their home
        self._submit()
        self.facts = Facts.of(recipe._stack) if isinstance(recipe, StackRecipe) else self._gather_facts()
        said = {"kind": "operator", "token": recipe.token, "title": recipe.summary()}
        tell(ctx.client, said)

    # -- putting blocks on workers ---------------------------------------------------------------------------

    def _look(self) -> dict[Hashable, WorkerInfo]:
        """The workers that are there now.  By address: one that comes again by its name has none of the blocks.

        This is one question to the scheduler a call (0.1 ms in process, 0.3 ms by TCP).
        """
        return {w.address: w for w in self._ctx.require_workers().values()}

    def _place(
        self, workers: Mapping[Hashable, WorkerInfo], held: list[dict[Hashable, Future]]
    ) -> list[list[Hashable]]:
        """The homes of each block's replicas; a GPU is one worker, whatever its threads."""
        gpu = self._ctx.device == "cuda"
        costs = [
            block_cost(stop - start, size)
            for (start, stop), size in zip(self._bounds, self._sizes, strict=True)
        ]
        first = place(
            costs,
            {address: 1.0 if gpu else float(w.threads) for address, w in workers.items()},
            sizes=[self.replicas * size for size in self._sizes],
            room={address: PARAMETER_SHARE * w.memory for address, w in workers.items() if w.memory},
            homes=[next(iter(replicas)) for replicas in held] if held else None,
        )
        return stand_ins(first, list(workers), self.replicas, [list(replicas) for replicas in held] or None)

    def _submit(self) -> None:
        """Submit every block's recipe, and wait until all are there."""
        until_done("distribute", self._submit_once)

    def _submit_once(self, _: int) -> None:
        workers = self._look()
        homes = self._place(workers, [])
        builder = self._builder()
        tasks = self._recipe.tasks(builder, self._bounds, [replicas[0] for replicas in homes])
        name = f"block-{self._recipe.token}"
        keys = [
            {home: builder.add((name, *bound, home), *task, worker=home).key for home in replicas}
            for bound, task, replicas in zip(self._bounds, tasks, homes, strict=True)
        ]
        held = self._futures(builder, keys)
        futures = [future for replicas in held for future in replicas.values()]
        wait_here(self._ctx, futures, set(workers))
        failed = next((future for future in futures if future.status == "error"), None)
        if failed is not None:
            error = failed.exception()
            for future in (
                futures
            ):  # else the traceback would hold them, and the next attempt would be given this error
                future.release()
            raise error
        self._held, self._workers = held, workers

    def _move(self, workers: dict[Hashable, WorkerInfo]) -> None:
        """Copy blocks to where they belong now that other workers are there; the next call waits for them.

        A copy is a task that depends on the block it copies: nothing travels from the client, and a copy that is
        lost with its worker is made again from the same recipe.
        """
        builder, keys, name = self._builder(), [], f"block-{self._recipe.token}"
        for bound, held, homes in zip(
            self._bounds, self._held, self._place(workers, self._held), strict=True
        ):
            source = next((f for home, f in held.items() if home in workers), next(iter(held.values())))
            replicas = {}
            for home in homes:
                if home in held:
                    replicas[home] = held[home].key
                else:  # a block may come back to a worker that it left, so no key is used twice
                    key = (name, *bound, home, uuid.uuid4().hex)
                    replicas[home] = builder.add(key, keep_block, Ref(source.key), worker=home).key
            keys.append(replicas)
        self._held, self._workers = self._futures(builder, keys), workers

    def _builder(self) -> GraphBuilder:
        return GraphBuilder(f"operators-{self._recipe.token[:12]}")

    def _futures(
        self, builder: GraphBuilder, keys: list[dict[Hashable, Any]]
    ) -> list[dict[Hashable, Future]]:
        """The futures of blocks by their keys: those that are held, and those that `builder` has tasks for."""
        known = {future.key: future for replicas in self._held for future in replicas.values()}
        new = [key for replicas in keys for key in replicas.values() if key in builder]
        if new:
            with quiet_about_size():  # `_warn_if_large` has said it
                made = self._ctx.client.get(builder.build(), new, sync=False)
            known |= dict(zip(new, made, strict=True))
        return [{home: known[key] for home, key in replicas.items()} for replicas in keys]

    # -- what is where ---------------------------------------------------------------------------------------

    @property
    def workers(self) -> Mapping[Hashable, WorkerInfo]:
        """The workers by their address, as they were at the last call."""
        return self._workers

    def blocks(self) -> Blocks:
        """The blocks as the next graph refers to them, at their first homes.

        Where workers have joined or gone since the last time, blocks are moved first; a graph that names them
        runs when they are there.
        """
        self._follow()
        firsts = [next(iter(replicas.items())) for replicas in self._held]
        refs, homes = [Ref(future.key) for _, future in firsts], [home for home, _ in firsts]
        return Blocks(self._bounds, refs, homes, self.facts.transform.outline(), self._ctx.device)

    def _follow(self) -> None:
        """Have the blocks where they belong, given the workers that are there now."""
        workers = self._look()
        # A lost block is made again by the scheduler where one of its workers is left.  Where none is, Dask
        # leaves what was pinned to them pending for ever, soft pins too; and a cancelled block has no recipe.
        homeless = not any(home in workers for replicas in self._held for home in replicas)
        if homeless or any(f.status == "cancelled" for replicas in self._held for f in replicas.values()):
            self._submit()
        elif workers.keys() != self._workers.keys():
            self._move(workers)
        else:
            self._workers = workers  # what their processes hold changes from call to call

    def groups(self) -> Blocks:
        """The blocks, those of neighbours on one worker together: a task for each of the worker's threads."""
        return self._grouped(self.blocks())

    def _grouped(self, blocks: Blocks) -> Blocks:
        return blocks.grouped({address: w.threads for address, w in self._workers.items()})

    def lazy_blocks(self, grouped: bool = False) -> Blocks:
        """The blocks, or their `groups`, as a lazy graph refers to them: by futures, which keep them on the cluster."""
        now = self.blocks()
        now = replace(now, refs=[next(iter(replicas.values())) for replicas in self._held])
        return self._grouped(now) if grouped else now

    def placement(self) -> Placement:
        """Worker → the sensors that it holds now, as the scheduler says."""
        futures = until_done("placement", self._settled)
        names = {w.address: name for name, w in self._ctx.workers().items()}
        held: dict[Any, set[int]] = {}
        nbytes: dict[Any, int] = {}
        where = self._ctx.client.who_has(futures)
        for (start, stop), replicas, size in zip(self._bounds, self._held, self._sizes, strict=True):
            for address in {a for future in replicas.values() for a in where.get(future.key, ())}:
                name = names.get(address, address)
                held.setdefault(name, set()).update(range(start, stop))
                nbytes[name] = nbytes.get(name, 0) + size
        return Placement({worker: sorted(held[worker]) for worker in sorted(held, key=str)}, nbytes)

    def _settled(self, _: int) -> list[Future]:
        """The futures of all blocks, when all are on the cluster."""
        homes = set(self.blocks().homes)
        futures = [future for replicas in self._held for future in replicas.values()]
        wait_here(self._ctx, futures, homes)
        return futures

    def sensors(self) -> Iterator[Physics]:
        """All sensors' operators, brought to the client a block at a time."""
        for number in range(len(self._bounds)):
            yield from until_done("iteration", functools.partial(self._brought, number))

    def _brought(self, number: int, _: int) -> Stacked:
        self._follow()
        home, future = next(iter(self._held[number].items()))
        wait_here(self._ctx, [future], {home})
        block: Stacked = self._ctx.client.gather(future)
        return block

    def _gather_facts(self) -> Facts:
        """What the sensors have in common, one task a block and one round trip; and the size of each block."""
        found = until_done("distribute", self._facts_once)
        self._sizes = [facts.nbytes for facts in found]
        joined = found[0]
        for facts in found[1:]:
            joined = joined.joined(facts)
        return joined

    def _facts_once(self, _: int) -> list[Facts]:
        self._follow()
        builder, call = self._builder(), uuid.uuid4().hex
        homes, blocks = zip(*(next(iter(replicas.items())) for replicas in self._held), strict=True)
        keys = [
            builder.add((f"facts-{call}", number), Facts.of, Ref(block.key), worker=home).key
            for number, (home, block) in enumerate(zip(homes, blocks, strict=True))
        ]
        futures = self._ctx.client.get(builder.build(), keys, sync=False)
        wait_here(self._ctx, futures, set(homes))
        found: list[Facts] = self._ctx.client.gather(futures)
        return found

    def _warn_if_large(self) -> None:
        limit = parse_bytes(dask.config.get("distributed.admin.large-graph-warning-threshold"))
        if self.bytes_sent > limit:
            warn(
                f"distribute sends {bytes_text(self.bytes_sent)} of operators through the scheduler, which keeps them "
                f"(Dask's limit for large graphs is {bytes_text(limit)}): a factory, "
                f"distribute(factory, ctx, num_operators=N), or parameters= as Dask arrays load them on the workers",
                DaskphysWarning,
            )
