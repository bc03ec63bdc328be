"""Fourier transforms: on the CPU SciPy's, in as many threads as are left to them; elsewhere the library's own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

import numpy as np
import scipy.fft

from daskphys.backend.arrays import Array, namespace

# Below this many elements the thread pool of SciPy's FFT costs more than it saves (measured: 128² loses by
# a factor of three, 512² gains).
_THREADED_SIZE = 1 << 17

_threads: ContextVar[int | None] = ContextVar("daskphys_fft_threads", default=None)
_counter: ContextVar[TransformCount | None] = ContextVar("daskphys_transforms", default=None)


class TransformCount:
    """How many image transforms (one FFT of one array, whatever its leading axes) were made."""

    def __init__(self) -> None:
        self.forward = 0
        self.inverse = 0

    @property
    def total(self) -> int:
        return self.forward + self.inverse


@contextlib.contextmanager
def count_transforms() -> Iterator[TransformCount]:
    """Count the FFTs that this thread makes inside the block; the innermost block counts."""
    count = TransformCount()
    token = _counter.set(count)
    try:
        yield count
    finally:
        _counter.reset(token)


@contextlib.contextmanager
def fft_threads(n: int) -> Iterator[None]:
    """Let FFTs on the CPU use `n` threads inside the block (this thread only); else they use every core."""
    token = _threads.set(max(1, n))
    try:
        yield
    finally:
        _threads.reset(token)


def cpu_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _workers(x: Array) -> int:
    allowed = _threads.get()
    return (cpu_count() if allowed is None else allowed) if x.size >= _THREADED_SIZE else 1


def rfftn(x: Array, ndim: int) -> Array:
    """The real-to-complex FFT over the last `ndim` axes."""
    if (count := _counter.get()) is not None:
        count.forward += 1
    axes = tuple(range(-ndim, 0))
    if isinstance(x, np.ndarray):
        return scipy.fft.rfftn(x, axes=axes, workers=_workers(x))
    return namespace(x).fft.rfftn(x, axes=axes)


def irfftn(x: Array, sizes: Sequence[int]) -> Array:
    """The inverse of `rfftn` for spatial `sizes`.  The memory of `x` may be overwritten: give it a temporary.

    On the CPU the axes before the last are transformed in place and the last one to real: SciPy's own
    ``irfftn`` makes one more copy, which costs most for large images (benchmarks/results/foundation.txt).
    """
    if (count := _counter.get()) is not None:
        count.inverse += 1
    ndim = len(sizes)
    if isinstance(x, np.ndarray):
        workers = _workers(x)
        if ndim > 1:
            x = scipy.fft.ifftn(x, axes=tuple(range(-ndim, -1)), overwrite_x=True, workers=workers)
        return scipy.fft.irfft(x, n=sizes[-1], axis=-1, overwrite_x=True, workers=workers)
    return namespace(x).fft.irfftn(x, s=tuple(sizes), axes=tuple(range(-ndim, 0)))


def fft_axis(x: Array, axis: int, *, n: int | None = None, inverse: bool = False) -> Array:
    """The complex FFT along one axis, made `n` long with zeros; not counted: it is part of an image's transform."""
    if isinstance(x, np.ndarray):
        transform = scipy.fft.ifft if inverse else scipy.fft.fft
        return transform(x, n=n, axis=axis, workers=_workers(x))
    xp = namespace(x)
    return (xp.fft.ifft if inverse else xp.fft.fft)(x, n=n, axis=axis)


def rfft_axis(x: Array, n: int) -> Array:
    """The real-to-complex FFT along the last axis, made `n` long with zeros; not counted."""
    if isinstance(x, np.ndarray):
        return scipy.fft.rfft(x, n=n, axis=-1, workers=_workers(x))
    return namespace(x).fft.rfft(x, n=n, axis=-1)
