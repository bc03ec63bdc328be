"""Fourier transforms at any frequencies, of an image and of what coils see of it."""

import numpy as np
from case import Case

from daskphys.physics import NUFFT, NonCartesianMRI


def points(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape)


def weights(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape)


def maps(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


CASES = [
    Case("non-uniform Fourier, 1-D", NUFFT(points(20, 1), (11,)), ((11,), (2, 11))),
    Case("non-uniform Fourier", NUFFT(points(8, 9, 2), (6, 7)), ((6, 7), (2, 6, 7))),
    Case("non-uniform Fourier, weighted", NUFFT(points(9, 2), (4, 5), weights(9)), ((4, 5),)),
    Case("non-uniform Fourier, 3-D", NUFFT(points(50, 3), (3, 2, 4), weights(50)), ((3, 2, 4),)),
    Case("non-Cartesian MRI", NonCartesianMRI(points(30, 2), maps(3, 5, 4)), ((5, 4), (2, 5, 4))),
    Case(
        "non-Cartesian MRI, 3-D, weighted, real maps",
        NonCartesianMRI(points(30, 3), maps(2, 3, 2, 4).real, weights(30)),
        ((3, 2, 4),),
    ),
]
