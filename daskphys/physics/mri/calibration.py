"""Coil maps from a calibration region: the fully sampled frequencies about zero."""

from __future__ import annotations

import itertools
import numbers
from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError, checks_keywords
from daskphys.physics.checks import is_count

#: Bytes of the matrices, one a pixel, whose eigenvectors are found at once.
_SLAB_BYTES = 1 << 21

#: Power iterations at most.
_ITERATIONS = 300


@checks_keywords
def espirit_maps(
    kspace: Any, calibration: int = 24, kernel: int = 6, threshold: float = 0.02, crop: float = 0.95
) -> np.ndarray:
    """Maps by ESPIRiT: the eigenvectors, with eigenvalue one, of what the calibration region says of its neighbours.

    Parameters
    ----------
    kspace : array, shape (coil, H, W) or (coil, D, H, W), complex
        A measurement as `MultiCoilMRI` gives it, frequency zero at ``n // 2``.
    calibration : int
        Samples along each axis about frequency zero; all must be sampled.
    kernel : int
        Samples along each axis of a neighbourhood.
    threshold : float
        Singular values of the calibration matrix below `threshold` times the largest are noise.
    crop : float
        Where the eigenvalue is smaller, the maps are zero: outside the object.

    Returns
    -------
    array, shape and dtype of `kspace`
        The sum of squares over coils is one where the maps are not zero, and the first coil's phase is zero.

    Raises
    ------
    ShapeError, ParameterError
        A measurement without a coil axis, real, NaN or infinite; a region that is no part of it, not fully sampled, or
        smaller than the kernel.

    References
    ----------
    M. Uecker et al., "ESPIRiT — an eigenvalue approach to autocalibrating parallel MRI", Magn. Reson. Med. 71 (2014).

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import MultiCoilMRI
    >>> from daskphys.physics.mri import birdcage_maps, espirit_maps
    >>> x = np.zeros((32, 32))
    >>> x[6:26, 8:24] = 1.0
    >>> y = MultiCoilMRI(birdcage_maps(4, x.shape), np.ones(x.shape))(x)
    >>> maps = espirit_maps(y, calibration=16, kernel=5)
    >>> maps.shape, bool(np.allclose((abs(maps[:, 16, 16]) ** 2).sum(), 1))
    ((4, 32, 32), True)
    """
    y, region = _region("espirit_maps", kspace, calibration)
    if not is_count(kernel) or kernel > calibration:
        raise ParameterError(
            f"espirit_maps expected a kernel of 1 to {calibration} samples, as the calibration region has, got {kernel}"
        )
    real = all(isinstance(n, numbers.Real) for n in (threshold, crop))
    if not real or not 0 <= threshold < 1 or not 0 <= crop <= 1:
        raise ParameterError(
            f"espirit_maps expected a threshold of [0, 1) and a crop of [0, 1], got {threshold!r} and {crop!r}"
        )
    coils, ndim = len(y), y.ndim - 1
    blocks = np.lib.stride_tricks.sliding_window_view(
        region, (kernel,) * ndim, axis=tuple(range(1, ndim + 1))
    )
    matrix = np.moveaxis(blocks, 0, ndim).reshape(-1, coils * kernel**ndim)
    kept = _row_space(matrix, threshold)
    # Σₖ vₖ vₖᴴ, whose entries of one lag are one filter of a pair of coils.
    space = (kept.conj() @ kept.T).reshape(coils, *(kernel,) * ndim, coils, *(kernel,) * ndim)
    lags = np.zeros((coils, coils, *(2 * kernel - 1,) * ndim), complex)
    for at in itertools.product(range(kernel), repeat=ndim):
        row = space[(slice(None), *at)]
        shifted: Any = (..., *(slice(j, j + kernel) for j in at))
        lags[shifted] += np.flip(row, tuple(range(-ndim, 0)))
    lags /= kernel**ndim
    return _eigenvectors(y, lambda rows: _field(lags, y.shape[1:], rows), crop)


