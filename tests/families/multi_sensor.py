"""Sensors of different resolutions, masks and channels."""

import numpy as np
from case import Case, blur, kernel

from daskphys.physics import Crop, Downsampling, Inpainting, SpectralResponse, Upsampling, stack
from daskphys.physics.downsampling import Decimation

CASES = [
    *(
        Case(f"downsampling, {name}", Downsampling(name, 2), ((16, 18), (2, 18, 16)))
        for name in ("bilinear", "bicubic")
    ),
    Case("downsampling, no filter", Downsampling(None, 3), ((6, 9), (2, 3, 6))),
    Case("downsampling, reflect", Downsampling(kernel(3, 4), 3, "reflect"), ((6, 9), (2, 9, 6))),
    Case("downsampling, valid", Downsampling(kernel(3, 4), 2, "valid"), ((8, 9), (2, 6, 7))),
    Case(
        "downsampling, of odd sizes", Downsampling(kernel(3, 2), 2, "replicate", (7, 9)), ((7, 9), (2, 7, 9))
    ),
    Case(
        "downsampling, valid, of any sizes",
        Downsampling(kernel(3, 2), 3, "valid", (9, 7)),
        ((9, 7), (2, 9, 7)),
    ),
    Case("downsampling, per channel", Downsampling(kernel(2, 3, 2), 2), ((2, 6, 4), (3, 2, 6, 4))),
    Case("upsampling", Upsampling(kernel(3, 4), 2), ((3, 4), (2, 4, 5))),
    Case("upsampling, of odd sizes", Upsampling(kernel(3, 2), 2, "reflect", (7, 5)), ((4, 3), (2, 4, 3))),
    Case("decimation, 1-D", Decimation(3, 1, (7,)), ((7,), (2, 7))),
    Case("inpainting", Inpainting(np.arange(72).reshape(8, 9) % 3 > 0), ((8, 9), (2, 8, 9))),
    Case(
        "inpainting, per channel",
        Inpainting(np.arange(90).reshape(2, 5, 9) % 4 > 0),
        ((2, 5, 9), (3, 2, 5, 9)),
    ),
    Case("crop", Crop((1, 0), (5, 7), (8, 9)), ((8, 9), (2, 8, 9))),
    Case("crop, 3-D", Crop((1, 0, 2), (2, 4, 5), (3, 4, 6)), ((3, 4, 6),)),
    Case("spectral response", SpectralResponse(np.arange(1.0, 7).reshape(2, 3)), ((3, 5, 4), (2, 3, 4, 5))),
    Case("spectral response, grey", SpectralResponse([[0.299, 0.587, 0.114]]), ((3, 5, 4),)),
    Case(
        "super-resolution",
        stack(*[Downsampling(kernel(3, 3, seed=i), 2) @ blur("circular", 2, 3, seed=i) for i in range(3)]),
        ((6, 8), (2, 6, 8)),
    ),
]
