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
    sigma : float, or two or three floats
        Standard deviations along (height, width), or (depth, height, width), in pixels; one number means both of
        an image.
    angle : float
        Rotation in degrees, by ``[[cos, -sin], [sin, cos]]`` of the (x, y) grid; of a volume, in each of its slices.
    device : optional
        ``"cpu"`` (NumPy) or ``"cuda:N"`` (CuPy).

    Returns
    -------
    array, shape (1, 1, n, n), float64; for volumes (1, 1, n, n, n)
        With ``n = 2 int(max(sigma) / 0.3 + 1) + 1``: more than three standard deviations on each side.

    Raises
    ------
    ParameterError
        `sigma` is not one, two or three positive finite numbers, or `angle` is not finite.

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
        sigmas = np.asarray(sigma, dtype=np.float64)
        sigmas = sigmas if sigmas.shape == (3,) else np.broadcast_to(sigmas, (2,))
    except (TypeError, ValueError):
        sigmas = np.array([np.nan, np.nan])
    if not (np.all(np.isfinite(sigmas)) and np.all(sigmas > 0)):
        raise ParameterError(f"gaussian_blur expected sigma as one to three positive numbers, got {sigma!r}")
    if not isinstance(angle, numbers.Real) or not math.isfinite(angle):
        raise ParameterError(f"gaussian_blur expected an angle in degrees, got {angle!r}")
    half = int(float(sigmas.max()) / 0.3 + 1)
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    across, along = cos * x - sin * y, sin * x + cos * y
    kernel = np.exp(-0.5 * ((along / sigmas[-2]) ** 2 + (across / sigmas[-1]) ** 2))
    if len(sigmas) == 3:
        depth = np.exp(-0.5 * (np.arange(-half, half + 1) / sigmas[0]) ** 2)
        kernel = depth[:, None, None] * kernel
    return backend.to_device((kernel / kernel.sum())[None, None], device)
