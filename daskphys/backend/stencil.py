"""Correlation with small kernels by shifted multiply-adds.

A kernel that is a product of kernels along single axes is applied one axis after the other.  On NumPy arrays a
slab of rows goes through all passes before the next, so that what lies between them stays in the core's cache
(measured: twice as fast at 2048² as whole arrays, benchmarks/products.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from daskphys.backend.arrays import Array, like, namespace
from daskphys.backend.threads import spread

# Bytes of a slab: the input, the sum and the product of it fit the cache of a core.
_SLAB_BYTES = 1 << 17


def correlate(x: Array, passes: Sequence[np.ndarray], ndim: int) -> Array:
    """``y[i] = Σₘ g[m] x[i + m]`` over the last `ndim` axes, where g is the outer product of `passes`.

    Parameters
    ----------
    x : array, shape (…, *sizes), real
        The image, already extended.
    passes : sequence of array, shape (*k,) or (C, *k), float64
        Kernels with `ndim` axes, for all channels or one for each, applied in this order; only the first may be
        longer than 1 along the first of these axes.
    ndim : int
        The number of spatial axes.

    Returns
    -------
    array, shape (…, *(sizes - Σ k + 1))
        In the precision of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.backend import correlate
    >>> correlate(np.arange(5.0), [np.array([1.0, 1.0])], 1)
    array([1., 3., 5., 7.])
    """
    if isinstance(x, np.ndarray):
        return _in_slabs(x, passes, ndim)
    for weights in passes:
        x = _whole(x, weights, ndim)
    return x


def _whole(x: Array, weights: np.ndarray, ndim: int) -> Array:
    """One pass over an array of any library."""
    xp = namespace(x)
    kept = [n - k + 1 for n, k in zip(x.shape[-ndim:], weights.shape[-ndim:], strict=True)]
    total: Array = None
    for offset in np.ndindex(weights.shape[-ndim:]):
        weight = weights[(..., *offset)]
        factor = float(weight) if weight.ndim == 0 else like(weight.reshape(-1, *(1,) * ndim), x)
        if weight.ndim:
            factor = xp.astype(factor, x.dtype)
        term = factor * x[(..., *(slice(o, o + n) for o, n in zip(offset, kept, strict=True)))]
        total = term if total is None else total + term
    return total


def _in_slabs(x: np.ndarray, passes: Sequence[np.ndarray], ndim: int) -> np.ndarray:
    """All passes over a slab of rows, then the next slab; slabs side by side where threads are left."""
    lead, sizes = x.shape[:-ndim], x.shape[-ndim:]
    kept = tuple(n - sum(p.shape[i - ndim] - 1 for p in passes) for i, n in enumerate(sizes))
    y = np.empty((*lead, *kept), x.dtype)
    reach = passes[0].shape[-ndim] - 1
    rows = max(1, _SLAB_BYTES // (x.itemsize * prod(sizes[1:])))

    def slab(job: tuple[tuple[int, ...], int]) -> None:
        index, start = job
        stop = min(start + rows, kept[0])
        part = x[index][start : stop + reach]
        for weights in passes[:-1]:
            part = _pass(part, _of_channel(weights, index, ndim), None)
        _pass(part, _of_channel(passes[-1], index, ndim), y[index][start:stop])

    jobs = list(itertools.product(np.ndindex(*lead), range(0, kept[0], rows)))
    spread(slab, jobs, size=prod(sizes))
    return y


def _of_channel(weights: np.ndarray, index: tuple[int, ...], ndim: int) -> np.ndarray:
    return weights[index[-1]] if weights.ndim > ndim else weights


def _pass(x: np.ndarray, weights: np.ndarray, out: Any) -> np.ndarray:
    kept = [n - k + 1 for n, k in zip(x.shape, weights.shape, strict=True)]
    product: Any = None
    for offset in np.ndindex(weights.shape):
        part = x[tuple(slice(o, o + n) for o, n in zip(offset, kept, strict=True))]
        weight = x.dtype.type(weights[offset])
        if product is None:
            out = np.multiply(part, weight, out=out)
            product = np.empty_like(out)
        else:
            out += np.multiply(part, weight, out=product)
    result: np.ndarray = out
    return result
