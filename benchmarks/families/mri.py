"""Benchmarks of Cartesian MRI: one coil and many, and coil maps, against deepinv, SigPy and SciPy's FFT by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.fft

from benchmarks.family_rivals import compare
from benchmarks.timing import CORES, TIMES, Bench, Case
from daskphys.physics import MRI, MultiCoilMRI
from daskphys.physics.mri import birdcage_maps, equispaced_mask, espirit_maps


def cartesian_sense(bench: Bench) -> Case:
    """A, Aᵀ and AᵀA of many coils."""
    case = Case("cartesian_sense", f"Every 4th line with coils, complex64 ({TIMES})")
    problems: Any = (((256, 256), 8),)
    if not bench.quick:
        problems = (((256, 256), 8), ((256, 256), 32), ((512, 512), 16), ((320, 320, 64), 8))
    for shape, coils in problems:
        maps, mask, x = _problem(shape, coils)
        A, hand = MultiCoilMRI(maps, mask, ndim=len(shape)), ByHand(maps, mask)
        y = A(x)
        _measured(bench, case, A, hand, {"maps": maps, "mask": mask, "x": x, "y": y}, f"{coils} coils")
    return case


def cartesian_single_coil(bench: Bench) -> Case:
    """A, Aᵀ and AᵀA of one coil, for a batch of slices."""
    case = Case("cartesian_single_coil", f"Every 4th line of slices, complex64 ({TIMES})")
    for shape in ((256, 256),) if bench.quick else ((256, 256), (512, 512)):
        _, mask, x = _problem(shape, 1)
        slices = np.stack([x] * 8)
        A, hand = MRI(mask), ByHand(None, mask)
        y = A(slices)
        _measured(bench, case, A, hand, {"mask": mask, "x": slices, "y": y}, "8 slices")
    return case


def espirit(bench: Bench) -> Case:
    """Coil maps from 24 calibration lines; SigPy makes a hundred power iterations."""
    case = Case("espirit", f"ESPIRiT, complex64 ({TIMES})")
    for shape, coils in (((96, 96), 4),) if bench.quick else (((256, 256), 8),):
        maps, _, x = _problem(shape, coils)
        y = MultiCoilMRI(maps, np.ones(shape))(x)
        seen = espirit_maps(y)
        call = {"maps": {"daskphys": partial(espirit_maps, y)}}
        label = f"{'×'.join(map(str, shape))}, {coils} coils"
        # Where the object ends, few pixels are on this side of the threshold by one and on that by the other.
        compare(bench, case, "mri", {"kspace": y, "seen": abs(seen) > 0}, call, label=label, tolerance=1e-2)
    return case


def _measured(bench: Bench, case: Case, A: Any, hand: ByHand, given: dict[str, Any], what: str) -> None:
    """The three products of one problem."""
    x, y = given["x"], given["y"]
    products = {
        "A": {"daskphys": partial(A, x), "SciPy by hand": partial(hand.forward, x)},
        "Aᵀ": {"daskphys": partial(A.A_adjoint, y), "SciPy by hand": partial(hand.adjoint, y)},
        "AᵀA": {
            "daskphys": partial(A.A_adjoint_A, x),
            "SciPy by hand": lambda: hand.adjoint(hand.forward(x)),
        },
    }
    label = f"{'×'.join(map(str, given['mask'].shape))}, {what}"
    compare(bench, case, "mri", given, products, label=label, tolerance=1e-4, seconds=6)


class ByHand:
    """As a script has it: shifts round the FFT, with all cores."""

    def __init__(self, maps: np.ndarray | None, mask: np.ndarray) -> None:
        self.maps, self.mask = maps, mask.astype(np.float32)
        self.axes = tuple(range(-mask.ndim, 0))

    def forward(self, x: np.ndarray) -> Any:
        x = x if self.maps is None else self.maps * x
        moved = scipy.fft.ifftshift(x, axes=self.axes)
        y = scipy.fft.fftn(moved, axes=self.axes, norm="ortho", workers=CORES)
        return self.mask * scipy.fft.fftshift(y, axes=self.axes)

    def adjoint(self, y: np.ndarray) -> Any:
        moved = scipy.fft.ifftshift(self.mask * y, axes=self.axes)
        x = scipy.fft.ifftn(moved, axes=self.axes, norm="ortho", workers=CORES)
        x = scipy.fft.fftshift(x, axes=self.axes)
        return x if self.maps is None else (self.maps.conj() * x).sum(0)


def _problem(shape: tuple[int, ...], coils: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps, a mask of lines, and a noisy block within the field of view."""
    rng = np.random.default_rng(0)
    x = np.zeros(shape, np.complex64)
    inside = tuple(slice(n // 5, n - n // 5) for n in shape)
    size = x[inside].shape
    x[inside] = 1 + 0.2 * (rng.standard_normal(size) + 1j * rng.standard_normal(size))
    return birdcage_maps(coils, shape), equispaced_mask(shape, 4, calibration=24), x


CASES = (cartesian_sense, cartesian_single_coil, espirit)
