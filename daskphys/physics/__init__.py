"""Linear imaging operators; this room knows no Dask."""

from daskphys.physics.base import LinearPhysics
from daskphys.physics.blur import Blur, gaussian_blur
from daskphys.physics.measurements import Measurements
from daskphys.physics.normal import FourierMultiplier
from daskphys.physics.stack import StackedPhysics, stack
from daskphys.physics.value import value

__all__ = [
    "Blur",
    "FourierMultiplier",
    "LinearPhysics",
    "Measurements",
    "StackedPhysics",
    "gaussian_blur",
    "stack",
    "value",
]
