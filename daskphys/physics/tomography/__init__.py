"""Computed tomography: projections, filtered back-projection, phantoms."""

from daskphys.physics.tomography.backprojection import fbp, fbp_factors
from daskphys.physics.tomography.operator import Tomography
from daskphys.physics.tomography.phantom import SHEPP_LOGAN, ellipse_sinogram, shepp_logan

__all__ = ["SHEPP_LOGAN", "Tomography", "ellipse_sinogram", "fbp", "fbp_factors", "shepp_logan"]
