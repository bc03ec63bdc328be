"""Kernels as products of kernels along single axes, where they are such products to rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

#: How far, in rounding units of the largest entry, a kernel may be from the product of its factors.
ROUNDING = 8.0

#: Kernels that would take more multiply-adds a sample even when separable are left whole: an FFT is faster.
MOST_TAPS = 64


def passes_of(kernel: np.ndarray, ndim: int) -> tuple[np.ndarray, ...]:
    """The kernels whose outer product `kernel` is, one for each axis longer than 1; else itself alone.

    Parameters
    ----------
    kernel : array, shape (*k,) or (C, *k), float64
        The kernel over `ndim` axes, one for all channels or one for each.

    Notes
    -----
    A matrix of rank 1 is the outer product of its first singular vectors.  An axis at a time is split off.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.separable import passes_of
    >>> [p.shape for p in passes_of(np.outer([1.0, 2.0, 1.0], [1.0, 0.0, -1.0]), 2)]
    [(3, 1), (1, 3)]
    >>> [p.shape for p in passes_of(np.eye(3), 2)]
    [(3, 3)]
    """
    sizes = kernel.shape[-ndim:]
    axes = [i for i, n in enumerate(sizes) if n > 1]
    if len(axes) < 2 or sum(sizes) > MOST_TAPS:
        return (kernel,)
    lead = kernel.shape[:-ndim]
    rest, factors = kernel.reshape(*lead, *(sizes[i] for i in axes)), []
    for i in axes[:-1]:
        u, s, v = np.linalg.svd(rest.reshape(*lead, sizes[i], -1), full_matrices=False)
        root = np.sqrt(s[..., :1])
        factors.append(u[..., :, 0] * root)
        rest = (v[..., 0, :] * root).reshape(*lead, *rest.shape[len(lead) + 1 :])
    factors.append(rest)
    passes = [
        f.reshape(*lead, *(sizes[i] if i == axis else 1 for i in range(ndim)))
        for axis, f in zip(axes, factors, strict=True)
    ]
    product = math.prod(passes[1:], start=passes[0])
    close = np.max(np.abs(product - kernel)) <= ROUNDING * np.finfo(np.float64).eps * np.max(np.abs(kernel))
    fewer = taps_of(passes, ndim) < math.prod(sizes)
    return tuple(passes) if close and fewer else (kernel,)


def taps_of(passes: Sequence[np.ndarray], ndim: int) -> int:
    """The multiply-adds a sample of all passes."""
    return sum(math.prod(p.shape[-ndim:]) for p in passes)


def in_words(passes: Sequence[np.ndarray], ndim: int) -> str:
    """``"separable, 7 + 7"`` or ``"direct, 3×2"``."""
    sizes = [p.shape[-ndim:] for p in passes]
    if len(sizes) == 1:
        return f"direct, {'×'.join(map(str, sizes[0]))}"
    return f"separable, {' + '.join(str(math.prod(n)) for n in sizes)}"
