"""Coils and Fourier encoding."""

import numpy as np
from case import Case

from daskphys.physics import CoilMaps


def maps(*shape: int, seed: int = 0) -> np.ndarray:
    """Random complex maps."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


CASES = [
    Case("coil maps", CoilMaps(maps(3, 6, 5)), ((6, 5), (2, 6, 5))),
    Case("coil maps, real", CoilMaps(maps(2, 4, 6).real), ((4, 6), (2, 4, 6))),
    Case("coil maps, 3-D", CoilMaps(maps(2, 3, 4, 5), ndim=3), ((3, 4, 5), (2, 3, 4, 5))),
    Case("coil maps, per frame", CoilMaps(maps(3, 2, 4, 5)), ((3, 4, 5), (2, 3, 4, 5))),
]
