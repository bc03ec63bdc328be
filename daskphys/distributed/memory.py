"""What a worker's process holds before a call, what it may hold, and calls that cannot fit."""

from __future__ import annotations

import ctypes
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask

from daskphys import backend
from daskphys.dashboard.telling import tell
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.cluster import WorkerInfo
from daskphys.distributed.context import DistributedContext
from daskphys.distributed.pricing import Each, Stack, adds, price, process_of
from daskphys.errors import MemoryPlanError
from daskphys.graph.plan import Account
from daskphys.markup import bytes_text
from daskphys.physics.cache import MAX_BYTES, derived
from daskphys.physics.measurements import Measurements
from daskphys.physics.stacked import Stacked


@dataclass(frozen=True)
class Held:
    """What a worker's process holds, without what is derived from operators.

    Parameters
    ----------
    base
        Bytes of the interpreter, of what is imported, of operators and of other people's data.
    derived
        Bytes of what is derived from operators other than those asked for.
    """

    base: int
    derived: int


def held_now(token: str, dask_worker: Any = None) -> Held:
    """On a worker: what its process holds now, apart from what is derived from the blocks of `token`.

    Pages that the allocator keeps for later are not counted, since the next call has them.
    """
    own = 0
    for key in list(dask_worker.data.keys()):
        if isinstance(key, tuple) and key[0] == f"block-{token}":
            block = dask_worker.data[key]
            if isinstance(block, Stacked):
                own += sum(derived.nbytes_of(sensor) for sensor in block)
    return Held(
        max(0, _in_use(dask_worker.monitor.get_process_memory()) - derived.nbytes),
        max(0, derived.nbytes - own),
    )


#: The fields of glibc's ``struct mallinfo2``.
_MALLINFO = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)


def _in_use(resident: int) -> int:
    """Bytes of this process that are in use, at least: `resident` ones without those the allocator has free.

    Free bytes that glibc has given back to the system already would be taken off twice; so the result is no less
    than what is in use in its arenas, and files that are mapped (code).
    """

    class Info(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in _MALLINFO]

    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):  # another allocator: nothing is known of what it has free
        return resident
    mallinfo2.restype = Info
    info = mallinfo2()
    with open("/proc/self/status") as file:
        mapped = sum(int(line.split()[1]) * 1024 for line in file if line.startswith("RssFile"))
    return int(min(resident, max(resident - info.fordblks, mapped + info.uordblks + info.hblkhd)))


def room(worker: WorkerInfo) -> int:
    """Bytes that a worker may hold; 0 where it has no limit.

    Above ``distributed.worker.memory.spill`` of its limit Dask writes results to disk, by way of one more copy of
    them, which takes the process to where it is paused for ever, or killed (seen at 0.73 of the limit, and at each
    larger part that was tried; never at 0.69).  So that is where images and operators, which Dask would spill, must
    stop.  (A rechunk between peers may go up to ``terminate``, `daskphys.distributed.rechunking`: its buffers write
    themselves to disk, and Dask spills none of them.)
    """
    names = ("spill", "pause", "terminate")
    fractions = [dask.config.get(f"distributed.worker.memory.{name}") for name in names]
    return int(worker.memory * min((f for f in fractions if f), default=1.0))


@dataclass(frozen=True)
class Peak:
    """The memory of one process at the peak of a call."""

    base: int
    kept: int
    call: int
    room: int

    @property
    def total(self) -> int:
        return self.base + self.kept + self.call

    @property
    def fits(self) -> bool:
        return not self.room or self.total <= self.room


def peaks(
    account: Account,
    workers: Mapping[Hashable, WorkerInfo],
    held: Mapping[Hashable, Held],
    beside: Mapping[Hashable, int] | None = None,
) -> dict[Hashable, Peak]:
    """The peak of each worker's process; workers that share one have one peak, and their rooms together.

    Of a worker that is not in `held` its last heartbeat counts.  `beside` is what is held on workers besides.
    """
    mates: dict[Hashable, list[Hashable]] = {}
    for address in workers:
        mates.setdefault(process_of(address), []).append(address)
    found = {}
    for address in workers:
        process = mates[process_of(address)]
        mine = held.get(address, Held(workers[address].used, 0))
        kept = sum(account.loads[w].kept for w in process)
        rooms = [room(workers[w]) for w in process]
        found[address] = Peak(
            mine.base,
            min(mine.derived + kept, MAX_BYTES),
            account.loads[address].peak + sum((beside or {}).get(w, 0) for w in process),
            sum(rooms) if all(rooms) else 0,
        )
    return found


#: Calls whose graphs a guard remembers.
_KNOWN = 256

#: The part of its room up to which a worker's last heartbeat is believed: it is up to a second old.
_SURE = 0.75


