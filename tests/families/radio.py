"""Visibilities."""

import numpy as np
from case import REALS, Case

from daskphys.physics import Interferometry
from daskphys.physics.radio import Visibilities

_CELL = 2e-3
_rng = np.random.default_rng(0)
_UVW = _rng.uniform(-0.5, 0.5, (40, 3)) / _CELL
_FLAT = _UVW * [1, 1, 0]
_HERTZ = np.array([1.0e9, 1.2e9])
_METRES = _UVW * 0.2

CASES = [
    Case("visibilities", Visibilities(_UVW, _CELL, (8, 9), wterm=False), ((8, 9), (2, 8, 9)), REALS),
    *(
        Case(f"interferometry, {name}", operator, shapes, REALS)
        for name, operator, shapes in (
            ("with w", Interferometry(_UVW, _CELL, (32, 30)), ((2, 32, 30),)),
            ("without w", Interferometry(_FLAT, _CELL, (8, 9), weights=_rng.random(40)), ((8, 9), (2, 8, 9))),
            ("channels", Interferometry(_METRES, _CELL, (8, 9), _HERTZ, _rng.random((40, 2))), ((2, 8, 9),)),
            ("channels, no w", Interferometry(_METRES, _CELL, (8, 9), _HERTZ, wterm=False), ((8, 9),)),
        )
    ),
]
