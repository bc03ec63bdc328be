"""Fourier transforms of an image that stands in the corner of a longer one of zeros, and back to that corner.

The axes are transformed one by one, the last one first, each made longer when its turn comes; on the way back
each is cut as soon as it is done.  So rows of zeros, and rows that nobody keeps, are not transformed: with twice
the length that saves a quarter of the work in 2-D and four tenths in 3-D.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft

from daskphys.backend.arrays import Array, astype, complex_name, copy, dtype_name, namespace
from daskphys.backend.fft import _counter, _workers


def embedded_fftn(x: Array, padded: Sequence[int], *, half: bool) -> Array:
    """The spectrum of `x` with zeros behind it up to the lengths `padded`; the half one of a real `x`."""
    if (count := _counter.get()) is not None:
        count.forward += 1
    ndim = len(padded)
    if isinstance(x, np.ndarray):
        first, threads = scipy.fft.rfft if half else scipy.fft.fft, _workers(x)
        x = first(x, n=padded[-1], axis=-1, workers=threads)
        for axis in range(-2, -ndim - 1, -1):
            x = scipy.fft.fft(x, n=padded[axis], axis=axis, workers=threads)
        return x
    fft, axes = namespace(x).fft, tuple(range(-ndim, 0))
    if half:
        return fft.rfftn(x, s=tuple(padded), axes=axes)
    return fft.fftn(astype(x, complex_name(dtype_name(x))), s=tuple(padded), axes=axes)


def embedded_ifftn(z: Array, padded: Sequence[int], sizes: Sequence[int], *, half: bool) -> Array:
    """The first `sizes` entries of the inverse transform.  The memory of `z` may be overwritten: give it a temporary."""
    if (count := _counter.get()) is not None:
        count.inverse += 1
    ndim = len(padded)
    if isinstance(z, np.ndarray):
        threads = _workers(z)
        for axis in range(-ndim, -1):
            z = scipy.fft.ifft(z, axis=axis, overwrite_x=True, workers=threads)
            z = z[(..., slice(0, sizes[axis]), *(slice(None),) * (-axis - 1))]
        if half:
            z = scipy.fft.irfft(z, n=padded[-1], axis=-1, workers=threads)
        else:
            z = scipy.fft.ifft(z, axis=-1, overwrite_x=True, workers=threads)
    else:
        fft, axes = namespace(z).fft, tuple(range(-ndim, 0))
        z = fft.irfftn(z, s=tuple(padded), axes=axes) if half else fft.ifftn(z, axes=axes)
    # A copy: a view would keep the longer array alive, and travel with it.
    return copy(z[(..., *(slice(0, n) for n in sizes))])
