"""The families of deepinv that operators are made of: how to make each, the shape of its images, and what it is here.

Imported where deepinv is; `tests/interop/test_deepinv.py` and `benchmarks/check_deepinv.py` go through all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from deepinv import physics as theirs

torch.manual_seed(0)
KERNEL, COLOURS = torch.rand(1, 1, 4, 5), torch.rand(1, 3, 3, 3)
SIZE = (3, 16, 18)
MASK = (torch.rand(16, 18) > 0.5).float()
MAPS = torch.randn(1, 4, 16, 18, dtype=torch.complex64)
WEIGHTS = torch.rand(1, 1, 2, 16, 18)


class Family(NamedTuple):
    make: Callable[[], Any]
    shape: tuple[int, ...]
    #: The class of its operator here; None where it is taken as it is.
    ours: str | None
    #: Whether its images are complex here, and two real channels in deepinv.
    complex_channels: bool = False


def blur(kernel: torch.Tensor = KERNEL, **options: Any) -> Callable[[], Any]:
    return lambda: theirs.Blur(kernel, **options)


FAMILIES: dict[str, Family] = {
    **{
        f"blur, {p}": Family(blur(padding=p), SIZE, "Blur")
        for p in ("valid", "circular", "replicate", "reflect")
    },
    "blur, FFT": Family(blur(padding="circular", use_fft=True), SIZE, "Blur"),
    "blur of channels": Family(blur(COLOURS, padding="valid"), SIZE, "Blur"),
    "blur of volumes": Family(blur(torch.rand(1, 1, 3, 4, 5), padding="circular"), (2, 6, 7, 8), "Blur"),
    "BlurFFT": Family(lambda: theirs.BlurFFT(SIZE, KERNEL), SIZE, "Blur"),
    **{
        f"downsampling, {name}": Family(
            lambda name=name: theirs.Downsampling(filter=name, factor=2), SIZE, "Downsampling"
        )
        for name in ("gaussian", "bilinear", "bicubic", "sinc", None)
    },
    "downsampling, valid": Family(
        lambda: theirs.Downsampling(SIZE, filter=KERNEL, factor=2, padding="valid"), SIZE, "Downsampling"
    ),
    "downsampling of odd sizes": Family(
        lambda: theirs.Downsampling((3, 17, 19), filter=None, factor=3), (3, 17, 19), "Downsampling"
    ),
    "upsampling": Family(
        lambda: theirs.Upsampling(SIZE, filter="bicubic", factor=2), (3, 8, 9), "Upsampling"
    ),
    "blur over the field": Family(
        lambda: theirs.SpaceVaryingBlur(torch.rand(1, 1, 2, 3, 4), WEIGHTS, padding="valid"),
        SIZE,
        "SpaceVaryingBlur",
    ),
    "inpainting": Family(lambda: theirs.Inpainting(SIZE, mask=0.5), SIZE, "Inpainting"),
    "demosaicing": Family(lambda: theirs.Demosaicing((16, 18)), SIZE, "Inpainting"),
    "decolorize": Family(theirs.Decolorize, SIZE, "SpectralResponse"),
    "denoising": Family(lambda: theirs.Denoising(theirs.ZeroNoise()), SIZE, "Identity"),
    "MRI": Family(lambda: theirs.MRI(MASK), (2, 16, 18), "MRI", True),
    "MRI of volumes": Family(
        lambda: theirs.MRI(torch.rand(5, 6, 7).round().expand(1, 2, 5, 6, 7), three_d=True),
        (2, 5, 6, 7),
        "MRI",
        True,
    ),
    "MRI of frames": Family(
        lambda: theirs.DynamicMRI(torch.rand(5, 16, 18).round()), (2, 5, 16, 18), "MRI", True
    ),
    "MRI of coils": Family(lambda: theirs.MultiCoilMRI(MASK, MAPS), (2, 16, 18), "MultiCoilMRI", True),
    "product": Family(
        lambda: theirs.Blur(KERNEL, padding="valid") * theirs.Blur(COLOURS, padding="circular"),
        SIZE,
        "Composed",
    ),
    "pansharpening": Family(lambda: theirs.Pansharpen((3, 16, 16)), (3, 16, 16), "StackedPhysics"),
    "stack": Family(
        lambda: theirs.stack(theirs.Blur(KERNEL, padding="valid"), theirs.Decolorize()),
        SIZE,
        "StackedPhysics",
    ),
    "weights after the blur": Family(
        lambda: theirs.SpaceVaryingBlur(
            torch.rand(1, 1, 2, 3, 4), WEIGHTS, padding="circular", mask_first=False
        ),
        SIZE,
        None,
    ),
    "tomography": Family(lambda: theirs.Tomography(7, 16, normalize=True), (1, 16, 16), None),
    "fan beam": Family(lambda: theirs.Tomography(7, 16, normalize=False, fan_beam=True), (1, 16, 16), None),
    "compressed sensing": Family(lambda: theirs.CompressedSensing(20, (1, 8, 8)), (1, 8, 8), None),
    "single pixel": Family(lambda: theirs.SinglePixelCamera(20, (1, 8, 8)), (1, 8, 8), None),
    "structured": Family(lambda: theirs.StructuredRandom((1, 8, 8), (1, 8, 8)), (1, 8, 8), None),
    "unmixing": Family(lambda: theirs.HyperSpectralUnmixing(torch.rand(2, 3)), (2, 8, 8), None),
    "tiles": Family(
        lambda: theirs.TiledSpaceVaryingBlur(torch.rand(1, 1, 9, 3, 3), patch_size=8, stride=4),
        (1, 16, 16),
        None,
    ),
    "a function": Family(
        lambda: theirs.LinearPhysics(
            A=lambda x, **_: x.roll(1, -1) * KERNEL.sum(),
            A_adjoint=lambda y, **_: y.roll(-1, -1) * KERNEL.sum(),
        ),
        SIZE,
        None,
    ),
}