@checks_keywords
def walsh_maps(kspace: Any, calibration: int = 24, smoothing: int = 5) -> np.ndarray:
    """Maps by Walsh's adaptive combination: the dominant eigenvector of the coils' local covariance.

    Parameters
    ----------
    kspace : array, shape (coil, H, W) or (coil, D, H, W), complex
        A measurement as `MultiCoilMRI` gives it, frequency zero at ``n // 2``.
    calibration : int
        Samples along each axis about frequency zero; all must be sampled.  The images are made of these, with a Hann
        window against ringing.
    smoothing : int
        Pixels along each axis over which the covariance is averaged; borders are mirrored.

    Returns
    -------
    array, shape and dtype of `kspace`
        The sum of squares over coils is one, and the first coil's phase is zero.

    Raises
    ------
    ShapeError, ParameterError
        A measurement without a coil axis, real, NaN or infinite; a region that is no part of it or not fully sampled; a
        `smoothing` that is no odd number from 1 to the image's smallest size.

    References
    ----------
    D. O. Walsh, A. F. Gmitro and M. W. Marcellin, "Adaptive reconstruction of phased array MR imagery", Magn. Reson.
    Med. 43 (2000).

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import MultiCoilMRI
    >>> from daskphys.physics.mri import birdcage_maps, walsh_maps
    >>> given = birdcage_maps(4, (32, 32))
    >>> maps = walsh_maps(MultiCoilMRI(given, np.ones((32, 32)))(np.ones((32, 32))))
    >>> likeness = abs((maps.conj() * given).sum(0))[4:-4, 4:-4]
    >>> bool(likeness.min() > 0.98)
    True
    """
    y, region = _region("walsh_maps", kspace, calibration)
    sizes = y.shape[1:]
    if not is_count(smoothing) or smoothing % 2 == 0 or smoothing > min(sizes):
        raise ParameterError(
            f"walsh_maps expected an odd smoothing from 1 to {min(sizes)} pixels, got {smoothing}"
        )
    window = np.hanning(calibration + 2)[1:-1]
    whole = np.zeros(y.shape, complex)
    inner = tuple(slice(n // 2 - calibration // 2, n // 2 - calibration // 2 + calibration) for n in sizes)
    for axis in range(1, y.ndim):
        region = region * window.reshape((-1,) + (1,) * (y.ndim - 1 - axis))
    whole[(slice(None), *inner)] = region
    axes = tuple(range(1, y.ndim))
    images = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(whole, axes), axes=axes), axes)
    half = smoothing // 2
    padded = np.pad(images, ((0, 0), *((half, half),) * len(sizes)), mode="symmetric")

    def covariance(rows: slice) -> np.ndarray:
        part = padded[:, rows.start : rows.stop + 2 * half]
        made = part[:, None] * part[None].conj()
        for axis in range(2, made.ndim):
            made = np.lib.stride_tricks.sliding_window_view(made, smoothing, axis=axis).sum(-1)
        return made

    return _eigenvectors(y, covariance)


