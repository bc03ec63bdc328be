"""Making a `Plan`: shapes in, the graphs that would be submitted, their accounts, one value out."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

from daskphys import backend, doors
from daskphys.distributed import calls
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.cluster import WorkerInfo
from daskphys.distributed.memory import Held, Peak, peaks
from daskphys.distributed.merged import words
from daskphys.distributed.plan import Plan, WorkerPlan
from daskphys.distributed.pricing import ADDS, Stack, price, process_of
from daskphys.errors import ParameterError, ShapeError, checks_keywords, nearest
from daskphys.graph.plan import Account, Load, Rates, repeated, together
from daskphys.markup import bytes_text
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cost import nbytes
from daskphys.physics.measurements import Measurements
from daskphys.physics.spaces import Sensors

#: Methods that can be planned; "A_adjoint_A" goes where the call would go.
METHODS = ("A", "A_adjoint", "A_adjoint_A", "A_adjoint_A by the tree", "A_adjoint_A on the workers", "normal")

#: And of an operator that is not linear.
NONLINEAR = ("A", "A_vjp")


class LazyPlan(NamedTuple):
    """What a door says of a lazy product on chunks of the image's own axes.

    Its account, where it runs, into how many parts the argument falls, and what else there is to know.
    """

    account: Account
    where: str
    chunks: int
    notes: tuple[str, ...]


class Planned:
    """An operator on a cluster whose calls can be planned."""

    @checks_keywords
    def plan(
        self, x_or_shape: Any, method: str = "A", *, dtype: str = "float32", calibrate: bool = True
    ) -> Plan:
        """What a call will cost, before it runs; nothing of the operator is computed or submitted.

        Parameters
        ----------
        x_or_shape : array, tuple of int or Measurements
            An image (a Dask array for a lazy call), its shape, or measurements.
        method : str
            Of an operator that is not linear "A" or "A_vjp"; else
            "A", "A_adjoint", "A_adjoint_A" (as the call would do it), "A_adjoint_A by the tree", "A_adjoint_A on
            the workers", or "normal", the set-up of the merged operator.
        dtype : str
            That of the argument, where a shape is given.
        calibrate : bool
            Whether to estimate the time.  The first estimate of a context measures its workers for about 0.2 s.

        Returns
        -------
        Plan
            A table in a terminal and in a notebook; ``dict(plan)`` has the numbers, and ``plan.check()`` raises
            `MemoryPlanError` where it does not fit.

        Raises
        ------
        MemoryPlanError
            Already here, for an FFT over an image in chunks whose rechunk between workers does not fit.

        Examples
        --------
        >>> from daskphys.distributed import DistributedContext, distribute
        >>> from daskphys.physics import Blur, gaussian_blur, stack
        >>> with DistributedContext(n_workers=2) as ctx:
        ...     D = distribute(stack(*[Blur(gaussian_blur(s)) for s in (1.0, 2.0, 3.0)]), ctx)
        ...     plan = D.plan((3, 512, 512), "A_adjoint", calibrate=False)
        >>> plan.tasks, plan.sent, plan.returned, plan.fits
        (3, 9437184, 3145728, True)
        """
        return _plan(self, x_or_shape, method, dtype, calibrate)


def _plan(D: Any, x_or_shape: Any, method: str, dtype: str, calibrate: bool) -> Plan:
    linear = isinstance(D, LinearPhysics)
    if not linear and method in METHODS[1:]:
        raise D._not_linear(f"plan of {method}")
    known = METHODS if linear else NONLINEAR
    if method not in known:
        raise ParameterError(f"{D!r}.plan has no method {method!r}: {nearest(str(method), known)}")
    if dtype not in backend.FLOATS:
        raise ParameterError(f"{D!r}.plan expected a dtype among {', '.join(backend.FLOATS)}, got {dtype!r}")
    if D.normal_kind is None and method in ("A_adjoint_A on the workers", "normal"):
        raise D._not_closed("AᴴA")
    if method == "A_adjoint" and isinstance(D.range, Sensors):
        image = hasattr(x_or_shape, "shape")  # perhaps, of whose measurements it is asked
        with contextlib.suppress(*[ShapeError] if image else []):
            x_or_shape = doors.parted(x_or_shape, D)
    shape, dtype, chunks = _asked(D, x_or_shape, dtype)
    holding, notes = D.holding, list[str]()
    # A lazy A computes the blocks that are asked for; sums need all of them.
    blocks = holding.blocks() if chunks is not None and method == "A" else holding.groups()
    workers = holding.workers
    parts = 1 if chunks is None else sum(chunks.values())
    if chunks is not None and not chunks:
        if method in ("A_adjoint_A on the workers", "normal"):
            raise ParameterError(f"{D!r}.plan of an image in chunks expected a product, got {method!r}")
        door: Any = doors.door_of(_first(x_or_shape))
        account, where, parts, more = door.plan(D, method, x_or_shape, workers)
        notes += ["lazy: what reads the image and what stores the result come on top", *more]
    else:
        account, where = _account(D, blocks, workers, method, shape, dtype, chunks, notes)
    held: Mapping[Hashable, Held] = D.runner.guard.held(workers)
    found = peaks(account, workers, held)
    kept = sum(load.kept for load in account.loads.values())
    if kept:
        notes.append(f"the first call also makes {bytes_text(kept)} of spectra, which are kept")
    if len(set(map(process_of, workers))) < len(workers):
        notes.append("workers of one process share its memory: each line gives all of it")
    if where == CLIENT:
        transforms, seconds = _beside(D, shape, dtype, D.ctx.rates() if calibrate else None)
    else:
        transforms = account.transforms
        threads = {address: w.threads for address, w in workers.items()}
        seconds = account.seconds(D.ctx.rates(), threads) if calibrate else None
    return Plan(
        operator=repr(D),
        method=method.partition(" ")[0],
        where=where,
        shape=shape,
        dtype=dtype,
        chunks=parts,
        tasks=account.tasks,
        transforms=transforms,
        sent=account.sent,
        between=account.between,
        returned=account.returned,
        seconds=seconds,
        workers=_worker_plans(D, blocks, account, found),
        notes=tuple(notes),
    )


def _worker_plans(
    D: Any, blocks: Blocks, account: Account, found: Mapping[Hashable, Peak]
) -> tuple[WorkerPlan, ...]:
    """Each worker's part, with runs of the sensors that it holds."""
    names = {info.address: name for name, info in D.ctx.workers().items()}
    sensors: dict[Hashable, list[tuple[int, int]]] = {}
    for (start, stop), _, home in blocks:
        mine = sensors.setdefault(home, [])
        if mine and mine[-1][1] == start:
            mine[-1] = (mine[-1][0], stop)
        else:
            mine.append((start, stop))
    return tuple(
        WorkerPlan(
            names.get(address, address),
            tuple(sensors.get(address, ())),
            load.tasks,
            load.transforms,
            found[address],
        )
        for address, load in account.loads.items()
    )


