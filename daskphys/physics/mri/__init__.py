"""Magnetic resonance imaging: coils, Fourier encoding, what of it is measured."""

from daskphys.physics.mri.coils import CoilMaps

__all__ = ["CoilMaps"]
