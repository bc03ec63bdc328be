"""Thumbnails of normal values: what they do to frequencies, or to a point."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskphys import backend
from daskphys.markup import logarithmic
from daskphys.physics.normal import half

Thumbnails = list[tuple[str, Any]]

#: Decades that are shown: eigenvalues of blurs fall fast.
_DECADES = 6.0


def of_frequencies(spectrum: Any, sizes: tuple[int, ...], *, centred: bool) -> Thumbnails:
    """Magnitudes of a spectrum, whole and centred or in the layout of `scipy.fft.rfftn`, frequency zero in the middle."""
    plane = _first(abs(spectrum), len(sizes))
    if not centred:
        plane = np.fft.fftshift(half.completed(plane, sizes))
    return _shown("frequencies, log", plane)


def of_lags(spectrum: Any, padded: tuple[int, ...], *, real: bool) -> Thumbnails:
    """Magnitudes of the kernel that has this padded spectrum, lag 0 in the middle."""
    plane = _first(spectrum, len(padded)).astype(np.complex128)
    kernel = backend.embedded_ifftn(plane, padded, padded, half=real)
    return _shown("kernel, log", np.fft.fftshift(kernel))


def of_pixels(entries: Any) -> Thumbnails:
    """Entries of a diagonal, of the trailing two axes."""
    if entries.ndim < 2:
        return []
    plane = _first(abs(entries), 2)
    return [("entries", plane)] if min(plane.shape) > 1 else []


def _first(array: Any, ndim: int) -> np.ndarray:
    """The first of the leading axes."""
    return backend.to_numpy(array[(0,) * (array.ndim - ndim)])


def _shown(caption: str, array: np.ndarray) -> Thumbnails:
    """Of a volume its middle plane; nothing of what has one axis."""
    if array.ndim < 2:
        return []
    return [(caption, logarithmic(array[tuple(n // 2 for n in array.shape[:-2])], _DECADES))]
