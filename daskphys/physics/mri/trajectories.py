"""Where in Fourier space a scanner samples: frequencies in cycles a sample, for `NonCartesianMRI` and `NUFFT`."""

from __future__ import annotations

import math
import numbers
from typing import Literal

import numpy as np

from daskphys.errors import ParameterError, checks_keywords
from daskphys.physics.checks import check_counts

#: The golden angle of spokes that go both ways, in radians: 180° (√5 − 1) / 2, about 111.25°.
GOLDEN = math.pi * (math.sqrt(5) - 1) / 2

# The two-dimensional golden means of Chan et al.
_MEANS = (0.46557123187676, 0.68232780382801)


@checks_keywords
def radial(spokes: int, samples: int, angles: Literal["golden", "uniform"] = "golden") -> np.ndarray:
    """Straight lines through the centre of the plane.

    Parameters
    ----------
    spokes : int
        How many lines.  π/2 times the image's side of them sample the disc of its frequencies fully, if even.
    samples : int
        Samples a spoke, from −1/2 cycle a sample in steps of 1/samples; sample ``samples // 2`` is the centre.  Twice
        the image's side is usual, the image's side the least.
    angles : {"golden", "uniform"}
        The step from one spoke to the next: the golden angle (111.25°), by which any number of spokes in a row lies
        nearly evenly, or 180° / spokes.

    Returns
    -------
    array of float64, shape (spokes, samples, 2)
        In cycles a sample, along the image's height and width.

    Raises
    ------
    ParameterError
        A number that is no integer of at least 1; unknown angles.

    References
    ----------
    S. Winkelmann et al., "An optimal radial profile order based on the golden ratio for time-resolved MRI", IEEE Trans.
    Med. Imaging 26 (2007).

    Examples
    --------
    >>> from daskphys.physics.mri import radial
    >>> radial(2, 4, angles="uniform")[0, :, 1]
    array([-0.5 , -0.25,  0.  ,  0.25])
    """
    check_counts("radial", spokes=spokes, samples=samples)
    if angles not in ("golden", "uniform"):
        raise ParameterError(f"radial expected angles 'golden' or 'uniform', got {angles!r}")
    theta = np.arange(spokes) * (GOLDEN if angles == "golden" else math.pi / spokes)
    array: np.ndarray = _along(samples)[:, None] * np.stack([np.sin(theta), np.cos(theta)], -1)[:, None, :]
    return array


@checks_keywords
def spiral(interleaves: int, samples: int, turns: float) -> np.ndarray:
    """Archimedean spirals from the centre of the plane outwards, rotated against one another.

    Parameters
    ----------
    interleaves : int
        How many spirals; each is the one before it rotated by 360° / interleaves.
    samples : int
        Samples a spiral, as dense in area along the whole of it.
    turns : float
        Turns of a spiral.  Neighbouring arms are 1 / (2 · turns · interleaves) cycles a sample apart: for an image
        of side n, ``turns = n / (2 * interleaves)`` just covers its field of view, and half as many more are better.

    Returns
    -------
    array of float64, shape (interleaves, samples, 2)
        In cycles a sample, along the image's height and width.

    Raises
    ------
    ParameterError
        A number that is no integer of at least 1; turns that are not positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.mri import spiral
    >>> k = spiral(4, 100, turns=8)
    >>> k.shape, float(np.linalg.norm(k, axis=-1).max())
    ((4, 100, 2), 0.5)
    """
    check_counts("spiral", interleaves=interleaves, samples=samples)
    if not isinstance(turns, numbers.Real) or not 0 < float(turns) < math.inf:
        raise ParameterError(f"spiral expected a positive number of turns, got {turns!r}")
    along = np.sqrt(np.linspace(0, 1, samples))
    theta = 2 * math.pi * (turns * along + np.arange(interleaves)[:, None] / interleaves)
    return 0.5 * along[:, None] * np.stack([np.sin(theta), np.cos(theta)], -1)


@checks_keywords
def kooshball(spokes: int, samples: int) -> np.ndarray:
    """Straight lines through the centre of space, their directions spread by the two-dimensional golden means.

    Parameters
    ----------
    spokes, samples : int
        As those of `radial`.

    Returns
    -------
    array of float64, shape (spokes, samples, 3)
        In cycles a sample, along the image's depth, height and width.

    Raises
    ------
    ParameterError
        A number that is no integer of at least 1.

    References
    ----------
    R. W. Chan, E. A. Ramsay, C. H. Cunningham and D. B. Plewes, "Temporal stability of adaptive 3D radial MRI using
    multidimensional golden means", Magn. Reson. Med. 61 (2009).

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.mri import kooshball
    >>> k = kooshball(100, 32)
    >>> k.shape, float(np.linalg.norm(k, axis=-1).max().round(12))
    ((100, 32, 3), 0.5)
    """
    check_counts("kooshball", spokes=spokes, samples=samples)
    up, turn = (np.arange(spokes) * mean % 1.0 for mean in _MEANS)
    across = np.sqrt(1 - up**2)
    direction = np.stack(
        [up, across * np.sin(2 * math.pi * turn), across * np.cos(2 * math.pi * turn)], axis=-1
    )
    array: np.ndarray = _along(samples)[:, None] * direction[:, None, :]
    return array


@checks_keywords
def stack_of_stars(
    partitions: int, spokes: int, samples: int, angles: Literal["golden", "uniform"] = "golden"
) -> np.ndarray:
    """`radial` in each of several planes, one above another.

    Parameters
    ----------
    partitions : int
        How many planes, from −1/2 cycle a sample of the depth in steps of 1/partitions.
    spokes, samples : int
        As those of `radial`, for each plane.
    angles : {"golden", "uniform"}
        As those of `radial`; all planes have the same.

    Returns
    -------
    array of float64, shape (partitions, spokes, samples, 3)
        In cycles a sample, along the image's depth, height and width.

    Raises
    ------
    ParameterError
        As `radial`; partitions that are no integer of at least 1.

    Examples
    --------
    >>> from daskphys.physics.mri import stack_of_stars
    >>> k = stack_of_stars(4, 8, 16)
    >>> k.shape, k[:, 0, 0, 0]
    ((4, 8, 16, 3), array([-0.5 , -0.25,  0.  ,  0.25]))
    """
    check_counts("stack_of_stars", partitions=partitions)
    plane = radial(spokes, samples, angles)
    points = np.empty((partitions, *plane.shape[:-1], 3))
    points[..., 0], points[..., 1:] = _along(partitions)[:, None, None], plane
    return points


def _along(samples: int) -> np.ndarray:
    """Positions on a line through the centre, in cycles a sample."""
    return (np.arange(samples) - samples // 2) / samples
