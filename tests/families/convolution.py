"""Convolutions that are more than one kernel; the tests of this family try more of them."""

import numpy as np
from case import PADDINGS, Case, blur, kernel

from daskphys.physics import SpaceVaryingBlur

_VARYING = SpaceVaryingBlur(
    np.stack([kernel(3, 4, seed=i) for i in range(3)]), np.random.default_rng(0).random((3, 9, 8))
)
CASES = [
    *(
        Case(
            f"{padding}, one kernel a batch entry",
            blur(padding, 2, channels, 3, 2),
            ((2, 3, 6, 5), (2, 2, 3, 6, 5)),
        )
        for padding in PADDINGS
        for channels in (1, 3)
    ),
    Case("space varying", _VARYING, ((9, 8), (2, 9, 8))),
]
