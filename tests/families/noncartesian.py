"""Fourier transforms at any frequencies."""

import numpy as np
from case import Case

from daskphys.physics import NUFFT


def points(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape)


def weights(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape)


CASES = [
    Case("non-uniform Fourier, 1-D", NUFFT(points(20, 1), (11,)), ((11,), (2, 11))),
    Case("non-uniform Fourier", NUFFT(points(8, 9, 2), (6, 7)), ((6, 7), (2, 6, 7))),
    Case("non-uniform Fourier, weighted", NUFFT(points(9, 2), (4, 5), weights(9)), ((4, 5),)),
    Case("non-uniform Fourier, 3-D", NUFFT(points(50, 3), (3, 2, 4), weights(50)), ((3, 2, 4),)),
]
