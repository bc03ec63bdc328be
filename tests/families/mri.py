"""Coils and Fourier encoding."""

import numpy as np
from case import Case, blur

from daskphys.physics import MRI, CentredMultiplier, CoilMaps, MultiCoilMRI, stack


def maps(*shape: int, seed: int = 0) -> np.ndarray:
    """Random complex maps."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def mask(*shape: int, seed: int = 0) -> np.ndarray:
    """A random mask without any symmetry."""
    return np.random.default_rng(seed).random(shape) > 0.4


CASES = [
    Case("coil maps", CoilMaps(maps(3, 6, 5)), ((6, 5), (2, 6, 5))),
    Case("coil maps, real", CoilMaps(maps(2, 4, 6).real), ((4, 6), (2, 4, 6))),
    Case("coil maps, 3-D", CoilMaps(maps(2, 3, 4, 5), ndim=3), ((3, 4, 5), (2, 3, 4, 5))),
    Case("coil maps, per frame", CoilMaps(maps(3, 2, 4, 5)), ((3, 4, 5), (2, 3, 4, 5))),
    Case("mri, even", MRI(mask(6, 8)), ((6, 8), (2, 6, 8))),
    Case("mri, odd and even", MRI(mask(5, 6)), ((5, 6), (2, 5, 6))),
    Case("mri, weights", MRI(maps(7, 4).real), ((7, 4),)),
    Case("mri, a mask a frame", MRI(mask(3, 4, 6)), ((3, 4, 6), (2, 3, 4, 6))),
    Case("mri, 3-D", MRI(mask(2, 4, 3), ndim=3), ((2, 4, 3), (2, 2, 4, 3))),
    Case("stack of mri", stack(MRI(mask(4, 6)), MRI(mask(4, 6, seed=1)), 2j * MRI(mask(4, 6))), ((4, 6),)),
    Case("multi-coil", MultiCoilMRI(maps(3, 6, 4), mask(6, 4)), ((6, 4), (2, 6, 4))),
    Case("multi-coil, odd", MultiCoilMRI(maps(5, 3, 5), mask(3, 5)), ((3, 5), (2, 3, 5))),
    Case("multi-coil, real maps", MultiCoilMRI(maps(2, 4, 6).real, mask(4, 6)), ((4, 6), (2, 4, 6))),
    Case("multi-coil, 3-D", MultiCoilMRI(maps(2, 2, 4, 3), mask(2, 4, 3), ndim=3), ((2, 4, 3), (2, 2, 4, 3))),
    Case("multi-coil, a mask a frame", MultiCoilMRI(maps(2, 4, 6), mask(3, 4, 6)), ((3, 4, 6), (2, 3, 4, 6))),
    Case("multi-coil, maps a slice", MultiCoilMRI(maps(3, 2, 4, 6), mask(4, 6)), ((3, 4, 6),)),
    Case("a coil", MultiCoilMRI(maps(3, 6, 4), mask(6, 4))[1], ((6, 4), (2, 6, 4))),
    Case(
        "multi-coil after a blur",
        2j * MultiCoilMRI(maps(2, 6, 4), mask(6, 4)) @ blur("reflect", 2, 3),
        ((6, 4),),
    ),
    Case("coils together", MultiCoilMRI(maps(3, 6, 4), mask(6, 4))._together(), ((6, 4), (2, 6, 4))),
    Case("centred multiplier", CentredMultiplier(maps(5, 6).real ** 2, 2), ((5, 6), (2, 5, 6))),
    Case("centred multiplier, complex", CentredMultiplier(maps(2, 4, 6), 2), ((2, 4, 6), (3, 2, 4, 6))),
    Case("stack of mri and a blur", stack(MRI(mask(6, 8)), blur("circular", 3, 2)), ((6, 8), (2, 6, 8))),
]
