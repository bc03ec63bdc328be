"""Operators with noise: all that is linear of them is as without."""

import numpy as np
from case import Case, blur

from daskphys.physics import GaussianNoise, MatrixOperator, PoissonNoise, stack

_NOISE = GaussianNoise(0.1, seed=0)
_A = blur("circular", 3, 4).with_noise(_NOISE)

CASES = [
    Case("noise on a blur", _A, ((9, 8), (2, 5, 6))),
    Case("noise in a stack", stack(_A, blur("valid", 3, 2).with_noise(PoissonNoise()), 2 * _A), ((2, 5, 6),)),
    Case(
        "noise on sensors of an axis",
        MatrixOperator(np.arange(1.0, 13).reshape(3, 4), noise_model=_NOISE),
        ((4,), (2, 4)),
    ),
]
