"""Imaging operators; this room knows no Dask."""

from daskphys.physics.base import LinearPhysics
from daskphys.physics.blockdiagonal import block_diagonal, hstack
from daskphys.physics.blur import Blur, gaussian_blur
from daskphys.physics.downsampling import Downsampling, Upsampling
from daskphys.physics.function import FunctionOperator
from daskphys.physics.inpainting import Crop, Inpainting
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.matrix import MatrixOperator
from daskphys.physics.measurements import Measurements
from daskphys.physics.motion import disk_blur, motion_blur, random_motion_blur
from daskphys.physics.mri import MRI, CoilMaps, MultiCoilMRI, NonCartesianMRI
from daskphys.physics.noise import (
    ComplexGaussianNoise,
    GaussianNoise,
    LaplaceNoise,
    NoiseModel,
    PoissonGaussianNoise,
    PoissonNoise,
    SaltPepperNoise,
    UniformNoise,
)
from daskphys.physics.normal import (
    AliasedMultiplier,
    CentredMultiplier,
    Diagonal,
    FourierMultiplier,
    Identity,
    NormalSum,
    Toeplitz,
)
from daskphys.physics.nufft import NUFFT
from daskphys.physics.pansharpening import pansharpening
from daskphys.physics.phase_retrieval import PhaseRetrieval
from daskphys.physics.physics import Physics
from daskphys.physics.radio import Interferometry
from daskphys.physics.real_images import OfRealImages
from daskphys.physics.shift import Shift
from daskphys.physics.space_varying import SpaceVaryingBlur
from daskphys.physics.spectral_response import SpectralResponse
from daskphys.physics.stack import NonlinearStack, StackedPhysics, stack
from daskphys.physics.tomography import Tomography
from daskphys.physics.value import value

__all__ = [
    "MRI",
    "NUFFT",
    "AliasedMultiplier",
    "Blur",
    "CentredMultiplier",
    "CoilMaps",
    "ComplexGaussianNoise",
    "Crop",
    "Diagonal",
    "Downsampling",
    "FourierMultiplier",
    "FunctionOperator",
    "GaussianNoise",
    "Identity",
    "Inpainting",
    "Interferometry",
    "JoinedPhysics",
    "LaplaceNoise",
    "LinearPhysics",
    "MatrixOperator",
    "Measurements",
    "MultiCoilMRI",
    "NoiseModel",
    "NonCartesianMRI",
    "NonlinearStack",
    "NormalSum",
    "OfRealImages",
    "PhaseRetrieval",
    "Physics",
    "PoissonGaussianNoise",
    "PoissonNoise",
    "SaltPepperNoise",
    "Shift",
    "SpaceVaryingBlur",
    "SpectralResponse",
    "StackedPhysics",
    "Toeplitz",
    "Tomography",
    "UniformNoise",
    "Upsampling",
    "block_diagonal",
    "disk_blur",
    "gaussian_blur",
    "hstack",
    "motion_blur",
    "pansharpening",
    "random_motion_blur",
    "stack",
    "value",
]
