"""Sensors that are not linear."""

import numpy as np
from case import Case, blur

from daskphys.physics import Diagonal, MatrixOperator, PhaseRetrieval, PoissonNoise, stack

_rng = np.random.default_rng(0)
_M = _rng.standard_normal((7, 5)) + 1j * _rng.standard_normal((7, 5))
_CODES = np.exp(2j * np.pi * _rng.random((3, 6, 7)))
_N = PhaseRetrieval(MatrixOperator(_M, noise_model=PoissonNoise(0.1)))
_CODED = [PhaseRetrieval(blur("valid", 2, 3) @ Diagonal(code)) for code in _CODES]

CASES = [
    Case("phase retrieval, dense", _N, ((5,), (2, 5)), portable=False),
    Case("phase retrieval, coded", _CODED[0], ((6, 7), (2, 6, 7))),
    Case("phase retrieval, real", PhaseRetrieval(blur("circular", 3, 2)), ((6, 7), (2, 6, 7))),
    Case("phase retrieval after a blur", _CODED[1] @ blur("reflect", 2, 2), ((6, 7),)),
    Case("a blur after phase retrieval", blur("circular", 2, 2) @ _CODED[1], ((6, 7),)),
    Case("intensities beside a blur", stack(*_CODED, blur("circular", 3, 4)), ((6, 7), (2, 6, 7))),
]
