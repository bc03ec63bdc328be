"""Sensors of different resolutions, masks and channels."""

import numpy as np
from case import Case, blur, kernel

from daskphys.physics import (
    MRI,
    Crop,
    Diagonal,
    Downsampling,
    Inpainting,
    Shift,
    SpectralResponse,
    Upsampling,
    stack,
)
from daskphys.physics.downsampling import Decimation

_FRAMES = [
    Downsampling(kernel(3, 3, seed=i), 2) @ blur("circular", 2, 3, seed=i) @ Shift(s)
    for i, s in enumerate([(0, 0), (0.5, 0), (0, -0.75), (1, 2), (1.25, 0.5)])
]
_SEEN = np.arange(48).reshape(8, 6) % 3 > 0
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
    Case("shift, whole", Shift((2, -3)), ((8, 9), (2, 7, 6))),
    Case("shift, parts", Shift((0.5, -1.3)), ((8, 9), (2, 7, 6))),
    Case("shift, 1-D", Shift([2.25]), ((8,), (2, 7))),
    Case("shift, 3-D", Shift((1, 0.5, -2)), ((4, 5, 6),)),
    *(
        Case(f"shift, {padding}", Shift((2, -3), padding), ((8, 9), (2, 5, 6)))
        for padding in ("replicate", "reflect")
    ),
    Case("shifts and a blur", stack(Shift((0.5, 0)), Shift((0, 1)), blur("circular", 3, 2)), ((8, 9),)),
    Case("super-resolution, merged", stack(*_FRAMES), ((8, 12), (2, 6, 10))),
    Case("super-resolution, per channel", stack(*_FRAMES[1:]) @ blur("circular", 2, 3, 3), ((2, 6, 8),)),
    Case("super-resolution, factor 3", _FRAMES[1] @ Decimation(3), ((12, 18),)),
    Case("super-resolution, then a blur", blur("circular", 2, 3) @ _FRAMES[1], ((8, 12),)),
    Case("super-resolution, 3-D", Decimation(2, 3) @ blur("circular", 2, 3, 2, ndim=3), ((4, 6, 4),)),
    Case("super-resolution, 1-D", Decimation(3, 1) @ Shift([0.5]), ((9,), (2, 6))),
    Case("frames, a blur and a mask", stack(*_FRAMES, blur("circular", 2, 2), Diagonal(2.0)), ((8, 8),)),
    Case("k-space after a blur", MRI(_SEEN) @ blur("circular", 2, 3), ((8, 6), (2, 8, 6))),
    Case("a complex multiple after a blur", 1j * blur("circular", 3, 2) @ blur("circular", 2, 3), ((8, 6),)),
    Case("aliased multiplier", stack(*_FRAMES).normal((8, 6)), ((8, 6), (2, 8, 6))),
    Case(
        "super-resolution",
        stack(*[Downsampling(kernel(3, 3, seed=i), 2) @ blur("circular", 2, 3, seed=i) for i in range(3)]),
        ((6, 8), (2, 6, 8)),
    ),
]
