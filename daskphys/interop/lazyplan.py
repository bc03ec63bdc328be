"""What a lazy product on chunks of the image's own axes will cost: the account of the very graph that it makes."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from dask.task_spec import Task

from daskphys.distributed.cluster import WorkerInfo
from daskphys.distributed.gram import DistributedGram
from daskphys.distributed.p2p import pencil_peak
from daskphys.distributed.planning import LazyPlan
from daskphys.graph.plan import Account, Load
from daskphys.interop import lazy, tiletasks, tiling
from daskphys.interop.pencils import Pencils
from daskphys.interop.tiletasks import Tile
from daskphys.interop.tiling import Tiling
from daskphys.physics.cost import Cost, fft_flops, nbytes
from daskphys.physics.measurements import Measurements

Workers = Mapping[Hashable, WorkerInfo]


def plan(D: Any, method: str, value: Any, workers: Workers) -> LazyPlan:
    """The plan of a product of a distributed operator with a Dask array, or measurements of them.

    Raises
    ------
    MemoryPlanError
        The rechunk between two pencil transforms does not fit into the workers.
    """
    name, _, how = method.partition(" ")
    operator = {"A": D, "A_adjoint": D.H}.get(name) or DistributedGram(D, "tree" if how else "auto")
    made = lazy.apply(operator, value)
    given = list(value) if isinstance(value, Measurements) else [value]
    results = list(made) if isinstance(made, Measurements) else [made]
    tasks = dict(_new_tasks(results, given))
    tiles = tiling.plan(operator, value)
    returned = sum(r.nbytes for r in results)
    if tiles is None:
        ffts = len(given) + len(results)
        account = _pencils(
            D, results[0] if name == "A_adjoint" else given[0], ffts, len(tasks), returned, workers
        )
        return LazyPlan(
            account, "by an FFT over pencils, rechunked between workers", given[0].npartitions, ()
        )
    account = _Tiles(tiles, given[0].dtype.name, workers).account(tasks, returned)
    count = prod(map(len, tiles.boxes)) * prod(given[0].numblocks[: given[0].ndim - tiles.ndim])
    return LazyPlan(account, "on tiles", count, tiles.notes)


def _new_tasks(results: list[Any], given: list[Any]) -> Iterator[tuple[Any, tuple[Any, Hashable]]]:
    """Each task that the product adds to the graphs of what it was given, and the worker it is pinned to."""
    old = {layer for array in given for layer in array.dask.layers}
    seen = set(old)
    for result in results:
        for name, layer in result.dask.layers.items():
            if name not in seen:
                seen.add(name)
                home = next(iter((layer.annotations or {}).get("workers", ())), None)
                for key, task in layer.items():
                    yield key, (task, home)


@dataclass(frozen=True)
class _Work:
    """What one task takes."""

    cost: Cost
    held: int  # bytes at its peak, its argument and its result among them
    sends: int  # bytes of its result


class _Tiles:
    """Prices tasks of `daskphys.interop.tiletasks`."""

    def __init__(self, tiles: Tiling, dtype: str, workers: Workers) -> None:
        self._tiles, self._dtype, self._workers = tiles, dtype, workers

    def account(self, tasks: Mapping[Any, tuple[Any, Hashable]], returned: int) -> Account:
        """What the tasks take; those that are pinned to no worker are spread over all by their threads."""
        loads = {address: Load() for address in self._workers}
        kept: dict[Hashable, dict[Any, int]] = {address: {} for address in self._workers}
        works: dict[Any, tuple[_Work, Hashable]] = {}
        turns = [address for address, w in self._workers.items() for _ in range(w.threads)]
        number = 0
        for key, (task, home) in tasks.items():
            if home not in loads:
                home, number = turns[number % len(turns)], number + 1
            load = loads[home]
            load.tasks += 1
            found = self._work(task)
            if found is None:
                continue
            work, spectra = found
            works[key] = work, home
            load.transforms += work.cost.transforms
            load.flops += work.cost.flops
            load.levels[0] = load.levels.get(0, 0.0) + work.cost.flops
            load.peak = max(load.peak, work.held)
            kept[home] |= spectra
            load.received += sum(
                works[k][0].sends for k in task.dependencies if k in works and works[k][1] != home
            )
        for address, w in self._workers.items():
            load = loads[address]
            load.peak *= w.threads
            most = w.memory // tiletasks.CACHE_PART if w.memory else None
            load.kept = min(sum(kept[address].values()), most or sum(kept[address].values()))
        between = sum(load.received for load in loads.values())
        return Account(loads, len(tasks), 0, between, returned)

    def _work(self, task: Any) -> tuple[_Work, dict[Any, int]] | None:
        """What a task takes, and what of it is kept, by what it is kept for; None of one that only hands on."""
        if not isinstance(task, Task):
            return None
        if task.func is tiletasks.run_forward:
            return self._tile(task.args[3], "forward", 0, sums=False)
        if task.func is tiletasks.run_sum:
            return self._tile(task.args[3], task.args[4], len(task.args[2].args), sums=True)
        if task.func is tiletasks.run_normal:
            return self._tile(task.args[2], "normal", 0, sums=False)
        return None

    def _tile(self, tile: Tile, product: str, earlier: int, *, sums: bool) -> tuple[_Work, dict[Any, int]]:
        given = sum(nbytes(part.shape, self._dtype) for part in tile.parts)
        total, kept, most, result = Cost(), {}, 0, 0
        ndim = self._tiles.ndim
        for index, box in enumerate(tile.boxes, tile.start):
            lead = tile.parts[tile.which[index - tile.start]].shape[:-ndim]
            cost = self._cost(index, product, box, lead)
            total = Cost(total.transforms + cost.transforms, total.flops + cost.flops)
            kept[(index, tuple(b - a for a, b in box))] = cost.kept
            most, result = max(most, cost.workspace), max(result, cost.result)
        # While a sum is taken there are the term, log n partial sums, and those of earlier blocks.
        results = result * (earlier + 1 + max(1, len(tile.boxes)).bit_length() if sums else 1)
        return _Work(total, given + most + results, result), kept

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - lives as long as one plan
    def _cost(self, index: int, product: str, box: Any, lead: tuple[int, ...]) -> Cost:
        return self._tiles.locals[index].cost(product, box, lead, self._dtype)


def _pencils(D: Any, x: Any, ffts: int, tasks: int, returned: int, workers: Workers) -> Account:
    """`ffts` transforms of arrays like `x`, each with a rechunk between workers."""
    ndim = D.domain.ndim if len(x.shape) >= D.domain.ndim else x.ndim
    pencils = Pencils(D, x, ndim)
    lead = ((2,),) * pencils.complex + x.chunks[: pencils.lead]
    half = tuple(map(sum, (*lead, *pencils.grid)))
    slabs = (*lead, pencils.rows, *((sum(b),) for b in pencils.bands))
    size, threads = nbytes(half, pencils.kind), sum(w.threads for w in workers.values())
    moved = size * (len(workers) - 1) // len(workers) if ndim > 1 else 0
    flops = ffts * fft_flops(tuple(x.shape), ndim)
    counted = ffts * prod(x.numblocks[: pencils.lead])
    chunk = prod(max(axis) for axis in slabs) * np.dtype(pencils.kind).itemsize
    loads, before = {}, 0
    for address, w in workers.items():
        share = [
            round(n * (before + w.threads) / threads) - round(n * before / threads) for n in (tasks, counted)
        ]
        own = flops * w.threads / threads
        held = (
            pencil_peak(half, pencils.kind, slabs, len(workers), threads=w.threads) if ndim > 1 else 3 * chunk
        )
        loads[address] = Load(
            tasks=share[0],
            transforms=share[1],
            flops=own,
            received=ffts * moved // len(workers),
            peak=held,
            levels={0: own},
        )
        before += w.threads
    return Account(loads, tasks, 0, ffts * moved, returned)
