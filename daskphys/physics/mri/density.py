"""How densely a trajectory samples Fourier space: the weights of `NUFFT` and `NonCartesianMRI`.

Weights are normalised so that those of an image's own grid are 1: AᴴA with weights is then about the identity on the
frequencies that are sampled, whatever the trajectory.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError, checks_keywords
from daskphys.physics.checks import check_sizes, is_count
from daskphys.physics.nufft import NUFFT

# The measure of the unit ball, by the number of axes.
_BALL = {2: math.pi, 3: 4 * math.pi / 3}


@checks_keywords
def radial_density(points: Any, image_shape: tuple[int, ...]) -> np.ndarray:
    """The weights of spokes through the centre: the area (2-D) or volume (3-D) that each sample stands for.

    Parameters
    ----------
    points : array, shape (spokes, samples, 2) or (spokes, samples, 3)
        As `radial` and `kooshball` give them: evenly spaced on each spoke, and the centre is one of them.
    image_shape : tuple of int
        The image's shape.

    Returns
    -------
    array of float64, shape (spokes, samples)
        In 2-D ``N |k| Δk π / spokes``, for N pixels; the centre's disc of radius Δk/2 is shared by the spokes.

    Raises
    ------
    ShapeError, ParameterError
        Of points of another shape, or that are no such spokes.

    Examples
    --------
    >>> from daskphys.physics.mri import radial, radial_density
    >>> w = radial_density(radial(100, 64), (64, 64))
    >>> w.shape, round(float(w.sum()) / 64**2, 2)  # the area of the disc of radius 1/2
    ((100, 64), 0.79)
    """
    image_shape = check_sizes(image_shape, "radial_density", "image_shape")
    k = backend.to_numpy(backend.as_parameter(doors.to_core(points), "radial_density", "points"))
    ndim = k.shape[-1] if k.ndim == 3 else 0
    if ndim not in _BALL or len(image_shape) != ndim:
        raise ShapeError(
            f"radial_density expected points of shape (spokes, samples, {len(image_shape)}) and an image of as many axes, "
            f"got {k.shape} and {tuple(image_shape)}"
        )
    r = np.linalg.norm(k, axis=-1)
    step = np.linalg.norm(np.diff(k, axis=1), axis=-1)
    even = (
        step.size
        and np.allclose(step, step.flat[0], rtol=1e-4)
        and np.all(r.min(axis=1) < 1e-4 * step.flat[0])
    )
    if not even:
        raise ParameterError(
            "radial_density expected spokes that are evenly sampled and pass through the centre, got other points: use "
            "pipe_menon"
        )
    half = step.flat[0] / 2
    shell = (r + half) ** ndim - np.clip(r - half, 0, None) ** ndim
    share = np.where(r < half, 1.0, 0.5)  # a spoke crosses each shell twice, and the centre once
    array: np.ndarray = backend.size(image_shape) * _BALL[ndim] * share * shell / len(k)
    return array


@checks_keywords
def pipe_menon(points: Any, image_shape: tuple[int, ...], iterations: int = 10) -> np.ndarray:
    """The weights of any trajectory, by fixed-point iteration: where the points' kernels sum to more than 1, less.

    Parameters
    ----------
    points : array, shape (…, d)
        In cycles a sample, as those of `NUFFT`.
    image_shape : tuple of d int
        The image's shape: points nearer than a cycle a field of view are too near.
    iterations : int
        Each takes two non-uniform transforms of twice the image's size.

    Returns
    -------
    array of float64, shape of `points` without its last axis
        The fixed point of w ← w / (F T Fᴴ w), where the window T falls linearly from 1 in the middle to 0 at the field of view's
        distance, so that F T Fᴴ is the convolution with Fejér's kernel, which is nowhere negative.

    Raises
    ------
    ParameterError
        No iteration; NaN or infinite points.
    ShapeError
        An image shape that is not of positive integers, or has another number of axes than the points.
    MissingDependencyError
        finufft is not installed.

    References
    ----------
    J. G. Pipe and P. Menon, "Sampling density compensation in MRI: rationale and an iterative numerical solution",
    Magn. Reson. Med. 41 (1999).

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("finufft")
    >>> from daskphys.physics.mri import pipe_menon
    >>> grid = np.stack(np.meshgrid(np.arange(-4, 4) / 8, np.arange(-3, 3) / 6, indexing="ij"), -1)
    >>> bool(np.allclose(pipe_menon(grid, (8, 6)), 1, rtol=1e-4))
    True
    """
    image_shape = check_sizes(image_shape, "pipe_menon", "image_shape")
    if not is_count(iterations):
        raise ParameterError(f"pipe_menon expected at least one iteration, got {iterations!r}")
    given = backend.to_numpy(backend.as_parameter(doors.to_core(points), "pipe_menon", "points"))
    F = NUFFT(given, tuple(2 * n for n in image_shape), eps=1e-5)
    hats = [2 * (1 - np.abs(np.arange(-n, n, dtype=np.float32)) / n) for n in image_shape]
    window = functools.reduce(np.multiply.outer, hats)
    w = np.ones(F.samples, np.float32)
    for _ in range(int(iterations)):
        w = w / F(window * F.A_adjoint(w)).real
    return w.astype(float).reshape(given.shape[:-1])
