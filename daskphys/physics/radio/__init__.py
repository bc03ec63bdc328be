"""Radio interferometry."""

from daskphys.physics.radio.coverage import enu_to_equatorial, itrf_to_equatorial, uv_coverage
from daskphys.physics.radio.interferometry import Interferometry
from daskphys.physics.radio.visibilities import Visibilities
from daskphys.physics.radio.vla import VLA_LATITUDE, VLA_LONGITUDE, vla_positions
from daskphys.physics.radio.weighting import briggs_weights, natural_weights, uniform_weights

__all__ = [
    "VLA_LATITUDE",
    "VLA_LONGITUDE",
    "Interferometry",
    "Visibilities",
    "briggs_weights",
    "enu_to_equatorial",
    "itrf_to_equatorial",
    "natural_weights",
    "uniform_weights",
    "uv_coverage",
    "vla_positions",
]
