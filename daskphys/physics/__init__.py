"""Linear imaging operators; this room knows no Dask."""

from daskphys.physics.base import LinearPhysics
from daskphys.physics.blur import Blur, gaussian_blur
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.measurements import Measurements
from daskphys.physics.normal import Diagonal, FourierMultiplier, Identity, NormalSum, Toeplitz
from daskphys.physics.stack import StackedPhysics, stack
from daskphys.physics.value import value

__all__ = [
    "Blur",
    "Diagonal",
    "FourierMultiplier",
    "Identity",
    "JoinedPhysics",
    "LinearPhysics",
    "Measurements",
    "NormalSum",
    "StackedPhysics",
    "Toeplitz",
    "gaussian_blur",
    "stack",
    "value",
]
