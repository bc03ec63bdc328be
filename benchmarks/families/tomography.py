"""Benchmarks of tomography: against ASTRA called by hand, scikit-image and deepinv."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.family_rivals import compare
from benchmarks.timing import TIMES, Bench, Case, times_text
from daskphys.physics import Tomography
from daskphys.physics.tomography import shepp_logan

#: Odd, as others centre even sizes elsewhere.
QUICK, SIDES = ((67, 30, 1), (67, 30, 16)), ((255, 180, 1), (255, 180, 16), (511, 90, 1))


def projections(bench: Bench) -> Case:
    """A and Aᵀ of parallel rays; and A with all that precedes it."""
    case = Case("projections", f"Parallel beam, line projector, float32 ({TIMES})")
    for side, angles, slices in QUICK if bench.quick else SIDES:
        A, x = problem(side, angles, slices)
        hand, y = ByHand(A), A(x)
        products: dict[str, dict[str, Any]] = {
            "A": {"daskphys": partial(A, x), "ASTRA by hand": partial(hand.forward, x)},
            "Aᵀ": {"daskphys": partial(A.A_adjoint, y), "ASTRA by hand": partial(hand.adjoint, y)},
        }
        if slices == 1:
            products["A, first product"] = {
                "daskphys": partial(_first, A, x, True),
                "daskphys, stored=False": partial(_first, A, x, False),
                "ASTRA by hand": lambda A=A, x=x: ByHand(A).forward(x),
            }
        given = {"angles": A.angles, "x": x, "y": y}
        label = f"{times_text(x.shape)}, {angles} angles"
        # Others interpolate where ASTRA takes lengths within pixels: at edges they differ by a tenth.
        compare(bench, case, "tomography", given, products, label=label, tolerance=0.15, seconds=20)
    case.notes.append(
        "A first product of ours makes matrices, those after it use them.  ASTRA by hand runs on one core, as it does on a CPU."
    )
    return case


class ByHand:
    """ASTRA's projector and its own loops, one slice after another."""

    def __init__(self, A: Tomography) -> None:
        import astra

        self.astra, self.sizes, self.image_shape = astra, (len(A), A.detectors), A.image_shape
        rays = astra.create_proj_geom("parallel", 1.0, A.detectors, np.deg2rad(A.angles))
        self.number = astra.create_projector("line", rays, astra.create_vol_geom(*A.image_shape))

    def __del__(self) -> None:
        self.astra.projector.delete(self.number)

    def forward(self, x: np.ndarray) -> np.ndarray:
        y = np.empty((*x.shape[:-2], *self.sizes), np.float32)
        for i in np.ndindex(x.shape[:-2]):
            self.astra.projector.direct_FP(self.number, x[i], out=y[i])
        return y

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        x = np.empty((*y.shape[:-2], *self.image_shape), np.float32)
        for i in np.ndindex(y.shape[:-2]):
            self.astra.projector.direct_BP(self.number, y[i], out=x[i])
        return x


def _first(A: Tomography, x: np.ndarray, stored: bool) -> Any:
    return Tomography(A.angles, A.image_shape, stored=stored)(x)


def problem(side: int, angles: int, slices: int) -> tuple[Tomography, np.ndarray]:
    """Angles over half a turn, and the phantom in all slices."""
    A = Tomography(np.arange(angles) * 180 / angles, (side, side))
    x = np.repeat(shepp_logan(side).astype(np.float32)[None], slices, 0)
    return A, x if slices > 1 else x[0]


CASES = (projections,)
