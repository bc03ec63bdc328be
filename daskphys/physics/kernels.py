"""Kernels by their usual names."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError, checks_keywords


@checks_keywords
def gaussian_blur(sigma: Any = (1.0, 1.0), angle: float = 0.0, device: Any = None) -> Any:
    """A rotated Gaussian kernel that sums to one.

    Parameters
    ----------
    sigma : float or pair of float
        Standard deviations along (height, width) in pixels; one number means both.
    angle : float
        Rotation in degrees, by ``[[cos, -sin], [sin, cos]]`` of the (x, y) grid.
    device : optional
        ``"cpu"`` (NumPy) or ``"cuda:N"`` (CuPy).

    Returns
    -------
    array, shape (1, 1, n, n), float64
        With ``n = 2 int(max(sigma) / 0.3 + 1) + 1``: more than three standard deviations on each side.

    Raises
    ------
    ParameterError
        `sigma` is not one or two positive finite numbers, or `angle` is not finite.

    Notes
    -----
    The conventions (side, order, rotation) are those of deepinv's function of this name.

    Examples
    --------
    >>> from daskphys.physics import gaussian_blur
    >>> k = gaussian_blur(sigma=(1.5, 3.5), angle=30)
    >>> k.shape, round(float(k.sum()), 12)
    ((1, 1, 25, 25), 1.0)
    """
    try:
        pair = np.broadcast_to(np.asarray(sigma, dtype=np.float64), (2,))
    except (TypeError, ValueError):
        pair = np.array([np.nan, np.nan])
    if not (np.all(np.isfinite(pair)) and np.all(pair > 0)):
        raise ParameterError(f"gaussian_blur expected sigma as one or two positive numbers, got {sigma!r}")
    if not isinstance(angle, numbers.Real) or not math.isfinite(angle):
        raise ParameterError(f"gaussian_blur expected an angle in degrees, got {angle!r}")
    half = int(float(pair.max()) / 0.3 + 1)
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    across, along = cos * x - sin * y, sin * x + cos * y
    kernel = np.exp(-0.5 * ((along / pair[0]) ** 2 + (across / pair[1]) ** 2))
    return backend.to_device((kernel / kernel.sum())[None, None], device)
