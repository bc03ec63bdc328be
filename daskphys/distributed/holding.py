"""The blocks that workers hold for a distributed operator."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import dask
from dask.utils import parse_bytes
from distributed import Future

from daskphys.distributed.calls import Blocks
from daskphys.distributed.context import DistributedContext
from daskphys.distributed.recipes import Facts, Recipe, StackRecipe
from daskphys.distributed.waiting import until_done, wait_here
from daskphys.errors import DaskphysWarning, ParameterError
from daskphys.graph.blocks import Bounds
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.graph.placement import place
from daskphys.markup import bytes_text


class Holding:
    """Submits each block's recipe once, and keeps the futures.

    Later graphs name these futures alone.  When a worker is lost, the scheduler makes its blocks again from
    their recipes on others; when the whole cluster was restarted, they are submitted again.
    """

    def __init__(self, recipe: Recipe, ctx: DistributedContext, bounds: Bounds, replicas: int) -> None:
        workers = ctx.require_workers()
        if not isinstance(replicas, int) or not 1 <= replicas <= len(workers):
            raise ParameterError(
                f"distribute expected replicas from 1 to {len(workers)}, the number of workers, got {replicas!r}"
            )
        self._recipe, self._ctx, self._bounds, self.replicas = recipe, ctx, bounds, replicas
        self.scheduler = str(ctx.client.scheduler.address)
        self.bytes_sent = replicas * sum(recipe.nbytes(*bound) for bound in bounds)
        self._warn_if_large()
        self._submit()
        self.facts = Facts.of(recipe._stack) if isinstance(recipe, StackRecipe) else self._gather_facts()

    def _submit(self) -> None:
        """Submit every block, and wait until it is there."""
        until_done("distribute", self._submit_once)

    def _submit_once(self, _: int) -> None:
        workers = self._ctx.require_workers()
        # By sensors, not bytes: an FFT does not ask how large a kernel is.
        costs = [float(stop - start) for start, stop in self._bounds]
        first = place(costs, {w.address: w.threads for w in workers.values()})
        # By address: a worker that comes again under its name has none of the blocks.
        known = [w.address for w in workers.values()]
        self._homes = [
            [known[(known.index(home) + r) % len(known)] for home in first] for r in range(self.replicas)
        ]
        builder = GraphBuilder(f"operators-{self._recipe.token[:12]}")
        keys: list[Any] = []
        for homes in self._homes:
            for bound, home in zip(self._bounds, homes, strict=True):
                key = (f"block-{self._recipe.token}", *bound, home)
                builder.add(key, *self._recipe.task(*bound), worker=home)
                keys.append(key)
        # Dask would warn of a large graph in its own words: `_warn_if_large` has said it in ours.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1000 PiB"}):
            futures = self._ctx.client.get(builder.build(), keys, sync=False)
        wait_here(self._ctx, futures, set(known))
        for future in futures:
            if future.status == "error":
                raise future.exception()
        n = len(self._bounds)
        self._futures = [futures[r * n : (r + 1) * n] for r in range(self.replicas)]

    def blocks(self) -> Blocks:
        """The blocks as the next graph refers to them: the first replica whose worker is there."""
        there = {w.address for w in self._ctx.require_workers().values()}
        # A lost block is made again by the scheduler where one of its workers is left.  Where none is, Dask
        # leaves what was pinned to them pending for ever, soft pins too; and a cancelled block has no recipe.
        homeless = not any(home in there for homes in self._homes for home in homes)
        if homeless or any(f.status == "cancelled" for replica in self._futures for f in replica):
            self._submit()
            there = {home for homes in self._homes for home in homes}
        refs: list[Ref] = []
        homes: list[Hashable] = []
        for index in range(len(self._bounds)):
            alive = [r for r in range(self.replicas) if self._homes[r][index] in there]
            chosen = alive[0] if alive else 0
            refs.append(Ref(self._futures[chosen][index].key))
            homes.append(self._homes[chosen][index] if alive else None)
        return Blocks(self._bounds, refs, homes, self.facts.transform.outline(), self._ctx.device)

    def lazy_blocks(self) -> Blocks:
        """The blocks as a lazy graph refers to them: by futures, which keep them on the cluster."""
        futures = {f.key: f for replica in self._futures for f in replica}
        now = self.blocks()
        return replace(now, refs=[futures[ref.key] for ref in now.refs])

    def placement(self) -> dict[Any, list[int]]:
        """Worker → the sensors that it holds now, as the scheduler says."""
        client = self._ctx.client
        futures = until_done("placement", self._settled)
        names = {w.address: name for name, w in self._ctx.workers().items()}
        held: dict[Any, set[int]] = {}
        where = client.who_has(futures)
        for replica in self._futures:
            for (start, stop), future in zip(self._bounds, replica, strict=True):
                for address in where.get(future.key, ()):
                    held.setdefault(names.get(address, address), set()).update(range(start, stop))
        return {worker: sorted(held[worker]) for worker in sorted(held, key=str)}

    def _settled(self, _: int) -> list[Future]:
        """The futures of all blocks, when all are on the cluster."""
        homes = {home for home in self.blocks().homes if home is not None}
        futures = [f for replica in self._futures for f in replica]
        wait_here(self._ctx, futures, homes)
        return futures

    def _gather_facts(self) -> Facts:
        client = self._ctx.client
        found = client.gather([client.submit(Facts.of, f, pure=False) for f in self._futures[0]])
        joined = found[0]
        for facts in found[1:]:
            joined = joined.joined(facts)
        return joined

    def _warn_if_large(self) -> None:
        limit = parse_bytes(dask.config.get("distributed.admin.large-graph-warning-threshold"))
        if self.bytes_sent > limit:
            warnings.warn(
                f"distribute sends {bytes_text(self.bytes_sent)} of operators through the scheduler, which keeps them "
                f"(Dask's limit for large graphs is {bytes_text(limit)}): a factory, "
                f"distribute(factory, ctx, num_operators=N), loads them on the workers",
                DaskphysWarning,
                stacklevel=5,
            )
