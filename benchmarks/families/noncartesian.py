"""Benchmarks of non-Cartesian MRI: golden-angle spokes and many coils, against SigPy, torchkbnufft, and finufft by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.family_rivals import compare
from benchmarks.timing import CORES, TIMES, Bench, Case
from daskphys.physics import NonCartesianMRI
from daskphys.physics.mri import radial


def radial_sense(bench: Bench) -> Case:
    """A, Aᵀ and AᵀA of coils that see spokes."""
    case = Case("radial_sense", f"Golden-angle spokes with coils, complex64 ({TIMES})")
    side, coils = (96, 4) if bench.quick else (256, 32)
    k, maps, x = problem(side, coils)
    A, coarse, hand = NonCartesianMRI(k, maps), NonCartesianMRI(k, maps, eps=1e-3), ByHand(k, maps)
    y = A(x)
    products = {
        "A": {
            "daskphys": partial(A, x),
            "daskphys, eps=1e-3": partial(coarse, x),
            "finufft by hand": partial(hand.forward, x),
        },
        "Aᵀ": {
            "daskphys": partial(A.A_adjoint, y),
            "daskphys, eps=1e-3": partial(coarse.A_adjoint, y),
            "finufft by hand": partial(hand.adjoint, y),
        },
        "AᵀA": {
            "daskphys": partial(A.A_adjoint_A, x),
            "daskphys, there and back": partial((A.H @ A).A, x),
            "finufft by hand, there and back": partial(hand.there_and_back, x),
        },
    }
    label = f"{side}×{side}, {coils} coils, {y.shape[-1]} samples"
    arrays = {"k": k, "maps": maps, "x": x, "y": y}
    compare(bench, case, "noncartesian", arrays, products, label=label, tolerance=2e-2, seconds=20)
    case.notes.append(
        "Peers have their own defaults, whose accuracy is about 1e-3; ours and that by hand is 1e-6 unless eps says otherwise."
    )
    return case


class ByHand:
    """finufft's own plan for all coils, with all cores."""

    def __init__(self, k: np.ndarray, maps: np.ndarray) -> None:
        import finufft

        self.maps = maps
        sizes: Any = maps.shape[1:]
        self.plan = finufft.Plan(2, sizes, len(maps), 1e-6, -1, "complex64", nthreads=CORES)
        self.plan.setpts(*np.ascontiguousarray(2 * np.pi * k.reshape(-1, 2).T, np.float32))
        self.scale = np.float32(1 / np.sqrt(np.prod(sizes)))

    def forward(self, x: np.ndarray) -> Any:
        return self.scale * self.plan.execute(self.maps * x)

    def adjoint(self, y: np.ndarray) -> Any:
        images = self.plan.execute_adjoint(y)
        return self.scale * np.einsum("chw,chw->hw", self.maps.conj(), images)

    def there_and_back(self, x: np.ndarray) -> Any:
        return self.adjoint(self.forward(x))


def problem(side: int, coils: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spokes that sample the disc fully, smooth maps of Gaussian coils in a ring, and an image."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    angle = 2 * np.pi * np.arange(coils)[:, None, None] / coils
    maps = np.exp(-((x - np.cos(angle)) ** 2) - (y - np.sin(angle)) ** 2 + 1j * angle)
    image = rng.standard_normal((side, side)) + 1j * rng.standard_normal((side, side))
    spokes = round(np.pi / 2 * side)
    return radial(spokes, 2 * side), maps.astype(np.complex64), image.astype(np.complex64)


CASES = (radial_sense,)
