"""Line integrals of images, by a matrix."""

import numpy as np
from case import Case

from daskphys.physics import Tomography
from daskphys.physics.tomography import fbp_factors

_FAN = {"geometry": "fanbeam", "source_distance": 20.0, "detector_distance": 12.0}
_A = Tomography(np.arange(11) * 17.0, (6, 5))
CASES = [
    Case("tomography, line", _A, ((6, 5), (2, 6, 5))),
    Case(
        "tomography, strip",
        Tomography(np.arange(10) * 37.0, (3, 4), 7, 1.1, 0.9, projector="strip"),
        ((3, 4),),
    ),
    Case("tomography, linear", Tomography(np.arange(9) * 22.5, (4, 5), projector="linear"), ((9, 4, 5),)),
    Case("tomography, fan beam", Tomography(np.arange(9) * 40.0, (6, 5), **_FAN), ((6, 5),)),
    Case(
        "tomography, fan beam, strips", Tomography([5.0, 80.0], (5, 6), projector="strip", **_FAN), ((5, 6),)
    ),
    Case(
        "tomography, its own loops",
        Tomography(np.arange(3) * 55.0, (6, 5), stored=False),
        ((6, 5), (2, 6, 5)),
    ),
    Case(
        "tomography, fan beam, for filtered back-projection",
        fbp_factors(Tomography(np.arange(9) * 40.0, (4, 5), stored=False, **_FAN))[0],
        ((4, 5),),
    ),
    Case("projections", _A.parts[0], ((6, 5),)),
]
