"""Fourier transforms: on the CPU SciPy's, in as many threads as are left to them; elsewhere the library's own.

On the CPU every transform goes through `scipy.fft`, so that ``scipy.fft.set_backend(...)`` of the caller holds.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np
import scipy.fft

from daskphys.backend.arrays import Array, apart, astype, complex_name, dtype_name, is_complex, namespace
from daskphys.backend.threads import threads_left

# Below this many elements the thread pool of SciPy's FFT costs more than it saves (measured: 128² loses by
# a factor of three, 512² gains).
_THREADED_SIZE = 1 << 17

# Bytes of a spectrum that are conjugated at a time: they stay in the core's own cache.
_SLAB_BYTES = 1 << 18

_counter: ContextVar[TransformCount | None] = ContextVar("daskphys_transforms", default=None)
_buffers: ContextVar[dict[int, np.ndarray] | None] = ContextVar("daskphys_buffers", default=None)


class TransformCount:
    """How many image transforms (one FFT of one array, whatever its leading axes) were made."""

    def __init__(self) -> None:
        self.forward = 0
        self.inverse = 0
        self._lock = threading.Lock()

    def add(self, forward: int, inverse: int) -> None:
        """Count some more; the threads of one call share a counter."""
        with self._lock:
            self.forward += forward
            self.inverse += inverse

    @property
    def total(self) -> int:
        return self.forward + self.inverse


@contextlib.contextmanager
def count_transforms() -> Iterator[TransformCount]:
    """Count the FFTs that this thread, and those that help it, make inside the block; the innermost block counts."""
    count = TransformCount()
    token = _counter.set(count)
    try:
        yield count
    finally:
        _counter.reset(token)


@contextlib.contextmanager
def reused_buffers() -> Iterator[None]:
    """Let the products of `filtered` inside the block share one buffer for each thread that helps.

    A fresh array for every sensor costs page faults; a buffer that outlived the call would cost memory.
    """
    token = _buffers.set({})
    try:
        yield
    finally:
        _buffers.reset(token)


def _workers(x: Array) -> int:
    return threads_left() if x.size >= _THREADED_SIZE else 1


def rfftn(x: Array, ndim: int) -> Array:
    """The real-to-complex FFT over the last `ndim` axes."""
    if (count := _counter.get()) is not None:
        count.add(1, 0)
    axes = tuple(range(-ndim, 0))
    if isinstance(x, np.ndarray):
        return scipy.fft.rfftn(x, axes=axes, workers=_workers(x))
    return namespace(x).fft.rfftn(x, axes=axes)


def irfftn(x: Array, sizes: Sequence[int], keep: Sequence[slice] | None = None) -> Array:
    """The inverse of `rfftn` for spatial `sizes`.  The memory of `x` may be overwritten: give it a temporary.

    Of the result, the part `keep` is returned (one slice for each spatial axis), in memory of its own.

    On the CPU the axes before the last are transformed in place and the last one to real: SciPy's own
    ``irfftn`` makes one more copy, which costs most for large images (benchmarks/results/foundation.txt); and
    rows that are not kept need no last transform.
    """
    if (count := _counter.get()) is not None:
        count.add(0, 1)
    ndim = len(sizes)
    keep = (slice(None),) * ndim if keep is None else tuple(keep)
    if isinstance(x, np.ndarray):
        given, workers = x, _workers(x)
        if ndim > 1:
            x = scipy.fft.ifftn(x, axes=tuple(range(-ndim, -1)), overwrite_x=True, workers=workers)
            x = x[(..., *keep[:-1], slice(None))]
        y = scipy.fft.irfft(x, n=sizes[-1], axis=-1, overwrite_x=True, workers=workers)
        part = y[..., keep[-1]]
        return apart([part if part.shape == y.shape else part.copy()], [given])[0]
    y = namespace(x).fft.irfftn(x, s=tuple(sizes), axes=tuple(range(-ndim, 0)))
    part = y[(..., *keep)]
    return part if part.shape == y.shape else namespace(x).asarray(part, copy=True)


def filtered(z: Array, factor: Array, sizes: Sequence[int], keep: Sequence[slice] | None = None) -> Array:
    """``irfftn(z * factor, sizes, keep)``; the product lies in a buffer where `reused_buffers` has one."""
    buffers = _buffers.get()
    if buffers is None or not isinstance(z, np.ndarray):
        return irfftn(z * factor, sizes, keep)
    shape, own = np.broadcast_shapes(z.shape, factor.shape), threading.get_ident()
    buffer = buffers.get(own)
    if buffer is None or buffer.shape != shape or buffer.dtype != z.dtype:
        buffer = buffers[own] = np.empty(shape, z.dtype)
    return irfftn(np.multiply(z, factor, out=buffer), sizes, keep)


def times_conj(z: Array, factor: Array) -> Array:
    """``z * conj(factor)``; the memory of `z` may be overwritten: give it a temporary."""
    own = isinstance(z, np.ndarray) and np.broadcast_shapes(z.shape, factor.shape) == z.shape
    if not is_complex(factor):
        return np.multiply(z, factor, out=z) if own and is_complex(z) else z * factor
    if not own:
        return z * namespace(z).conj(factor)
    _times_conj(z, factor)
    return z


def _times_conj(z: np.ndarray, factor: np.ndarray) -> None:
    """In place, a slab of `factor` at a time."""
    rest: tuple[Any, ...] = (slice(None),) * (factor.ndim - 1)
    if factor.nbytes <= _SLAB_BYTES or factor.ndim < 2:
        np.multiply(z, np.conj(factor), out=z)
    elif factor.ndim > 2:
        for i, part in enumerate(factor):
            _times_conj(z[(..., i if len(factor) > 1 else slice(None), *rest)], part)
    else:
        rows = max(1, _SLAB_BYTES // factor[0].nbytes)
        for i in range(0, len(factor), rows):
            _times_conj(z[(..., slice(i, i + rows), *rest)], factor[i : i + rows])


def fftn(x: Array, ndim: int, *, inverse: bool = False, overwrite: bool = False) -> Array:
    """The orthonormal complex FFT over the last `ndim` axes; with `overwrite` it may lie in the memory of `x`."""
    if (count := _counter.get()) is not None:
        count.add(*((0, 1) if inverse else (1, 0)))
    axes = tuple(range(-ndim, 0))
    if isinstance(x, np.ndarray):
        transform = scipy.fft.ifftn if inverse else scipy.fft.fftn
        return transform(x, axes=axes, norm="ortho", overwrite_x=overwrite, workers=_workers(x))
    fft = namespace(x).fft
    wide = astype(x, complex_name(dtype_name(x)))
    return (fft.ifftn if inverse else fft.fftn)(wide, axes=axes, norm="ortho")


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
