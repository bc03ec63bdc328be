"""Filters that go before downsampling, by their usual names."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from daskphys.errors import ParameterError, nearest
from daskphys.physics.kernels import gaussian_blur


def _bilinear(f: int) -> np.ndarray:
    t = (np.arange(2 * f) - f + 0.5) / f
    return 1 - np.abs(t)


def _bicubic(f: int) -> np.ndarray:
    """Keys' cubic with a = −1/2."""
    t = np.abs((np.arange(4 * f) - 2 * f + 0.5) / f)
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def _sinc(f: int) -> np.ndarray:
    """An ideal low pass under a Kaiser window whose width is that of the transition."""
    n = 4 * f
    transition = 2 * (2 - math.sqrt(2)) / f
    attenuation = 2.285 * (n - 1) * math.pi * transition + 7.95
    return np.sinc((np.arange(n) - 2 * f + 0.5) / f) * np.kaiser(n, _beta(attenuation))


def _beta(attenuation: float) -> float:
    """Kaiser's empirical shape parameter for an attenuation in dB."""
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    if attenuation > 21:
        return float(0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21))
    return 0.0


_PROFILES: dict[str, Callable[[int], np.ndarray]] = {
    "bilinear": _bilinear,
    "bicubic": _bicubic,
    "sinc": _sinc,
}

#: What `antialiasing_filter` knows.
NAMES = ("gaussian", *_PROFILES)


def antialiasing_filter(name: str, factor: int) -> np.ndarray:
    """The filter of this name for downsampling by `factor`; it sums to one.

    Parameters
    ----------
    name : {"gaussian", "bilinear", "bicubic", "sinc"}
        A Gaussian of standard deviation `factor`; the triangle, side 2 f; the cubic of Keys with a = −1/2, side 4 f; a sinc
        under a Kaiser window, side 4 f.
    factor : int
        f.

    Returns
    -------
    array, shape (n, n), float64

    Raises
    ------
    ParameterError
        There is no filter of this name.

    References
    ----------
    R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29 (1981);
    J. F. Kaiser, "Nonrecursive digital filter design using the I₀-sinh window function", ISCAS (1974).

    Examples
    --------
    >>> from daskphys.physics.antialias import antialiasing_filter
    >>> antialiasing_filter("bilinear", 2) * 64
    array([[1., 3., 3., 1.],
           [3., 9., 9., 3.],
           [3., 9., 9., 3.],
           [1., 3., 3., 1.]])
    """
    if name == "gaussian":
        return np.asarray(gaussian_blur(sigma=(factor, factor))[0, 0])
    if name not in _PROFILES:
        raise ParameterError(f"there is no filter {name!r} for downsampling: {nearest(str(name), NAMES)}")
    profile = _PROFILES[name](factor)
    array: np.ndarray = np.outer(profile, profile) / profile.sum() ** 2
    return array
