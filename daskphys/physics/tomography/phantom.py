"""Ellipses: images whose projections are known without error."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskphys.errors import ParameterError, ShapeError, checks_keywords, describe
from daskphys.physics.checks import is_count
from daskphys.physics.tomography.operator import Tomography

#: The phantom of Shepp and Logan with the contrast of Toft: value, half axes a and b, centre x and y, degrees from x to a;
#: lengths in halves of the image.
SHEPP_LOGAN = (
    (1.0, 0.69, 0.92, 0.0, 0.0, 0.0),
    (-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
    (-0.2, 0.11, 0.31, 0.22, 0.0, -18.0),
    (-0.2, 0.16, 0.41, -0.22, 0.0, 18.0),
    (0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
    (0.1, 0.046, 0.046, 0.0, 0.1, 0.0),
    (0.1, 0.046, 0.046, 0.0, -0.1, 0.0),
    (0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
    (0.1, 0.023, 0.023, 0.0, -0.606, 0.0),
    (0.1, 0.023, 0.046, 0.06, -0.605, 0.0),
)

#: Samples on each side of a pixel.
_SAMPLES = 4


@checks_keywords
def shepp_logan(size: int, ellipses: Any = SHEPP_LOGAN) -> np.ndarray:
    """The phantom of Shepp and Logan, a head in outline, with the contrast of Toft.

    Parameters
    ----------
    size : int
        Height and width.
    ellipses : sequence of (value, a, b, x, y, degrees)
        Others than those of `SHEPP_LOGAN`: what is added within, half axes, centre (y up), and the angle from the x axis to
        the half axis a; lengths in halves of the image.

    Returns
    -------
    array of shape (size, size), float64
        Each pixel is the mean of 16 samples.

    Raises
    ------
    ParameterError
        A size that is no positive integer; half axes that are not above 0.
    ShapeError
        Ellipses that are not six numbers each.

    Notes
    -----
    Source: L. A. Shepp and B. F. Logan, "The Fourier reconstruction of a head section", IEEE Trans. Nucl. Sci. 21 (1974);
    P. Toft, "The Radon transform: theory and implementation", thesis, DTU (1996).

    Examples
    --------
    >>> from daskphys.physics.tomography import shepp_logan
    >>> x = shepp_logan(64)
    >>> x.shape, float(x.max()), float(x[32, 32].round(3))
    ((64, 64), 1.0, 0.2)
    """
    if not is_count(size):
        raise ParameterError(f"shepp_logan expected a positive integer size, got {size!r}")
    n = int(size)
    places = (2 * (np.arange(n * _SAMPLES) + 0.5) / _SAMPLES - n) / n
    x, y = places[None, :], -places[:, None]
    image = np.zeros((n * _SAMPLES, n * _SAMPLES))
    for value, a, b, x0, y0, degrees in _checked(ellipses, "shepp_logan"):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        u, v = (c * (x - x0) + s * (y - y0)) / a, (c * (y - y0) - s * (x - x0)) / b
        image += value * (u * u + v * v <= 1)
    array: np.ndarray = image.reshape(n, _SAMPLES, n, _SAMPLES).mean((1, 3))
    return array


@checks_keywords
def ellipse_sinogram(A: Tomography, ellipses: Any = SHEPP_LOGAN) -> np.ndarray:
    """The integrals along the rays of `A` through ellipses, without error: a measurement that no projector made.

    Parameters
    ----------
    A : Tomography
        The rays; halves of its image's width are the ellipses' unit.
    ellipses : sequence of (value, a, b, x, y, degrees)
        As those of `shepp_logan`.

    Returns
    -------
    array of shape (angle, detector), float64
        In the unit of the pixel size.

    Raises
    ------
    ParameterError
        `A` is no `Tomography`; half axes that are not above 0.
    ShapeError
        Ellipses that are not six numbers each.

    Examples
    --------
    >>> from daskphys.physics import Tomography
    >>> from daskphys.physics.tomography import ellipse_sinogram
    >>> A = Tomography([0.0, 30.0], (8, 8), detectors=3)
    >>> ellipse_sinogram(A, [(1.0, 1.0, 1.0, 0.0, 0.0, 0.0)]).round(3)  # a disc of radius 4
    array([[7.746, 8.   , 7.746],
           [7.746, 8.   , 7.746]])
    """
    if not isinstance(A, Tomography):
        raise ParameterError(f"ellipse_sinogram expected a Tomography, got {describe(A)}")
    points, directions = A.scan.rays(A.angles)
    half = A.pixel_size * A.image_shape[1] / 2
    total = np.zeros(points.shape[:2])
    for value, a, b, x0, y0, degrees in _checked(ellipses, "ellipse_sinogram"):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        to_circle = np.array([[c, -s], [s, c]]) / (half * np.array([a, b]))
        p, d = (points - half * np.array([x0, y0])) @ to_circle, directions @ to_circle
        dd, pd, pp = (d * d).sum(-1), (p * d).sum(-1), (p * p).sum(-1)
        total += value * 2 * np.sqrt(np.maximum(pd * pd - dd * (pp - 1), 0)) / dd
    return total


def _checked(ellipses: Any, owner: str) -> np.ndarray:
    try:
        table = np.asarray(ellipses, dtype=float)
    except (TypeError, ValueError):
        table = np.empty(0)
    if table.ndim != 2 or table.shape[1] != 6:
        got = f"an array of shape {table.shape}" if table.size else repr(ellipses)
        raise ShapeError(
            f"{owner} expected ellipses of six numbers each (value, a, b, x, y, degrees), got {got}"
        )
    if not np.isfinite(table).all() or (table[:, 1:3] <= 0).any():
        raise ParameterError(
            f"{owner} expected ellipses of finite numbers with half axes above 0, got {table.tolist()}"
        )
    return table
