"""Noise of measurements: models, and the random stream of each sensor."""

from daskphys.physics.noise.additive import ComplexGaussianNoise, GaussianNoise, LaplaceNoise, UniformNoise
from daskphys.physics.noise.impulse import SaltPepperNoise
from daskphys.physics.noise.model import NoiseModel
from daskphys.physics.noise.poisson import PoissonGaussianNoise, PoissonNoise

__all__ = [
    "ComplexGaussianNoise",
    "GaussianNoise",
    "LaplaceNoise",
    "NoiseModel",
    "PoissonGaussianNoise",
    "PoissonNoise",
    "SaltPepperNoise",
    "UniformNoise",
]