def _region(owner: str, kspace: Any, calibration: int) -> tuple[np.ndarray, np.ndarray]:
    """A measurement, and its samples about frequency zero in double precision."""
    y = backend.to_numpy(doors.to_core(kspace))
    if y.ndim not in (3, 4):
        raise ShapeError(f"{owner} expected k-space of shape (coil, H, W) or (coil, D, H, W), got {y.shape}")
    if not backend.is_complex(y):
        raise ParameterError(f"{owner} expected complex k-space, got {y.dtype}")
    if not is_count(calibration) or calibration > min(y.shape[1:]):
        raise ParameterError(
            f"{owner} expected a calibration region of 1 to {min(y.shape[1:])} samples along each axis, got {calibration}"
        )
    inner = tuple(
        slice(n // 2 - calibration // 2, n // 2 - calibration // 2 + calibration) for n in y.shape[1:]
    )
    region = y[(slice(None), *inner)].astype(complex)
    if not np.isfinite(region).all():
        raise ParameterError(
            f"{owner} expected finite k-space, got NaN or infinity in the calibration region"
        )
    missing = int((region == 0).all(0).sum())
    if missing:
        raise ParameterError(
            f"{owner} expected a calibration region of {'×'.join(map(str, region.shape[1:]))} that is fully sampled, got "
            f"{missing} samples that are zero in all coils: give a smaller calibration"
        )
    return y, region


def _row_space(matrix: np.ndarray, threshold: float) -> np.ndarray:
    """The right singular vectors, as columns, of singular values above `threshold` times the largest."""
    wide = matrix.shape[0] < matrix.shape[1]
    size, vectors = np.linalg.eigh(matrix @ matrix.conj().T if wide else matrix.conj().T @ matrix)
    keep = size > threshold**2 * size[-1]
    kept: np.ndarray = vectors[:, keep]
    return matrix.conj().T @ (kept / np.sqrt(size[keep])) if wide else kept


def _field(lags: np.ndarray, sizes: tuple[int, ...], rows: slice) -> np.ndarray:
    """The sum of ``lags[l] exp(2πi l·j / n)`` at the pixels j of some rows, counted from the centre."""
    for axis, n in enumerate(sizes, 2):
        at = np.arange(n)[rows] if axis == 2 else np.arange(n)
        reach = lags.shape[axis] // 2
        turns = np.outer(at - n // 2, np.arange(-reach, reach + 1)) / n
        lags = np.moveaxis(np.moveaxis(lags, axis, -1) @ np.exp(2j * np.pi * turns).T, -1, axis)
    return lags


def _eigenvectors(y: np.ndarray, matrices: Any, crop: float = 0.0) -> np.ndarray:
    """The dominant eigenvector at each pixel, of ``matrices(rows)`` (coil, coil, rows, …); zero below `crop`."""
    coils, sizes = len(y), y.shape[1:]
    step = max(1, _SLAB_BYTES // (16 * coils * coils * int(np.prod(sizes[1:]))))
    maps = np.empty(y.shape, y.dtype)

    def solve(start: int) -> None:
        rows = slice(start, min(start + step, sizes[0]))
        given = np.moveaxis(matrices(rows), (0, 1), (-2, -1))
        values, vectors = _dominant(np.ascontiguousarray(given), backend.eps(y), crop)
        size = abs(vectors[..., :1])
        vectors *= np.where(size > 0, vectors[..., :1].conj() / np.where(size > 0, size, 1), 1)
        maps[:, rows] = np.moveaxis(vectors, -1, 0) * (values > crop) if crop else np.moveaxis(vectors, -1, 0)

    backend.spread(solve, range(0, sizes[0], step), _SLAB_BYTES // 16)
    return maps


def _dominant(matrices: np.ndarray, eps: float, least: float) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalue, and its vector, of positive semidefinite matrices (…, n, n), by power iteration.

    LAPACK, which finds all of them, takes ten times as long for 32 coils.  Vectors of eigenvalues below `least` need
    not converge; where the two largest are nearly one, any mixture of their vectors is as good.
    """
    sizes = np.einsum("...ii->...i", matrices).real
    first = sizes.argmax(-1)[..., None, None]
    v = np.take_along_axis(matrices, first, axis=-1)
    values = np.zeros(v.shape[:-2])
    for _ in range(_ITERATIONS):
        values = np.sqrt((v.real**2 + v.imag**2).sum((-2, -1)))
        v /= np.where(values > 0, values, 1)[..., None, None]
        before, v = v, matrices @ v
        values = (before.conj() * v).real.sum((-2, -1))
        off = v - values[..., None, None] * before
        off = np.sqrt((off.real**2 + off.imag**2).sum((-2, -1)))
        if (off[values >= least] <= eps * values[values >= least]).all():
            break
    return values, before[..., 0]
