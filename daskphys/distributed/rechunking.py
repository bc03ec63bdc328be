"""What Dask's rechunk between peers needs of the workers, and arrays that cannot go that way."""

from __future__ import annotations

import contextlib
import math
import weakref
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import dask
import numpy as np
from dask.utils import parse_bytes
from distributed import Client, default_client

from daskphys.distributed.memory import too_large
from daskphys.distributed.p2p import pencil_peak
from daskphys.markup import bytes_text

#: Bytes that P2P fills on a worker before it waits: its buffers for sending and for storing.
Buffers = tuple[int, int]

#: What each worker's configuration says of them; it does not change, so a client asks a worker once.
_buffers: weakref.WeakKeyDictionary[Client, dict[str, Buffers]] = weakref.WeakKeyDictionary()

#: What schedulers have said of their workers for the product that is being built.
_asked: ContextVar[dict[Client, dict[str, Any]] | None] = ContextVar("asked", default=None)


def buffers_here() -> Buffers:
    """On a worker: its buffers."""
    comm, storage = (
        parse_bytes(dask.config.get(f"distributed.p2p.{name}.buffer")) for name in ("comm", "storage")
    )
    return comm, storage


@contextlib.contextmanager
def asked_once() -> Iterator[None]:
    """While the graph of one product is built, a scheduler is asked for its workers once, however many rechunks."""
    if _asked.get() is not None:
        yield
        return
    token = _asked.set({})
    try:
        yield
    finally:
        _asked.reset(token)


def _workers(client: Client) -> dict[str, Any]:
    """Each worker by its address, as the scheduler describes it; its heartbeats bring what it holds."""
    kept = _asked.get()
    if kept is not None and client in kept:
        return kept[client]
    found: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    if kept is not None:
        kept[client] = found
    return found


def _buffers_of(client: Client, addresses: Sequence[str]) -> dict[str, Buffers]:
    known = _buffers.setdefault(client, {})
    if new := [address for address in addresses if address not in known]:
        known.update(client.run(buffers_here, workers=new))
    return known


def check_rechunk(
    what: str, shape: Sequence[int], dtype: str, chunks: Sequence[Sequence[int]], client: Client | None = None
) -> None:
    """Refuse the rechunk of an array that does not fit into the workers of a client, by default the current one.

    Without a client, or where workers have no limit, nothing is refused: Dask then rechunks by tasks, or as it can.

    Raises
    ------
    MemoryPlanError
        With what the worst worker would need, what it may hold before Dask's nanny kills it, and ways out.
    """
    try:
        client = default_client() if client is None else client
        workers = _workers(client)
        fraction = dask.config.get("distributed.worker.memory.terminate") or 1.0
        if not workers or not all(w["memory_limit"] for w in workers.values()):
            return
        buffers = _buffers_of(client, list(workers))
    except (
        ValueError,
        OSError,
        KeyError,
    ):  # no client, or one whose scheduler is gone: computing will say so
        return
    # P2P's buffers empty themselves to disk when they are full, so they may fill a worker beyond the part at which
    # Dask spills results (`memory.room`); what must not be reached is where the nanny kills it.
    for address, worker in workers.items():
        if address not in buffers:  # it has left meanwhile
            continue
        comm, storage = buffers[address]
        held = worker["metrics"].get("memory", 0)  # none before its first heartbeat
        own = {"threads": worker["nthreads"], "comm_buffer": comm, "storage_buffer": storage}
        needed = held + pencil_peak(shape, dtype, chunks, len(workers), **own)
        available = int(worker["memory_limit"] * fraction)
        if needed > available:
            raise too_large(
                f"{what}: an FFT over an image in chunks rechunks {bytes_text(_size(shape, dtype))} between the workers, "
                f"which needs {bytes_text(needed)} on the worker at {address} ({bytes_text(held)} that it has "
                f"already)",
                needed,
                available,
                " there",
                f"a smaller distributed.p2p.comm.buffer, now {bytes_text(comm)}, or smaller chunks",
                "more workers, or workers with more memory",
                "for kernels smaller than a chunk, A, Aᴴ and AᴴA by tiles, which rechunk nothing",
            )


def _size(shape: Sequence[int], dtype: str) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize
