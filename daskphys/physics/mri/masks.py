"""Which frequencies are sampled: masks with a fully sampled region about frequency zero, each from a seed.

Masks of *lines* sample whole lines of frequencies and vary along the last axis alone (the phase encodes); masks of
*points* are those of two phase-encoded axes, for a read-out across them.  Frequency zero is at ``n // 2``.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from daskphys.errors import ParameterError, checks_keywords
from daskphys.physics.checks import check_seed, check_sizes, is_count


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
        True where it is sampled.

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
    sizes, (width,) = checked_sampling("equispaced_mask", shape, 1, acceleration, calibration)
    for name, given in (("acceleration", acceleration), ("offset", offset)):
        if not isinstance(given, numbers.Real) or given % 1:
            raise ParameterError(f"equispaced_mask expected a whole number as {name}, got {given}")
    lines = np.zeros(sizes[-1], bool)
    lines[int(offset) % int(acceleration) :: int(acceleration)] = True
    lines[centre_of(sizes[-1], width)] = True
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
        True where it is sampled.

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
    """Random lines or points, the more likely the lower their frequency: as ``(1 − |k|)^decay``, ``|k| = 1`` at the border.

    Parameters
    ----------
    shape : tuple of int
        As that of `uniform_mask`.
    acceleration : float
        As that of `uniform_mask`.
    calibration : int or tuple of int
        As that of `uniform_mask`.
    lines : bool
        Lines, or points.
    seed : int
        The same seed gives the same mask.
    decay : float
        How fast the density falls; 0 is uniform.

    Returns
    -------
    bool array of `shape`
        True where it is sampled.

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
    if not isinstance(decay, numbers.Real) or not 0 <= decay < math.inf:
        raise ParameterError(f"variable_density_mask expected decay >= 0, got {decay!r}")
    return _random("variable_density_mask", shape, acceleration, calibration, lines, seed, decay)


def _random(
    owner: str, shape: Any, acceleration: float, calibration: Any, lines: bool, seed: int, decay: float
) -> np.ndarray:
    """The wanted number of lines or points, drawn without replacement by weight (Efraimidis and Spirakis 2006)."""
    sizes, widths = checked_sampling(owner, shape, 1 if lines else None, acceleration, calibration)
    own = sizes[-len(widths) :]
    mask = np.zeros(own, bool)
    mask[tuple(centre_of(n, w) for n, w in zip(own, widths, strict=True))] = True
    wanted = wanted_samples(owner, own, widths, acceleration) - int(mask.sum())
    weight = np.maximum(1 - radius_of(own), 1e-3) ** decay
    drawn = np.log(1 - np.random.default_rng(check_seed(seed, owner)).random(own)) / weight
    drawn[mask] = -np.inf
    mask.ravel()[np.argsort(drawn, axis=None, kind="stable")[mask.size - wanted :]] = True
    return np.broadcast_to(mask, sizes).copy()


def wanted_samples(owner: str, sizes: tuple[int, ...], widths: tuple[int, ...], acceleration: float) -> int:
    """How many lines or points are sampled, the calibration region among them."""
    region, size = math.prod(widths), math.prod(sizes)
    wanted = round(size / acceleration)
    if wanted < max(region, 1):
        raise ParameterError(
            f"{owner} expected an acceleration of at most {size / max(1, region):g}, which the calibration region {widths} "
            f"leaves, got {acceleration}"
        )
    return wanted


def radius_of(sizes: tuple[int, ...]) -> np.ndarray:
    """|k|, which is 0 in the middle and 1 where an axis ends; at most 1."""
    axes = [(np.arange(n) - n // 2) / max(1, n // 2) for n in sizes]
    return np.minimum(np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij"))), 1.0)


def centre_of(n: int, width: int) -> slice:
    """`width` frequencies about zero."""
    start = n // 2 - width // 2
    return slice(start, start + width)


def checked_sampling(
    owner: str, shape: Any, axes: int | None, acceleration: float, calibration: Any
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape, and the widths of the calibration region along the last `axes` (by default all)."""
    sizes = check_sizes(shape, owner)
    own = sizes if axes is None else sizes[-axes:]
    widths = (calibration,) * len(own) if np.ndim(calibration) == 0 else tuple(calibration)
    fit = len(widths) == len(own) and all(is_count(w, 0) and w <= n for w, n in zip(widths, own, strict=True))
    if not fit:
        raise ParameterError(
            f"{owner} expected a calibration region of whole numbers within {own}, got calibration={calibration!r}"
        )
    if not isinstance(acceleration, numbers.Real) or not 1 <= acceleration <= math.prod(own):
        raise ParameterError(
            f"{owner} expected an acceleration from 1 to {math.prod(own)}, got {acceleration!r}"
        )
    return sizes, tuple(map(int, widths))