CLIENT = "merged, beside the image"


def _asked(D: Any, x_or_shape: Any, dtype: str) -> tuple[Any, str, Counter[tuple[int, ...]] | None]:
    """The image's shape, the dtype, and the shapes of the chunks of a lazy image with how often each comes.

    There are none of what is in memory, and no shapes where the image's own axes are cut.
    """
    if isinstance(x_or_shape, list | Measurements) and any(hasattr(y, "shape") for y in x_or_shape):
        y = D.range.check(D.range.coerce(x_or_shape))
        return D._domain_shape(y.shapes), backend.dtype_name(y[0]), Counter() if _is_cut(D, y) else None
    shape = D.domain.shape(x_or_shape)
    D._range_shape(shape)
    if not hasattr(x_or_shape, "shape"):
        return shape, dtype, None
    dtype = backend.dtype_name(D.domain.check(x_or_shape))
    grid = getattr(x_or_shape, "chunks", None)
    if not isinstance(grid, tuple):
        return shape, dtype, None
    if _is_cut(D, [x_or_shape]):
        return shape, dtype, Counter()
    ndim = D.domain.ndim
    lead: list[Counter[int]] = [Counter(axis) for axis in grid[:-ndim]]
    found: Counter[tuple[int, ...]] = Counter()
    for sizes in itertools.product(*(axis.items() for axis in lead)):
        found[(*(n for n, _ in sizes), *shape[-ndim:])] += prod(times for _, times in sizes)
    return shape, dtype, found


