"""Lazy arrays on their way to disk: computed chunk by chunk, by the workers where these see the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np

from daskphys.errors import ShapeError

#: A chunk of Dask's is one of Zarr's, or several where it is larger than so many bytes.
_CHUNK = 1 << 27


def cut(array: Any, axis: int) -> tuple[Any, tuple[int, ...]]:
    """A Dask array with chunks of one size, and those of a Zarr array that one task each writes to.

    `axis` is the one along which large chunks are cut.
    """
    if any(n != n for n in array.shape):
        raise ShapeError(
            f"to_zarr expected arrays of known shape, got {array.shape}: call compute_chunk_sizes() first"
        )
    sizes = [max(1, *own) for own in array.chunks]
    if any(size != own for own, n in zip(array.chunks, sizes, strict=True) for size in own[:-1] if n != size):
        array = array.rechunk(tuple(sizes))
    if sizes:
        one = array.dtype.itemsize * int(np.prod(sizes)) // sizes[axis]
        most = max(1, min(sizes[axis], _CHUNK // one))
        sizes[axis] = next(size for size in range(most, 0, -1) if sizes[axis] % size == 0)
    return array, tuple(sizes)


def store(pairs: Sequence[tuple[Any, Any]], place: Any) -> None:
    """Compute Dask arrays into Zarr arrays."""
    if not pairs:
        return
    if _is_seen_by_workers(place):
        sources, targets = zip(*pairs, strict=True)
        da.store(list(sources), list(targets), lock=False)
        return
    for source, target in pairs:
        blocks = source.to_delayed()  # `.blocks` gives a key for what has no axes
        for index, slices in zip(
            np.ndindex(source.numblocks), da.core.slices_from_chunks(source.chunks), strict=True
        ):
            target[slices] = np.asarray(blocks[index].compute())


def _is_seen_by_workers(place: Any) -> bool:
    """Whether a store that travels to another process is the same store there; of others the client writes each chunk."""
    protocols = getattr(getattr(place, "fs", None), "protocol", ())
    kind = type(place).__name__
    return kind in ("LocalStore", "ObjectStore") or (kind == "FsspecStore" and "memory" not in protocols)
