"""A part of a kernel's half spectrum, for images whose whole spectrum fits nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskphys import backend
from daskphys.physics.stencil import Stencil

#: Rows of a kernel that are transformed at once: what is not kept of them is never there all together.
_ROWS = 64


def transfer(stencil: Stencil, sizes: tuple[int, ...], band: tuple[tuple[int, int], ...]) -> Any:
    """The transfer function of a real periodic kernel, for all frequencies of the first axis and a band of the others.

    Parameters
    ----------
    stencil
        The kernel.
    sizes : tuple of int
        The image's spatial shape.
    band
        Start and stop of the frequencies on each axis but the first; on the last axis, of half of them.

    Returns
    -------
    array, shape (…, sizes[0], *widths), complex128

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Blur
    >>> from daskphys.physics.spectra import transfer
    >>> A = Blur(np.arange(6.0).reshape(2, 3))
    >>> part = transfer(A.stencil, (8, 10), ((2, 5),))
    >>> bool(np.allclose(part, A._transfer((8, 10))[:, 2:5]))
    True
    """
    ndim, kernel = stencil.ndim, stencil.kernel
    for axis, n in zip(range(-ndim, 0), sizes, strict=True):
        kernel = _folded(kernel, axis, n)
    band = ((0, sizes[0] if ndim > 1 else sizes[0] // 2 + 1), *band)
    if ndim == 1:
        z = backend.rfft_axis(kernel, sizes[0])
    else:
        starts = range(0, kernel.shape[-ndim], _ROWS)
        rows = [kernel[(..., slice(a, a + _ROWS), *(slice(None),) * (ndim - 1))] for a in starts]
        z = backend.concat([_banded(r, sizes, band) for r in rows], -ndim)
        z = backend.fft_axis(z, -ndim, n=sizes[0])
    for axis, n, size, (start, stop) in zip(range(-ndim, 0), sizes, stencil.sizes, band, strict=True):
        # The kernel's centre is the origin.  Whole turns are taken off before the angle is rounded.
        turns = (np.arange(start, stop) * (size // 2) % n) / n
        phase = np.exp(2j * np.pi * turns).reshape((-1,) + (1,) * (-axis - 1))
        z *= backend.like(phase, z)
    return z


def _banded(rows: Any, sizes: tuple[int, ...], band: tuple[tuple[int, int], ...]) -> Any:
    """Rows of a kernel, transformed over all axes but the first, of which the band is kept."""
    z = backend.copy(backend.rfft_axis(rows, sizes[-1])[..., slice(*band[-1])])
    for axis in range(2, len(sizes)):
        z = backend.fft_axis(z, -axis, n=sizes[-axis])
        z = z[(..., slice(*band[-axis]), *(slice(None),) * (axis - 1))]
    return z


def _folded(kernel: Any, axis: int, n: int) -> Any:
    """The kernel wrapped round a period of `n` along an axis where it is longer."""
    length = kernel.shape[axis]
    if length <= n:
        return kernel
    xp = backend.namespace(kernel)
    after = (slice(None),) * (-axis - 1)
    period = kernel[(..., slice(0, n), *after)]
    rest = _folded(kernel[(..., slice(n, length), *after)], axis, n)
    wide = [rest, xp.zeros_like(period[(..., slice(0, n - rest.shape[axis]), *after)])]
    return period + backend.concat(wide, axis)