def _is_cut(D: Any, arrays: Iterable[Any]) -> bool:
    """Whether any of the operator's own axes has several chunks."""
    grids = (getattr(array, "chunks", ()) for array in arrays)
    return any(len(axis) > 1 for grid in grids if isinstance(grid, tuple) for axis in grid[-D.domain.ndim :])


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | Measurements) else value


def _account(
    D: Any,
    blocks: Blocks,
    workers: Mapping[Hashable, WorkerInfo],
    method: str,
    shape: Any,
    dtype: str,
    chunks: Counter[tuple[int, ...]] | None,
    notes: list[str],
) -> tuple[Account, str]:
    """What the graphs of a call take, and where they run, in words."""
    name, _, how = method.partition(" ")
    stack: Stack = D.priced
    if how == "on the workers" or (name == "A_adjoint_A" and not how and D.normal_kind is not None):
        if chunks is not None:
            return _merged_lazily(D, blocks, workers, chunks, dtype), "merged, chunk by chunk"
        site = "workers" if how else D.merged.choose(shape, dtype).site
        if site == "workers":
            account = D.merged.account(blocks, workers, shape, dtype)
            return account, f"merged, {words(len(D.merged.pieces(workers, shape)))}"
        space = shape[-D.domain.ndim :]
        setup = price(stack, blocks, workers, calls.normal, space, "float64")
        notes.append(
            f"the merged operator is made once: {setup.tasks} tasks, {bytes_text(setup.between)} between workers, "
            f"{bytes_text(setup.returned)} returned"
        )
        return _nothing(workers), CLIENT
    add = ADDS[name]
    where = "by the tree" if add is calls.gram else "on the workers"
    if chunks is None:
        return price(stack, blocks, workers, add, shape, dtype), where
    one_thread = {address: w._replace(threads=1) for address, w in workers.items()}
    total = sum(chunks.values())
    at_once = {address: min(total, w.threads) for address, w in workers.items()}
    parts = [
        repeated(price(stack, blocks, one_thread, add, own, dtype), times, at_once)
        for own, times in chunks.items()
    ]
    notes.append("lazy: what reads the image and what stores the result come on top")
    account = together(parts)
    if add is calls.forward:  # and a task that takes each sensor's measurement out of those of its block
        account = replace(account, tasks=account.tasks + total * len(D))
    return account, where


def _merged_lazily(
    D: Any,
    blocks: Blocks,
    workers: Mapping[Hashable, WorkerInfo],
    chunks: Counter[tuple[int, ...]],
    dtype: str,
) -> Account:
    """The merged operator made on the cluster, then one task a chunk, on whichever worker."""
    space = next(iter(chunks))[-D.domain.ndim :]
    setup = price(D.priced, blocks, workers, calls.normal, space, "float64")
    total, threads = sum(chunks.values()), sum(w.threads for w in workers.values())
    loads, before = {}, 0
    for address, w in workers.items():
        load = loads[address] = Load()
        for shape, times in chunks.items():
            cost = D.priced.merged_product(shape, dtype)
            # Whole chunks, as many as there are in all.
            share = round(times * (before + w.threads) / threads) - round(times * before / threads)
            load.tasks += share
            load.transforms += share * cost.transforms
            load.levels[0] = load.levels.get(0, 0.0) + share * cost.flops
            load.kept = max(load.kept, cost.kept)
            held = nbytes(shape, dtype) + cost.workspace + cost.result
            load.peak = max(load.peak, min(total, w.threads) * held)
        load.received = load.kept
        before += w.threads
    size = sum(times * nbytes(shape, dtype) for shape, times in chunks.items())
    return together([setup, Account(loads, total, 0, sum(load.received for load in loads.values()), size)])


def _nothing(workers: Mapping[Hashable, WorkerInfo]) -> Account:
    return Account({address: Load() for address in workers}, 0, 0, 0, 0)


def _beside(D: Any, shape: Any, dtype: str, rates: Rates | None) -> tuple[int, float | None]:
    """FFTs, and about the seconds, of the merged operator on the client."""
    cost = D.priced.merged_product(shape, dtype)
    return cost.transforms, None if rates is None else cost.flops / rates.client_flops
