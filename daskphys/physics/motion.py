"""Kernels of a camera that moves, or is out of focus, while its shutter is open."""

from __future__ import annotations

import itertools
import math
import numbers
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError, checks_keywords
from daskphys.physics.checks import check_seed

#: Points of Gauss and Legendre's rule for a smooth piece of a disk.
_POINTS = 16

#: Straight pieces of a random trajectory.
_PIECES = 64


@checks_keywords
def motion_blur(length: float, angle: float = 0.0, device: Any = None) -> Any:
    """The kernel of a straight, even motion; it sums to one.

    Parameters
    ----------
    length : float
        Of the way, in pixels; 0 is no motion.
    angle : float
        Of the way to the horizontal axis, in degrees, counter-clockwise as the image is shown (rows go down).
    device : optional
        ``"cpu"`` (NumPy) or ``"cuda:N"`` (CuPy).

    Returns
    -------
    array, shape (1, 1, n, n), float64
        With ``n = 2 ceil(length / 2) + 1``.

    Raises
    ------
    ParameterError
        `length` is negative or not finite, or `angle` is not finite.

    Notes
    -----
    The light of each moment is shared by the four pixels around it (bilinear weights), and integrated along the way
    without error: weights are quadratic between crossings of pixel centres, where Simpson's rule is exact.

    Examples
    --------
    >>> from daskphys.physics import motion_blur
    >>> motion_blur(2.0)[0, 0, 1]
    array([0.25, 0.5 , 0.25])
    """
    _check("motion_blur", "length >= 0, a number of pixels", length, least=0.0)
    _check("motion_blur", "an angle in degrees", angle)
    dy, dx = -math.sin(math.radians(angle)), math.cos(math.radians(angle))
    ends = np.array([[-dy, -dx], [dy, dx]]) * length / 2
    return backend.to_device(_traced(ends)[None, None], device)


@checks_keywords
def random_motion_blur(length: float, seed: int, bend: float = 60.0, device: Any = None) -> Any:
    """The kernel of a shaking hand: an even motion along a random, smooth way; it sums to one.

    Parameters
    ----------
    length : float
        Of the way, in pixels.
    seed : int
        The same seed gives the same kernel.
    bend : float
        By how many degrees the direction turns along the whole way (one standard deviation).
    device : optional
        ``"cpu"`` (NumPy) or ``"cuda:N"`` (CuPy).

    Returns
    -------
    array, shape (1, 1, n, n), float64
        Of odd side, as large as the way needs; the centre of gravity of the way is the kernel's centre.

    Raises
    ------
    ParameterError
        `length` or `bend` is negative or not finite, or `seed` is no integer >= 0.

    Examples
    --------
    >>> from daskphys.physics import random_motion_blur
    >>> k = random_motion_blur(12.0, seed=3)
    >>> k.shape[-1] % 2, round(float(k.sum()), 12)
    (1, 1.0)
    """
    _check("random_motion_blur", "length >= 0, a number of pixels", length, least=0.0)
    _check("random_motion_blur", "bend >= 0, in degrees", bend, least=0.0)
    rng = np.random.default_rng(check_seed(seed, "random_motion_blur"))
    turns = rng.normal(0.0, math.radians(bend) / math.sqrt(_PIECES), _PIECES)
    direction = rng.uniform(0, 2 * math.pi) + np.cumsum(turns)
    steps = length / _PIECES * np.stack([np.sin(direction), np.cos(direction)], 1)
    way = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)])
    middle = (way[1:] + way[:-1]).mean(0) / 2  # pieces are equally long
    return backend.to_device(_traced(way - middle)[None, None], device)


@checks_keywords
def disk_blur(radius: float, device: Any = None) -> Any:
    """The kernel of defocus: an evenly lit disk, by the part of each pixel that it covers; it sums to one.

    Parameters
    ----------
    radius : float
        In pixels.
    device : optional
        ``"cpu"`` (NumPy) or ``"cuda:N"`` (CuPy).

    Returns
    -------
    array, shape (1, 1, n, n), float64
        With ``n = 2 ceil(radius - 1/2) + 1``, at least 1.

    Raises
    ------
    ParameterError
        `radius` is not positive and finite.

    Examples
    --------
    >>> from daskphys.physics import disk_blur
    >>> k = disk_blur(1.5)
    >>> k.shape, bool(k[0, 0, 1, 1] > k[0, 0, 0, 0] > 0)
    ((1, 1, 3, 3), True)
    """
    _check("disk_blur", "radius > 0, in pixels", radius, least=0.0, strictly=True)
    half = max(0, math.ceil(radius - 0.5))
    edges = np.arange(-half, half + 2) - 0.5
    # Between these heights each pixel's part of the chord is one smooth function of the angle.
    inner = edges[np.abs(edges) < radius]
    heights = np.sqrt(radius**2 - inner**2)
    cuts = np.unique(np.concatenate([inner, heights, -heights, [-radius, radius]]))
    at, weights = np.polynomial.legendre.leggauss(_POINTS)
    kernel = np.zeros((2 * half + 1,) * 2)
    for low, high in itertools.pairwise(np.arcsin(cuts / radius)):
        angle = (low + high) / 2 + (high - low) / 2 * at
        chord = radius * np.cos(angle)
        covered = np.clip(
            np.minimum(edges[1:, None], chord) - np.maximum(edges[:-1, None], -chord), 0.0, None
        )
        row = math.floor(radius * math.sin((low + high) / 2) + 0.5) + half
        kernel[row] += covered @ (weights * chord) * (high - low) / 2
    kernel = kernel + kernel.T  # the two directions of integration differ in the last digits
    return backend.to_device((kernel / kernel.sum())[None, None], device)


def _traced(way: np.ndarray) -> np.ndarray:
    """The time that an even motion along straight pieces between (y, x) points spends at each pixel."""
    half = max(0, math.ceil(float(np.abs(way).max()) - 1e-9))
    kernel = np.zeros((2 * half + 3, 2 * half + 3))  # a margin, for bilinear weights look one pixel ahead
    for start, end in itertools.pairwise(way):
        cuts = np.unique(
            np.concatenate([[0.0, 1.0], *(_crossings(*pair) for pair in zip(start, end, strict=True))])
        )
        length = float(np.hypot(*(end - start)))
        for a, b in itertools.pairwise(cuts):
            corner = np.floor(start + (a + b) / 2 * (end - start)).astype(int)
            for t, weight in ((a, 1 / 6), ((a + b) / 2, 4 / 6), (b, 1 / 6)):
                y, x = start + t * (end - start) - corner
                share = np.outer([1 - y, y], [1 - x, x])
                top, left = corner + half + 1
                kernel[top : top + 2, left : left + 2] += weight * (b - a) * length * share
    if not kernel.any():  # no motion
        kernel[half + 1, half + 1] = 1.0
    kernel = np.maximum(kernel[1:-1, 1:-1], 0.0)
    array: np.ndarray = kernel / kernel.sum()
    return array


def _crossings(start: float, end: float) -> np.ndarray:
    """At which part of the way from `start` to `end` a coordinate is whole."""
    low, high = sorted((start, end))
    whole = np.arange(math.ceil(low), math.floor(high) + 1)
    return (whole - start) / (end - start) if high > low else np.empty(0)


def _check(
    owner: str, expected: str, value: Any, least: float = -math.inf, *, strictly: bool = False
) -> None:
    good = isinstance(value, numbers.Real) and math.isfinite(value)
    if not good or value < least or (strictly and value == least):
        raise ParameterError(f"{owner} expected {expected}, got {value!r}")
