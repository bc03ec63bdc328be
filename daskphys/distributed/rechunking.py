"""What Dask's rechunk between peers needs of the workers, and arrays that cannot go that way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import dask
import numpy as np
from dask.utils import parse_bytes
from distributed import default_client

from daskphys.distributed.cluster import worker_table
from daskphys.distributed.memory import too_large
from daskphys.distributed.p2p import pencil_peak
from daskphys.markup import bytes_text


class Limits(NamedTuple):
    """What a worker's process holds now, and the buffers that P2P takes there."""

    held: int
    comm: int
    storage: int


def limits_here(dask_worker: Any = None) -> Limits:
    """On a worker: its `Limits`."""
    sizes = [parse_bytes(dask.config.get(f"distributed.p2p.{name}.buffer")) for name in ("comm", "storage")]
    return Limits(dask_worker.monitor.get_process_memory(), *sizes)


def check_rechunk(what: str, shape: Sequence[int], dtype: str, chunks: Sequence[Sequence[int]]) -> None:
    """Refuse the rechunk of an array that does not fit into the workers of the current client.

    Without a client, or where workers have no limit, nothing is refused: Dask then rechunks by tasks, or as it can.

    Raises
    ------
    MemoryPlanError
        With what the worst worker would need, what it may hold before Dask's nanny kills it, and ways out.
    """
    try:
        client = default_client()
        workers = list(worker_table(client.scheduler_info(n_workers=-1)).values())
    except (
        ValueError,
        OSError,
        KeyError,
    ):  # no client, or one whose scheduler is gone: computing will say so
        return
    # P2P's buffers empty themselves to disk when they are full, so they may fill a worker beyond the part at which
    # Dask spills results (`memory.room`); what must not be reached is where the nanny kills it.
    fraction = dask.config.get("distributed.worker.memory.terminate") or 1.0
    if not workers or not all(w.memory for w in workers):
        return
    found = client.run(limits_here)
    for worker in workers:
        if (mine := found.get(worker.address)) is None:
            continue
        buffers = {"comm_buffer": mine.comm, "storage_buffer": mine.storage}
        needed = mine.held + pencil_peak(
            shape, dtype, chunks, len(workers), threads=worker.threads, **buffers
        )
        available = int(worker.memory * fraction)
        if needed > available:
            raise too_large(
                f"{what}: an FFT over an image in chunks rechunks {bytes_text(_size(shape, dtype))} between the workers, "
                f"which needs {bytes_text(needed)} on the worker at {worker.address} ({bytes_text(mine.held)} that it has "
                f"already)",
                needed,
                available,
                " there",
                f"a smaller distributed.p2p.comm.buffer, now {bytes_text(mine.comm)}, or smaller chunks",
                "more workers, or workers with more memory",
                "for kernels smaller than a chunk, A, Aᴴ and AᴴA by tiles, which rechunk nothing",
            )


def _size(shape: Sequence[int], dtype: str) -> int:
    return math.prod(shape) * np.dtype(dtype).itemsize
