"""Computed tomography: projections, filtered back-projection, phantoms."""

from daskphys.physics.tomography.operator import Tomography

__all__ = ["Tomography"]
