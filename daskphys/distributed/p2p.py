"""The memory that Dask's rechunk between peers (P2P) takes of a worker."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import dask
import numpy as np
from dask.utils import parse_bytes


def pencil_peak(
    shape: Sequence[int],
    dtype: Any,
    chunks: Sequence[Sequence[int]],
    workers: int,
    *,
    threads: int = 1,
    comm_buffer: int | None = None,
    storage_buffer: int | None = None,
) -> int:
    """Bytes that each worker needs, above what its process has, to rechunk an array by Dask's P2P.

    Parameters
    ----------
    shape, dtype
        Of the array between two pencil transforms (a half spectrum is complex).
    chunks
        Its chunks, as Dask has them; the largest counts, before the rechunk or after it.
    workers, threads
        How many workers there are, and how many tasks each runs at a time.
    comm_buffer, storage_buffer
        The limits of P2P's buffers; by default Dask's ``distributed.p2p.comm.buffer`` and ``….storage.buffer``.

    Notes
    -----
    From ``distributed/shuffle`` (`_rechunk.py`, `_buffer.py`, `_core.py`): a task cuts its chunk into shards, each
    a copy (`_shard_partition`), and puts them into the buffer for sending, which takes no more when it is over its
    limit, but takes each chunk whole; so it holds at most its limit and a chunk a thread, and never more than the
    worker's share of the array.  What comes in waits in the buffer for the disk, likewise, in messages of
    ``message-bytes-limit``, `concurrency` of them on their way.  A task that collects a chunk has it twice, mapped
    from the disk and in memory; so has one that transforms it.  With S the share, C a chunk, T threads:

        peak = 2 T C + min(comm + T C, S) + min(storage + messages, S)

    Examples
    --------
    >>> from daskphys.distributed.p2p import pencil_peak
    >>> slabs = ((1024,) * 16, (8193,))  # the half spectrum of 16384², float32, in 16 slabs
    >>> need = pencil_peak((16384, 8193), "complex64", slabs, workers=2)
    >>> 600 << 20 < need < 1 << 30
    True
    """
    item = np.dtype(dtype).itemsize
    share = -(-prod(shape) * item // workers)
    chunk = prod(max(axis) for axis in chunks) * item
    limits = [
        parse_bytes(dask.config.get(f"distributed.p2p.{name}.buffer")) if given is None else given
        for name, given in (("comm", comm_buffer), ("storage", storage_buffer))
    ]
    message = parse_bytes(dask.config.get("distributed.p2p.comm.message-bytes-limit"))
    coming = message * int(dask.config.get("distributed.p2p.comm.concurrency"))
    sending = min(limits[0] + threads * chunk, share)
    storing = min(limits[1] + coming, share)
    return int(2 * threads * chunk + sending + storing)
