"""Masks of points none of which is near another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from daskphys.errors import ShapeError, checks_keywords
from daskphys.physics.checks import check_seed
from daskphys.physics.mri.masks import centre_of, checked_sampling, radius_of, wanted_samples

#: Steps of bisection for the distance between points.
_BISECTIONS = 12


@checks_keywords
def poisson_disc_mask(
    shape: Sequence[int],
    acceleration: float,
    calibration: int | Sequence[int] = 0,
    *,
    variable: bool = True,
    seed: int = 0,
) -> np.ndarray:
    """Random points none of which is near another: no gaps, no clusters.

    Two points p and q outside the calibration region are at least ``min(d(p), d(q))`` apart; d is as large as leaves
    room for their number.

    Parameters
    ----------
    shape : (int, int)
        The two phase-encoded axes.
    acceleration : float
        All points over those that are sampled, the calibration region among them: their number is exact.
    calibration : int or (int, int)
        How many points along each axis about frequency zero are all sampled.
    variable : bool
        Whether the distance d grows with the frequency, ``d = 1 + s |k|``, or is one number everywhere.
    seed : int
        The same seed gives the same mask.

    Returns
    -------
    bool array of `shape`
        True where it is sampled.

    Raises
    ------
    ParameterError
        As `uniform_mask`.
    ShapeError
        A shape that has not two axes.

    References
    ----------
    M. Lustig and J. M. Pauly, "SPIRiT", Magn. Reson. Med. 64 (2010), for the law of d.

    Examples
    --------
    >>> from daskphys.physics.mri import poisson_disc_mask
    >>> mask = poisson_disc_mask((64, 64), acceleration=6, calibration=12)
    >>> int(mask.sum()), bool(mask[26:38, 26:38].all())
    (683, True)
    """
    sizes, widths = checked_sampling("poisson_disc_mask", shape, None, acceleration, calibration)
    if len(sizes) != 2:
        raise ShapeError(f"poisson_disc_mask expected a shape of two axes, got {sizes}")
    region = tuple(centre_of(n, w) for n, w in zip(sizes, widths, strict=True))
    wanted = wanted_samples("poisson_disc_mask", sizes, widths, acceleration)
    rng = np.random.default_rng(check_seed(seed, "poisson_disc_mask"))
    order = rng.permutation(sizes[0] * sizes[1])
    distance = radius_of(sizes) if variable else np.ones(sizes)
    best = _thrown(order, np.ones(sizes), region, wanted)
    low, high = 0.0, 2.0 * acceleration
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        mask = _thrown(order, 1 + middle * distance, region, wanted)
        if mask.sum() == wanted:
            low, best = middle, mask
        else:
            high = middle
    return best


def _thrown(order: np.ndarray, distance: np.ndarray, region: Any, wanted: int) -> np.ndarray:
    """A region, and points in this order where no taken one is nearer than its distance, until there are enough."""
    height, width = distance.shape
    mask, free = np.zeros(distance.shape, bool), np.ones(distance.shape, bool)
    mask[region], free[region] = True, False
    left = wanted - int(mask.sum())
    reach = math.ceil(float(distance.max()))
    squares = (np.arange(-reach, reach + 1)[:, None] ** 2 + np.arange(-reach, reach + 1) ** 2).astype(float)
    for i, j in zip(*(a.tolist() for a in np.divmod(order, width)), strict=True):
        if not left:
            break
        if not free[i, j]:
            continue
        mask[i, j] = True
        left -= 1
        d = float(distance[i, j])
        r = math.ceil(d)
        a, b, c, e = max(i - r, 0), min(i + r + 1, height), max(j - r, 0), min(j + r + 1, width)
        near = squares[a - i + reach : b - i + reach, c - j + reach : e - j + reach] < d * d
        free[a:b, c:e] &= ~near
    return mask
