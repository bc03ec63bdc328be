"""Magnetic resonance imaging: coils, Fourier encoding, what of it is measured."""

from daskphys.physics.mri.birdcage import birdcage_maps
from daskphys.physics.mri.calibration import espirit_maps, walsh_maps
from daskphys.physics.mri.cartesian import MRI
from daskphys.physics.mri.coils import CoilMaps
from daskphys.physics.mri.density import pipe_menon, radial_density
from daskphys.physics.mri.masks import equispaced_mask, uniform_mask, variable_density_mask
from daskphys.physics.mri.multicoil import MultiCoilMRI
from daskphys.physics.mri.noncartesian import NonCartesianMRI
from daskphys.physics.mri.poisson_disc import poisson_disc_mask
from daskphys.physics.mri.trajectories import kooshball, radial, spiral, stack_of_stars

__all__ = [
    "MRI",
    "CoilMaps",
    "MultiCoilMRI",
    "NonCartesianMRI",
    "birdcage_maps",
    "equispaced_mask",
    "espirit_maps",
    "kooshball",
    "pipe_menon",
    "poisson_disc_mask",
    "radial",
    "radial_density",
    "spiral",
    "stack_of_stars",
    "uniform_mask",
    "variable_density_mask",
    "walsh_maps",
]
