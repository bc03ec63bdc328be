"""Linear imaging operators; this room knows no Dask."""

from daskphys.physics.base import LinearPhysics
from daskphys.physics.blur import Blur, gaussian_blur
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.measurements import Measurements
from daskphys.physics.motion import disk_blur, motion_blur, random_motion_blur
from daskphys.physics.normal import Diagonal, FourierMultiplier, Identity, NormalSum, Toeplitz
from daskphys.physics.space_varying import SpaceVaryingBlur
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
    "SpaceVaryingBlur",
    "StackedPhysics",
    "Toeplitz",
    "disk_blur",
    "gaussian_blur",
    "motion_blur",
    "random_motion_blur",
    "stack",
    "value",
]
