"""Diagonals and masks on Dask arrays with any chunks: each chunk times its own part of the entries.

Every pixel is by itself, so nothing is moved and no chunk is merged.
"""

from __future__ import annotations

from typing import Any

import dask.array as da

from daskphys import backend
from daskphys.physics.base import Adjoint, Gram


def apply(operator: Any, value: Any) -> Any:
    """``operator`` on chunks of the image's own axes, or None where it multiplies no pixel by itself."""
    match operator:
        case Adjoint(parent=parent) if parent.pointwise is not None:
            return _times(parent.pointwise, value, conjugate=True)
        case Gram(parent=parent) if parent.pointwise is not None:
            return _times(parent.pointwise._normal(value.shape), value, conjugate=False)
    if operator.pointwise is None:
        return None
    return _times(operator.pointwise, value, conjugate=False)


def _times(diagonal: Any, x: Any, *, conjugate: bool) -> Any:
    held, dtype = diagonal.entries, diagonal._result_dtype(x.dtype.name)
    if conjugate:
        held = backend.namespace(held).conj(held)
    # In the precision of the image, as in memory.  A slice of them lies in the graph beside the chunk that needs it.
    held = backend.astype(held, dtype if backend.is_complex(held) else backend.real_name(dtype))
    ndim = held.ndim
    grid = [c if n > 1 else (1,) for c, n in zip(x.chunks[x.ndim - ndim :], held.shape, strict=True)]
    entries = da.from_array(held, chunks=tuple(grid))
    return da.map_blocks(run_times, x, entries, dtype=dtype, meta=x._meta.astype(dtype))


def run_times(x: Any, entries: Any) -> Any:
    """A chunk times its part of the entries."""
    return x * backend.like(entries, x)
