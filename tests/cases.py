"""The one list of operators: every concrete operator of the package is here, and every law runs over it.

Families with a file of their own in `tests/families` are read from there.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case import PADDINGS, REALS, Case, blur, kernel

from daskphys.physics import (
    Blur,
    Diagonal,
    FourierMultiplier,
    Identity,
    LinearPhysics,
    OfRealImages,
    Toeplitz,
    gaussian_blur,
    stack,
)
from daskphys.physics.axes import Selection, Squeeze
from daskphys.physics.base import Gram, PseudoInverse
from daskphys.physics.parts import JoinedStack
from daskphys.physics.weighted import WeightedGram

#: Operators that need a cluster: the tests of `daskphys.distributed` hold them to the plain ones.
ON_A_CLUSTER = (
    "Beside",
    "DistributedBlockDiagonal",
    "DistributedGram",
    "DistributedJoined",
    "DistributedNonlinear",
    "DistributedPhysics",
)

#: Operators behind a method of every operator, whose tests hold them.
BEHIND_METHODS = ("Noisy", "Vjp")

#: Physics of deepinv as they are, which keep the laws in ``interop/test_deepinv_parts.py`` and ``interop/test_deepinv.py``.
OF_DEEPINV = ("DeepinvNonlinear", "DeepinvPhysics")

IMAGES = ((9, 8), (2, 5, 6))
CHANNELS = ((3, 8, 7), (2, 3, 5, 4))
VOLUMES = ((4, 5, 6), (2, 2, 3, 4))
SIGNALS = ((11,), (2, 8))


def raises(error: type[Exception], *parts: str) -> Any:
    """`pytest.raises` for a message that has all of `parts`, in any order."""
    return pytest.raises(error, match="".join(f"(?=.*{re.escape(part)})" for part in parts))


CIRCULAR = stack(*[blur("circular", *shape) for shape in ((3, 4), (5, 5), (2, 3))])
RAGGED = stack(*[blur("valid", *shape) for shape in ((3, 4), (4, 4), (1, 2))])
MIXED = stack(*[blur(padding, 3, 4, seed=i) for i, padding in enumerate(PADDINGS)])

_DEMO = stack(*map(Blur, (gaussian_blur(1.0), gaussian_blur(2.5), gaussian_blur((1.5, 3.5), angle=30))))
_A = blur("circular", 3, 4)
_V = blur("valid", 2, 3)
_P = blur("circular", 3, 2, 2)  # one kernel for each of three channels

BLURS = [
    case
    for padding in PADDINGS
    for case in (
        Case(f"{padding}, odd", blur(padding, 3, 5), IMAGES),
        Case(f"{padding}, even", blur(padding, 4, 2), IMAGES),
        Case(f"{padding}, one sample", blur(padding, 1, 1), IMAGES),
        Case(f"{padding}, per channel", blur(padding, 1, 3, 4, 3), CHANNELS),
        Case(f"{padding}, 1-D", blur(padding, 1, 4, ndim=1), SIGNALS),
        Case(f"{padding}, 3-D", blur(padding, 2, 3, 4, ndim=3), VOLUMES),
    )
]

DERIVED = [
    Case("multiplier, real", _A.normal((8, 9)), ((8, 9), (3, 8, 9))),
    Case("multiplier, real, per channel", _P.normal((3, 8, 9)), ((3, 8, 9),)),
    Case("multiplier, complex", FourierMultiplier(np.fft.rfftn(kernel(8, 9)), (8, 9)), ((8, 9), (3, 8, 9))),
    Case("adjoint", _V.H, IMAGES),
    Case("composed", _V @ _A, IMAGES),
    Case("composed, per channel", _A @ _P, CHANNELS),
    Case("sum", _A + blur("reflect", 3, 3) + blur("replicate", 2, 5), IMAGES),
    Case("sum, one per channel", _A + _P, CHANNELS),
    Case("difference", 4 * _A - blur("circular", 2, 2), IMAGES),
    Case("scaled, real", -1.5 * _V, IMAGES),
    Case("scaled, complex", (0.5 - 2j) * _A, IMAGES),
    Case("scaled, complex, valid", (0.5 - 2j) * _V, IMAGES),
    Case("scaled, complex multiplier", 1j * _A.normal((8, 9)), ((8, 9), (3, 8, 9))),
    Case("gram", Gram(blur("reflect", 2, 3)), IMAGES),
    Case("gram, merged", Gram(_A), IMAGES),
    Case("pseudo-inverse", PseudoInverse(_A), IMAGES),
    Case("pseudo-inverse of a stack", PseudoInverse(CIRCULAR), (((8, 9),) * 3,)),
    Case("pseudo-inverse of a stack, adjoint", PseudoInverse(CIRCULAR).H, IMAGES),
]


def entries(*shape: int, seed: int = 0) -> np.ndarray:
    """Random non-negative weights, well away from zero."""
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape)


def lags(*sizes: int, seed: int = 0, phase: float = 0.0, lead: tuple[int, ...] = ()) -> np.ndarray:
    """The kernel of the AᴴA of samples at random frequencies; complex with a phase, else its real part."""
    rng = np.random.default_rng(seed)
    k = rng.uniform(-0.5, 0.5, (len(sizes), 30))
    grid = np.meshgrid(*[np.arange(1 - n, n) for n in sizes], indexing="ij")
    t = np.exp(2j * np.pi * np.tensordot(np.stack(grid, -1), k, 1)).mean(-1)
    t = t if phase else t.real
    return rng.uniform(1, 2, lead)[(..., *(None,) * len(sizes))] * t


_MASK = Diagonal(entries(8, 9))
_T = Toeplitz.from_kernel(lags(8, 9))
_F = _A.normal((8, 9))

NORMALS = [
    Case("identity", Identity(), ((7,), (2, 3, 4))),
    Case("identity, a multiple", Identity(2.5), ((7,), (2, 3, 4))),
    Case("diagonal", _MASK, ((8, 9), (2, 8, 9))),
    Case("diagonal, per channel, one for all rows", Diagonal(entries(3, 1, 9)), ((3, 8, 9), (2, 3, 4, 9))),
    Case("diagonal, one number", Diagonal(0.5), ((7,), (2, 3))),
    Case("diagonal, complex", Diagonal(entries(8, 9) + 1j * entries(8, 9, seed=1)), ((8, 9), (2, 8, 9))),
    Case("diagonal, complex multiple", (1 - 2j) * _MASK, ((8, 9), (2, 8, 9))),
    Case("toeplitz, real", _T, ((8, 9), (2, 8, 9))),
    Case("toeplitz, complex", Toeplitz.from_kernel(lags(7, 6, phase=1)), ((7, 6), (2, 7, 6))),
    Case("toeplitz, 1-D", Toeplitz.from_kernel(lags(11)), ((11,), (2, 11))),
    Case("toeplitz, one sample", Toeplitz.from_kernel(lags(1, 5)), ((1, 5), (2, 1, 5))),
    Case("toeplitz, 3-D", Toeplitz.from_kernel(lags(3, 4, 5, phase=1)), ((3, 4, 5),)),
    Case(
        "toeplitz, per channel",
        Toeplitz.from_kernel(lags(5, 6, lead=(3,)), ndim=2),
        ((3, 5, 6), (2, 3, 5, 6)),
    ),
    Case("normal sum", _F + _MASK, ((8, 9), (2, 8, 9))),
    Case("normal sum, three kinds", _T + _MASK + _F + 0.5 * Identity(), ((8, 9), (2, 8, 9))),
    Case("normal sum, complex", Toeplitz.from_kernel(lags(8, 9, phase=1)) + _MASK, ((8, 9), (2, 8, 9))),
    Case("stack of a mask and a blur", stack(_MASK, _A, 2 * _MASK, Identity(0.5)), ((8, 9), (2, 8, 9))),
    Case(
        "stack of unlike masks",
        stack(_MASK, Diagonal(entries(9)), Diagonal(entries(8, 1))),
        ((8, 9), (2, 8, 9)),
    ),
    Case("weighted gram", WeightedGram(RAGGED, (1.0, 0.0, 2.5)), IMAGES),
    Case("weighted gram, merging", WeightedGram(CIRCULAR, (1.0, 0.5, 2.5)), IMAGES),
]

STACKS = [
    Case("stack of the demo", _DEMO, ((2, 25, 26),)),
    Case("stack, circular", CIRCULAR, IMAGES),
    Case("stack, valid", RAGGED, IMAGES),
    Case("stack, all paddings", MIXED, IMAGES),
    Case("stack, per channel", stack(_P, _A, 2 * blur("circular", 3, 1, 2)), CHANNELS),
    Case("stack of one", stack(_A), IMAGES),
    Case("stack of eleven", stack(*[blur("circular", 2, 3, seed=i) for i in range(11)]), ((8, 9),)),
    Case("stack after a blur", CIRCULAR @ blur("reflect", 2, 2), IMAGES),
    Case("stack, valid, after a blur", RAGGED @ blur("valid", 2, 2), IMAGES),
    Case("stack, all paddings, after a blur", MIXED @ blur("circular", 2, 2), IMAGES),
    Case("stack, scaled and summed", 2 * CIRCULAR - 0.5 * CIRCULAR[::-1], IMAGES),
    Case("stack, complex", 1j * CIRCULAR, IMAGES),
    Case("stack, real and complex", stack(_A, 1j * _A, _V), IMAGES),
    Case("stack, adjoint", RAGGED.H, (((7, 6), (6, 6), (9, 8)),)),
    Case("stack, gram", Gram(RAGGED), IMAGES),
    Case("stack, its adjoint after it", RAGGED.H @ RAGGED, IMAGES),
    Case("stack, it after its adjoint", RAGGED @ RAGGED.H, (((7, 6), (6, 6), (9, 8)),)),
]

_PHASES = Diagonal(np.exp(1j * np.arange(72.0).reshape(8, 9)))
_REALS = OfRealImages(_PHASES)

OF_REAL_IMAGES = [
    Case(f"of real images, {name}", operator, shapes, REALS)
    for name, operator, shapes in (
        ("alone", OfRealImages(_PHASES @ _V), ((9, 11), (2, 9, 11))),
        ("merging", OfRealImages(_A), IMAGES),
        ("after a blur", _REALS @ _A, ((8, 9), (2, 8, 9))),
        ("before a blur", OfRealImages(_V) @ _A, IMAGES),
        ("sum", _REALS + 1j * _REALS, ((8, 9), (2, 8, 9))),
        ("scaled", (1 - 2j) * _REALS, ((8, 9), (2, 8, 9))),
        ("gram", Gram(_REALS), ((8, 9),)),
        ("pseudo-inverse, adjoint", PseudoInverse(_REALS).H, ((8, 9), (2, 8, 9))),
        ("stack", stack(_REALS, OfRealImages(_A), 1j * _REALS), ((8, 9), (2, 8, 9))),
    )
]

JOINED = [
    Case("joined stack", JoinedStack(stack(*[Squeeze(3).H @ b for b in CIRCULAR]), (1, 1, 1)), IMAGES),
    Case("selection", Selection(3, 1, 3, 4), ((4, 5, 6), (2, 4, 5, 6))),
    Case("squeeze", Squeeze(3), ((1, 8, 9), (2, 1, 8, 9))),
]


def _families() -> list[Case]:
    """`CASES` of each file in `tests/families`; all their libraries are in the extra `test`."""
    found: list[Case] = []
    for path in sorted((Path(__file__).parent / "families").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"families_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += module.CASES
    return found


CASES = (*BLURS, *DERIVED, *NORMALS, *STACKS, *OF_REAL_IMAGES, *JOINED, *_families())

#: Those whose operators are linear.
LINEAR = [case for case in CASES if isinstance(case.operator, LinearPhysics)]
