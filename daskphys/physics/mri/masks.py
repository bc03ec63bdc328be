"""Which frequencies are sampled: masks with a fully sampled region about frequency zero, each from a seed.

Masks of *lines* sample whole lines of frequencies and vary along the last axis alone (the phase encodes); masks of
*points* are those of two phase-encoded axes, for a read-out across them.  Frequency zero is at ``n // 2``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from daskphys.errors import ParameterError, ShapeError, checks_keywords

#: Steps of bisection for the distance between points.
_BISECTIONS = 12


@checks_keywords
def equispaced_mask(
    shape: Sequence[int], acceleration: int, calibration: int = 0, offset: int = 0
) -> np.ndarray:
    """Every `acceleration`-th line, and the calibration region, as parallel imaging samples.

    Parameters
    ----------
    shape : tuple of int
        (…, n): lines are chosen along the last axis.
    acceleration : int
        The spacing of the lines.  With a calibration region more is sampled than one in `acceleration`.
    calibration : int
        How many lines about frequency zero are all sampled.
    offset : int
        The first line.

    Returns
    -------
    bool array of `shape`

    Raises
    ------
    ParameterError
        A spacing that is no whole number of 1 … n, a calibration region that is no part of the axis.

    Examples
    --------
    >>> from daskphys.physics.mri import equispaced_mask
    >>> equispaced_mask((2, 12), acceleration=4, calibration=3)[0].astype(int)
    array([1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0])
    """
    sizes, (width,) = _checked("equispaced_mask", shape, 1, acceleration, calibration)
    if acceleration != int(acceleration):
        raise ParameterError(f"equispaced_mask expected a whole number as acceleration, got {acceleration}")
    lines = np.zeros(sizes[-1], bool)
    lines[offset % int(acceleration) :: int(acceleration)] = True
    lines[_middle(sizes[-1], width)] = True
    return np.broadcast_to(lines, sizes).copy()


@checks_keywords
def uniform_mask(
    shape: Sequence[int],
    acceleration: float,
    calibration: int | Sequence[int] = 0,
    *,
    lines: bool = True,
    seed: int = 0,
) -> np.ndarray:
    """Random lines or points, each as likely as any other.

    Parameters
    ----------
    shape : tuple of int
        (…, n) for lines along the last axis; all axes for points.
    acceleration : float
        All lines (points) over those that are sampled, the calibration region among them: their number is exact.
    calibration : int or tuple of int
        How many lines, or points along each axis, about frequency zero are all sampled.
    lines : bool
        Lines, or points.
    seed : int
        The same seed gives the same mask.

    Returns
    -------
    bool array of `shape`

    Raises
    ------
    ParameterError
        An acceleration below 1, or so large that less than the calibration region is left.

    Examples
    --------
    >>> from daskphys.physics.mri import uniform_mask
    >>> mask = uniform_mask((64, 64), acceleration=4, calibration=8)
    >>> int(mask[0].sum()), bool(mask[:, 28:36].all())
    (16, True)
    """
    return _random("uniform_mask", shape, acceleration, calibration, lines, seed, decay=0.0)


@checks_keywords
def variable_density_mask(
    shape: Sequence[int],
    acceleration: float,
    calibration: int | Sequence[int] = 0,
    *,
    lines: bool = True,
    seed: int = 0,
    decay: float = 2.0,
) -> np.ndarray:
    """Random lines or points, the more likely the lower their frequency: as ``(1 − |k|)^decay``, |k| = 1 at the border.

    Parameters
    ----------
    shape, acceleration, calibration, lines, seed
        As those of `uniform_mask`.
    decay : float
        How fast the density falls; 0 is uniform.

    Returns
    -------
    bool array of `shape`

    Raises
    ------
    ParameterError
        As `uniform_mask`; a negative decay.

    References
    ----------
    M. Lustig, D. Donoho and J. M. Pauly, "Sparse MRI", Magn. Reson. Med. 58 (2007).

    Examples
    --------
    >>> from daskphys.physics.mri import variable_density_mask
    >>> mask = variable_density_mask((64, 64), acceleration=4, lines=False)
    >>> int(mask.sum()), bool(mask[16:48, 16:48].mean() > 2 * mask.mean())
    (1024, True)
    """
    if not 0 <= decay < math.inf:
        raise ParameterError(f"variable_density_mask expected decay >= 0, got {decay!r}")
    return _random("variable_density_mask", shape, acceleration, calibration, lines, seed, decay)


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
    sizes, widths = _checked("poisson_disc_mask", shape, len(shape), acceleration, calibration)
    if len(sizes) != 2:
        raise ShapeError(f"poisson_disc_mask expected a shape of two axes, got {sizes}")
    region = tuple(_middle(n, w) for n, w in zip(sizes, widths, strict=True))
    wanted = _wanted("poisson_disc_mask", sizes, widths, acceleration)
    order = np.random.default_rng(seed).permutation(sizes[0] * sizes[1])
    distance = _frequency(sizes) if variable else np.ones(sizes)
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


def _random(
    owner: str, shape: Any, acceleration: float, calibration: Any, lines: bool, seed: int, decay: float
) -> np.ndarray:
    """The wanted number of lines or points, drawn without replacement by weight (Efraimidis and Spirakis 2006)."""
    sizes, widths = _checked(owner, shape, 1 if lines else len(shape), acceleration, calibration)
    own = sizes[-len(widths) :]
    mask = np.zeros(own, bool)
    mask[tuple(_middle(n, w) for n, w in zip(own, widths, strict=True))] = True
    wanted = round(mask.size / acceleration) - int(mask.sum())
    if wanted < 0 or (not mask.any() and not wanted):
        raise ParameterError(
            f"{owner} expected an acceleration of at most {mask.size / max(1, mask.sum()):g}, which the calibration region "
            f"{widths} leaves, got {acceleration}"
        )
    weight = np.maximum(1 - _frequency(own), 1e-3) ** decay
    drawn = np.log(1 - np.random.default_rng(seed).random(own)) / weight
    drawn[mask] = -np.inf
    mask.ravel()[np.argsort(drawn, axis=None, kind="stable")[mask.size - wanted :]] = True
    return np.broadcast_to(mask, sizes).copy()


def _wanted(owner: str, sizes: tuple[int, ...], widths: tuple[int, ...], acceleration: float) -> int:
    """How many lines or points are sampled, the calibration region among them."""
    region, size = math.prod(widths), math.prod(sizes)
    wanted = round(size / acceleration)
    if wanted < max(region, 1):
        raise ParameterError(
            f"{owner} expected an acceleration of at most {size / max(1, region):g}, which the calibration region {widths} "
            f"leaves, got {acceleration}"
        )
    return wanted


def _frequency(sizes: tuple[int, ...]) -> np.ndarray:
    """|k|, which is 0 in the middle and 1 where an axis ends; at most 1."""
    axes = [(np.arange(n) - n // 2) / max(1, n // 2) for n in sizes]
    return np.minimum(np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij"))), 1.0)


def _middle(n: int, width: int) -> slice:
    """`width` frequencies about zero."""
    start = n // 2 - width // 2
    return slice(start, start + width)


def _checked(
    owner: str, shape: Any, axes: int, acceleration: float, calibration: Any
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape, and the widths of the calibration region along the last `axes`."""
    sizes = tuple(int(n) for n in shape)
    if not sizes or min(sizes) < 1:
        raise ShapeError(f"{owner} expected a shape of positive integers, got {tuple(shape)}")
    given = (calibration,) * axes if np.ndim(calibration) == 0 else tuple(calibration)
    widths = tuple(int(w) for w in given)
    if len(widths) != axes or any(not 0 <= w <= n for w, n in zip(widths, sizes[-axes:], strict=True)):
        raise ParameterError(
            f"{owner} expected a calibration region within {sizes[-axes:]}, got calibration={calibration!r}"
        )
    if not 1 <= acceleration <= math.prod(sizes[-axes:]):
        raise ParameterError(
            f"{owner} expected an acceleration from 1 to {math.prod(sizes[-axes:])}, got {acceleration!r}"
        )
    return sizes, widths
