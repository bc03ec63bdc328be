"""Running one call of a distributed operator: the image out, tasks where their blocks are, the result back."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Hashable
from typing import Any

from dask.sizeof import sizeof
from distributed import Future

from daskphys import backend
from daskphys.distributed import ledger, transport
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.context import DistributedContext
from daskphys.distributed.holding import Holding
from daskphys.distributed.memory import Guard
from daskphys.distributed.report import Call, Report
from daskphys.distributed.waiting import WorkersGone, until_done, wait_here
from daskphys.distributed.watching import CallBar
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.physics.measurements import Measurements


class Runner:
    """Runs calls over the blocks that workers hold, and remembers the last one.

    Parameters
    ----------
    ctx, holding
        The cluster, and the blocks on it.
    guard
        Refuses what cannot fit.
    """

    def __init__(self, ctx: DistributedContext, holding: Holding, guard: Guard) -> None:
        self.ctx, self.holding, self.guard = ctx, holding, guard
        self.last: Call | None = None

    def run(self, method: str, value: Any, add: Callable[..., Any], *args: Any, algorithm: str = "") -> Any:
        """One product on the cluster, again where workers were lost that held its image."""
        begin = time.perf_counter()
        call = uuid.uuid4().hex[:12]

        def attempt(number: int) -> tuple[Any, int, int]:
            return *self._submit(method, f"{call}-{number}", value, add, args), number

        result, tasks, number = until_done(method, attempt)
        seconds, sizes = time.perf_counter() - begin, (_nbytes(value), _nbytes(result))
        self.last = Call(
            f"{call}-{number}", method, tasks, seconds, *sizes, attempts=number, algorithm=algorithm
        )
        sample = value[0] if isinstance(value, Measurements | tuple) else value
        return backend.like(result, sample) if backend.is_array(result) and sample is not None else result

    def _submit(
        self, method: str, name: str, value: Any, add: Callable[..., Any], args: Any
    ) -> tuple[Any, int]:
        """The image goes out, tasks run where their blocks are, the result returns; and how many tasks."""
        client, blocks = self.ctx.client, self.holding.groups()
        self.guard.check(
            method, blocks, self.holding.workers, value[0] if isinstance(value, tuple) else value
        )
        sent = self._send(value, blocks, name)
        builder = GraphBuilder(name)
        wanted = add(builder, name, blocks, _refs(sent), *args)
        many = isinstance(wanted, list)
        keys = [r.key for r in wanted] if many else [wanted.key]
        futures = client.get(builder.build(), keys, sync=False)
        homes = set(blocks.homes)
        if self.ctx.shows_progress:
            with CallBar(method, client, futures) as tick:
                wait_here(self.ctx, futures, homes, tick)
        else:
            wait_here(self.ctx, futures, homes)
        results = client.gather(futures)
        return results if many else results[0], len(builder)

    def _send(self, value: Any, blocks: Blocks, name: str) -> Any:
        """Futures of the image, or of each block's measurements as one object, where they are needed first; of both."""
        if isinstance(value, tuple):
            return tuple(self._send(part, blocks, name) for part in value)
        if value is None:
            return None
        if not isinstance(value, Measurements):
            return self.scatter({f"image-{name}": backend.to_numpy(value)}, blocks.homes[0])[f"image-{name}"]
        at_home: dict[Hashable, dict[str, Any]] = {}
        keys = {}
        for bound, _, home in blocks:
            keys[bound] = f"measurements-{bound[0]}-{name}"
            own = transport.Parcel(map(backend.to_numpy, value[slice(*bound)]))
            at_home.setdefault(home, {})[keys[bound]] = own
        futures: dict[str, Future] = {}
        for home, parts in at_home.items():  # one round trip for each worker
            futures |= self.scatter(parts, home)
        return {bound: futures[key] for bound, key in keys.items()}

    def scatter(self, data: dict[str, Any], home: Hashable) -> dict[str, Future]:
        """Data on a worker, by name."""
        try:
            result: dict[str, Future] = self.ctx.client.scatter(data, workers=[home], hash=False)
            return result
        except KeyError as error:  # the scheduler has just struck this worker off
            raise WorkersGone from error

    def report(self, last: Call) -> Report:
        """What a call did, asked of the workers that did it."""
        entries, between = list(last.blocks), last.bytes_between
        if last.tasks and not entries:
            for mine, taken in self.ctx.client.run(ledger.fetch, last.name).values():
                entries.extend(mine)
                between += taken
        return Report(
            method=last.method,
            tasks=last.tasks,
            seconds=last.seconds,
            bytes_operators=self.holding.bytes_sent,
            bytes_sent=last.bytes_sent,
            bytes_between=between,
            bytes_returned=last.bytes_returned,
            transforms=last.transforms + sum(e.transforms for e in entries),
            attempts=last.attempts,
            blocks=sorted(entries, key=lambda e: (e.block is None, e.block or ())),
            notes=tuple(self.ctx.fallbacks),
            algorithm=last.algorithm,
        )


def _refs(sent: Any) -> Any:
    if isinstance(sent, tuple):
        return tuple(map(_refs, sent))
    if isinstance(sent, dict):
        return {bound: Ref(future.key) for bound, future in sent.items()}
    return None if sent is None else Ref(sent.key)


def _nbytes(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, list | tuple):
        return sum(map(_nbytes, value))
    return int(value.nbytes if isinstance(value, Measurements) else sizeof(value))
