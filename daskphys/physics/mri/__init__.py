"""Magnetic resonance imaging: coils, Fourier encoding, what of it is measured."""

from daskphys.physics.mri.coils import CoilMaps
from daskphys.physics.mri.density import pipe_menon, radial_density
from daskphys.physics.mri.noncartesian import NonCartesianMRI
from daskphys.physics.mri.trajectories import kooshball, radial, spiral, stack_of_stars

__all__ = [
    "CoilMaps",
    "NonCartesianMRI",
    "kooshball",
    "pipe_menon",
    "radial",
    "radial_density",
    "spiral",
    "stack_of_stars",
]
