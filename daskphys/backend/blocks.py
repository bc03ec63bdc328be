"""Products of many small matrices with as many vectors, in one order of operations whatever the batch."""

from __future__ import annotations

from math import prod

import numpy as np

from daskphys.backend.arrays import Array, namespace

# Bytes of one vector's slab: the slabs of a few vectors stay in the core's own cache.
_SLAB_BYTES = 1 << 16


def block_product(blocks: Array, z: Array, ndim: int) -> Array:
    """``y[…, a, q] = Σ_b blocks[…, a, b, q] z[…, b, q]``, where q are the last `ndim` axes.

    The sum is taken in the order of b, element by element: no library's matrix product, whose last bits depend on how
    many vectors there are.
    """
    if not isinstance(z, np.ndarray):
        xp, tail = namespace(z), (slice(None),) * ndim
        rows = []
        for a in range(blocks.shape[-ndim - 2]):
            row = blocks[(..., a, slice(0, 1), *tail)] * z[(..., slice(0, 1), *tail)]
            for b in range(1, z.shape[-ndim - 1]):
                at = (..., slice(b, b + 1), *tail)
                row = row + blocks[(..., a, slice(b, b + 1), *tail)] * z[at]
            rows.append(row)
        return xp.concat(rows, axis=-ndim - 1)
    lead = np.broadcast_shapes(blocks.shape[: -ndim - 2], z.shape[: -ndim - 1])
    n, m, q = blocks.shape[-ndim - 2], z.shape[-ndim - 1], z.shape[-ndim:]
    length = prod(q)
    y = np.empty((*lead, n, *q), z.dtype)
    vectors = np.broadcast_to(z, (*lead, m, *q)).reshape(-1, m, length)
    matrices = blocks.reshape(*blocks.shape[:-ndim], length)
    matrices = np.broadcast_to(matrices, (*lead, n, m, length))
    step = min(max(1, _SLAB_BYTES // z.itemsize), length)
    spare = np.empty(step, z.dtype)
    for index, vector, result in zip(np.ndindex(lead), vectors, y.reshape(-1, n, length), strict=True):
        matrix = matrices[index]
        for start in range(0, length, step):
            part = slice(start, start + step)
            term = spare[: min(step, length - start)]
            for a in range(n):
                total = result[a, part]
                np.multiply(matrix[a, 0, part], vector[0, part], out=total)
                for b in range(1, m):
                    np.multiply(matrix[a, b, part], vector[b, part], out=term)
                    total += term
    return y