class Guard:
    """Refuses calls that cannot fit, before anything is submitted.

    What a call takes is priced once for each method, shape, dtype and placement.  What the workers hold besides
    changes, so it is looked at anew at every call: first what their last heartbeats said, which costs nothing, and
    only where that leaves little room, by asking them.
    """

    def __init__(self, ctx: DistributedContext, stack: Stack) -> None:
        self._ctx, self._stack = ctx, stack
        self._accounts: dict[Any, Account] = {}

    def check(
        self,
        method: str,
        blocks: Blocks,
        workers: Mapping[Hashable, WorkerInfo],
        value: Any,
        beside: int = 0,
    ) -> None:
        """Refuse a call of `method` with the argument `value` that cannot fit.

        `beside` is how many bytes are held meanwhile, besides, on the worker of the first block: those of a solver's
        vectors.

        Raises
        ------
        MemoryPlanError
            With what the worst worker would need, what it may have, and three ways out.
        """
        add = adds(method)
        if value is None or add is None:
            return
        shape: Any
        dtype: Any
        if isinstance(add, Each):
            shape, dtype = value.shapes, tuple(map(backend.dtype_name, value))
        elif isinstance(value, Measurements):  # the door has seen that all belong to one image
            first = self._stack.recipe.alike(0, 1)[0]
            shape, dtype = first._domain_shape(tuple(value[0].shape)), backend.dtype_name(value[0])
        else:
            shape, dtype = tuple(value.shape), backend.dtype_name(value)
        self.check_image(method, blocks, workers, shape, dtype, beside)

    def check_image(
        self,
        method: str,
        blocks: Blocks,
        workers: Mapping[Hashable, WorkerInfo],
        shape: Any,
        dtype: Any,
        beside: int = 0,
    ) -> None:
        """`check` for an image of this shape, where the argument has this dtype; of `Each`, one a sensor."""
        add = adds(method)
        if not any(w.memory for w in workers.values()):
            return
        account, is_new = self._priced(blocks, workers, add, shape, dtype)
        root = {blocks.homes[0]: beside}
        found = peaks(account, workers, {}, root)
        if any(p.room and p.total > _SURE * p.room for p in found.values()):
            found = peaks(account, workers, self.held(workers), root)
        of = f"{len(shape)} arrays" if isinstance(add, Each) else f"an image of {shape}, {dtype}"
        refuse(f"{method} of {of},", found)
        if is_new:
            peaked = {str(address): (p.total, p.room) for address, p in found.items()}
            tell(self._ctx.client, {"kind": "plan", "method": f"{method} of {of}", "peaks": peaked})

    def _priced(
        self,
        blocks: Blocks,
        workers: Mapping[Hashable, WorkerInfo],
        add: Any,
        shape: Any,
        dtype: Any,
    ) -> tuple[Account, bool]:
        """What a call takes on each worker, and whether it had to be found out."""
        threads = tuple((address, w.threads) for address, w in workers.items())
        case = (add, shape, dtype, blocks.bounds, tuple(blocks.homes), threads)
        is_new = case not in self._accounts
        if is_new:
            if len(self._accounts) >= _KNOWN:
                self._accounts.clear()
            self._accounts[case] = price(self._stack, blocks, workers, add, shape, dtype)
        return self._accounts[case], is_new

    def held(self, workers: Mapping[Hashable, WorkerInfo]) -> Mapping[Hashable, Held]:
        """What each worker's process holds now; one that does not answer is left out."""
        found: Mapping[Hashable, Held] = self._ctx.client.run(
            held_now, self._stack.recipe.token, workers=list(workers), on_error="ignore"
        )
        return found


def too_large(why: str, needed: int, available: int, where: str, *ways: str) -> MemoryPlanError:
    """The error of what needs more bytes than there are: `why`, in words, and ways out of it."""
    numbered = "; ".join(f"({number}) {way}" for number, way in enumerate(ways, 1))
    error = MemoryPlanError(
        f"{why}, and {bytes_text(available)} are available{where}. Nothing was submitted. Ways out: {numbered}"
    )
    error.needed, error.available = needed, available
    return error


def check_operators(sizes: Sequence[int], replicas: int, workers: Sequence[WorkerInfo]) -> None:
    """Refuse blocks of these sizes that all workers together, or any one of them, cannot hold.

    Raises
    ------
    MemoryPlanError
        With what would be needed, what is available, and ways out.
    """
    rooms = [room(w) for w in workers]
    if not all(rooms):
        return
    for needed, available, what in (
        (replicas * sum(sizes), sum(rooms), f"operators of {len(sizes)} blocks on {len(workers)} workers"),
        (max(sizes), max(rooms), "the largest block of operators on the worker with the most memory"),
    ):
        if needed > available:
            raise too_large(
                f"distribute: {what} need {bytes_text(needed)}",
                needed,
                available,
                "",
                "more chunks: distribute(…, chunks=1), so that a block is smaller",
                "more workers, or workers with more memory, and replicas=1",
                "a batch of sensors at a time: distribute(A[i:j], …)",
            )


def refuse(what: str, found: Mapping[Hashable, Peak]) -> None:
    """Raise `MemoryPlanError` where a process would need more than it may have."""
    worst, peak = max(found.items(), key=lambda item: item[1].total - item[1].room if item[1].room else -1)
    if not peak.fits:
        raise too_large(
            f"{what} needs {bytes_text(peak.total)} on the worker at {worst} ({bytes_text(peak.base)} that it has "
            f"already, {bytes_text(peak.kept)} of spectra, {bytes_text(peak.call)} of images and workspace)",
            peak.total,
            peak.room,
            " there",
            "more chunks, so that one task holds less: distribute(…, chunks=1), and fewer threads a worker",
            "more workers, or workers with more memory",
            "tiles or batches: x as a Dask array in chunks, of leading axes or of the image's own",
        )
