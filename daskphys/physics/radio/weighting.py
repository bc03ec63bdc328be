"""Imaging weights of visibilities: how much each part of the (u, v) plane counts."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError, checks_keywords
from daskphys.physics.radio import coordinates
from daskphys.physics.radio.gridder import LIGHT


@checks_keywords
def natural_weights(uvw: Any, *, frequencies: Any = None, noise_weights: Any = None) -> np.ndarray:
    """The weights of least noise in the image: 1 / σ² of each visibility, or 1.

    Parameters
    ----------
    uvw : array, shape (rows, 3)
        (u, v, w), as `Interferometry` takes them.
    frequencies : array, shape (channels,), optional
        Hz; uvw is in metres then.
    noise_weights : array, shape (rows,) or with frequencies (rows, channels), optional
        1 / σ² of each visibility.

    Returns
    -------
    array, shape (rows,) or (rows, channels)
        What `Interferometry` takes as `weights`.

    Raises
    ------
    ShapeError
        `uvw`, `frequencies` or `noise_weights` has another shape.
    ParameterError
        NaN; a frequency that is not above 0; weights that are negative or all zero.

    Examples
    --------
    >>> from daskphys.physics.radio import natural_weights
    >>> natural_weights([[10.0, 0, 0], [90.0, 0, 0]], noise_weights=[1.0, 4.0])
    array([1., 4.])
    """
    return _natural("natural_weights", uvw, frequencies, noise_weights)[1]


@checks_keywords
def uniform_weights(
    uvw: Any,
    cell_size: float,
    image_shape: tuple[int, int],
    *,
    frequencies: Any = None,
    noise_weights: Any = None,
) -> np.ndarray:
    """The weights that make each cell of the (u, v) plane count alike: the finest beam, and more noise.

    ``wᵢ / W(cell of i)`` with W the sum of all w in a cell.  The limit of `briggs_weights` for robust → −∞.

    Parameters
    ----------
    uvw : array, shape (rows, 3)
        (u, v, w), as `Interferometry` takes them: wavelengths, or with `frequencies` metres.
    cell_size : float
        The size of the image's pixels, in radians.
    image_shape : (int, int)
        The image's (rows, columns).
    frequencies : array, shape (channels,), optional
        Hz.
    noise_weights : array, shape (rows,) or with frequencies (rows, channels), optional
        1 / σ² of each visibility; 1 by default.

    Returns
    -------
    array, shape (rows,) or (rows, channels)
        What `Interferometry` takes as `weights`.

    Raises
    ------
    ShapeError
        `uvw`, `frequencies` or `noise_weights` has another shape.
    ParameterError
        As `natural_weights`; a cell size or an image shape out of its domain, or (u, v) beyond Nyquist's limit.

    Examples
    --------
    >>> from daskphys.physics.radio import uniform_weights
    >>> uniform_weights([[10.0, 0, 0], [10.0, 0, 0], [90.0, 0, 0]], 1e-3, (64, 64))  # two in one cell
    array([0.5, 0.5, 1. ])
    """
    shape, w, cell = _gridded("uniform_weights", uvw, cell_size, image_shape, frequencies, noise_weights)
    density = np.bincount(cell, w)
    return _ratio(w, density[cell]).reshape(shape)


@checks_keywords
def briggs_weights(
    uvw: Any,
    cell_size: float,
    image_shape: tuple[int, int],
    robust: float = 0.0,
    *,
    frequencies: Any = None,
    noise_weights: Any = None,
) -> np.ndarray:
    """Briggs' robust weights, between uniform (robust = −2) and natural (robust = 2).

    ``wᵢ / (1 + f² W(cell of i))`` with ``f² = (5 · 10^−robust)² / (Σ W² / Σ w)``, where W is the sum of w in a cell
    of the (u, v) plane, whose cells are 1 / (n · cell_size) wavelengths for n pixels; (u, v) and (−u, −v) are one cell.

    Parameters
    ----------
    uvw : array, shape (rows, 3)
        (u, v, w), as `Interferometry` takes them: wavelengths, or with `frequencies` metres.
    cell_size : float
        The size of the image's pixels, in radians.
    image_shape : (int, int)
        The image's (rows, columns).
    robust : float
        Briggs' R.
    frequencies : array, shape (channels,), optional
        Hz.
    noise_weights : array, shape (rows,) or with frequencies (rows, channels), optional
        1 / σ² of each visibility; 1 by default.

    Returns
    -------
    array, shape (rows,) or (rows, channels)
        What `Interferometry` takes as `weights`.

    Raises
    ------
    ShapeError, ParameterError
        As `uniform_weights`; a `robust` that is not finite.

    References
    ----------
    D. S. Briggs, "High fidelity deconvolution of moderately resolved sources", PhD thesis, New Mexico Institute of
    Mining and Technology (1995), ch. 3.

    Examples
    --------
    >>> from daskphys.physics.radio import briggs_weights
    >>> uvw = [[10.0, 0, 0], [10.0, 0, 0], [90.0, 0, 0]]  # two in one cell
    >>> [[round(float(w), 3) for w in briggs_weights(uvw, 1e-3, (64, 64), robust=r)] for r in (0.0, 4.0)]
    [[0.032, 0.032, 0.062], [1.0, 1.0, 1.0]]
    """
    owner = "briggs_weights"
    if not isinstance(robust, numbers.Real) or not np.isfinite(float(robust)):
        raise ParameterError(f"{owner} expected a finite robust, usually from −2 to 2, got {robust!r}")
    shape, w, cell = _gridded(owner, uvw, cell_size, image_shape, frequencies, noise_weights)
    density = np.bincount(cell, w)
    f2 = (5.0 * 10.0 ** -float(robust)) ** 2 * w.sum() / (density**2).sum()
    return (w / (1.0 + f2 * density[cell])).reshape(shape)


def _natural(owner: str, uvw: Any, frequencies: Any, noise_weights: Any) -> tuple[np.ndarray, np.ndarray]:
    """(u, v) in wavelengths, shape (rows[, channels], 2), and the weights, shape (rows[, channels])."""
    points = backend.to_numpy(coordinates.checked_uvw(uvw, owner))[:, :2]
    channels = None
    if frequencies is not None:
        hertz = backend.to_numpy(coordinates.checked_frequencies(frequencies, owner))
        points, channels = points[:, None, :] * (hertz[:, None] / LIGHT), len(hertz)
    if noise_weights is None:
        return points, np.ones(points.shape[:-1])
    checked = backend.to_numpy(coordinates.checked_weights(noise_weights, owner, len(points), channels))
    return points, np.array(np.broadcast_to(checked, points.shape[:-1]))


def _gridded(
    owner: str, uvw: Any, cell_size: Any, image_shape: Any, frequencies: Any, noise_weights: Any
) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """The shape of the weights; flat, natural weights, and the number of each visibility's (u, v) cell."""
    cell, shape = coordinates.checked_cell(cell_size, owner), coordinates.checked_shape(image_shape, owner)
    points, weights = _natural(owner, uvw, frequencies, noise_weights)
    coordinates.check_nyquist(points, cell, owner, metres=frequencies is not None)
    rows, columns = shape
    # Half cells are rounded to even, so that a point and its mirror fall into mirrored cells.
    u, v = (np.rint(points[..., i].ravel() * n * cell).astype(np.int64) for i, n in ((0, columns), (1, rows)))
    mirrored = (u < 0) | ((u == 0) & (v < 0))
    u, v = np.where(mirrored, -u, u), np.where(mirrored, -v, v)
    return weights.shape, weights.ravel(), u * (rows + 2) + (v + rows // 2 + 1)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a / b``, and 0 where b is 0."""
    array: np.ndarray = np.divide(a, b, out=np.zeros_like(a), where=b != 0)
    return array
