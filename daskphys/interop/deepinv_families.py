"""Families of deepinv that this package has too: the same numbers, from its own operators.

Each function gives the operator, or None where the parameters go beyond the family; then the physics is taken as it is.  A
class that only derives from one of these may do something else, so the class itself decides.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from daskphys.errors import ParameterError
from daskphys.physics import (
    MRI,
    Blur,
    Downsampling,
    Identity,
    Inpainting,
    LinearPhysics,
    MultiCoilMRI,
    SpaceVaryingBlur,
    SpectralResponse,
    Upsampling,
)

#: Borders that this package has; deepinv has zeros besides.
PADDINGS = ("circular", "valid", "replicate", "reflect")

#: Families whose images are complex here, and two real channels in deepinv.
COMPLEX = ("MRI", "DynamicMRI", "MultiCoilMRI")


def native(physics: Any) -> LinearPhysics | None:
    """The operator of this package that a physics is; None where there is none."""
    if {"A", "A_adjoint"} & vars(physics).keys():
        return None  # its own functions, in place of those of its class
    kind = type(physics)
    make = _FAMILIES.get(f"{kind.__module__.removeprefix('deepinv.physics.')}.{kind.__name__}")
    return None if make is None else make(physics)


def _given(physics: Any, name: str) -> Any:
    """A parameter that deepinv also takes at a call."""
    tensor = getattr(physics, name)
    if tensor is None:
        raise ParameterError(
            f"from_deepinv expected a physics with its parameters, got {type(physics).__name__} whose {name} is None: "
            f"physics.update({name}=…) first"
        )
    return tensor


def _blur(physics: Any) -> LinearPhysics | None:
    if physics.padding not in PADDINGS:
        return None
    return Blur(_given(physics, "filter"), physics.padding)


def _blur_fft(physics: Any) -> LinearPhysics:
    kernel = _given(physics, "filter")
    alike = bool((kernel == kernel[:, :1]).all())  # deepinv repeats one kernel for each channel
    return Blur(kernel[:, :1] if alike else kernel, "circular")


def _sampling(make: Any) -> Callable[[Any], LinearPhysics | None]:
    def of(physics: Any) -> LinearPhysics | None:
        if physics.padding not in PADDINGS:
            return None
        kernel = None if physics.filter is None else physics.filter
        sizes = None if physics.imsize is None else tuple(physics.imsize[-2:])
        made: LinearPhysics = make(kernel, physics.factor, physics.padding, sizes)
        return made

    return of


def _space_varying(physics: Any) -> LinearPhysics | None:
    if not physics.mask_first or physics.padding not in PADDINGS:
        return None
    return SpaceVaryingBlur(_given(physics, "filters"), _given(physics, "multipliers"), physics.padding)


def _inpainting(physics: Any) -> LinearPhysics | None:
    mask = _given(physics, "mask")
    return Inpainting(mask) if mask.ndim >= 4 and 1 not in mask.shape[-2:] else None


def _denoising(physics: Any) -> LinearPhysics | None:
    return Identity(physics.mask.item()) if physics.mask.numel() == 1 else None


def _decolorize(physics: Any) -> LinearPhysics:
    return SpectralResponse(physics.srf.reshape(1, -1))


def _kspace_mask(physics: Any) -> Any:
    """The mask of a complex number, where deepinv has one of each of its two parts; None where they differ."""
    mask = _given(physics, "mask")
    same = mask.shape[1] == 1 or bool((mask[:, 0] == mask[:, 1]).all())
    return mask[:, 0] if same else None


def _mri(physics: Any) -> LinearPhysics | None:
    mask = _kspace_mask(physics)
    return None if mask is None else MRI(mask, 3 if physics.three_d else 2)


def _multicoil(physics: Any) -> LinearPhysics | None:
    mask = _kspace_mask(physics)
    if mask is None:
        return None
    return MultiCoilMRI(_given(physics, "coil_maps"), mask, 3 if physics.three_d else 2)


def _composed(physics: Any) -> LinearPhysics | None:
    """The product of the factors, of which the first in deepinv's list is the first to act."""
    factors = list(physics.physics_list)
    if any(type(factor).__name__ in COMPLEX for factor in factors):
        return None
    made = [native(factor) for factor in reversed(factors)]
    return None if None in made else functools.reduce(operator.matmul, made)


_FAMILIES: dict[str, Callable[[Any], LinearPhysics | None]] = {
    "blur.Blur": _blur,
    "blur.BlurFFT": _blur_fft,
    "blur.Downsampling": _sampling(Downsampling),
    "blur.Upsampling": _sampling(Upsampling),
    "blur.SpaceVaryingBlur": _space_varying,
    "forward.ComposedLinearPhysics": _composed,
    "forward.Denoising": _denoising,
    "inpainting.Inpainting": _inpainting,
    "inpainting.Demosaicing": _inpainting,
    "mri.MRI": _mri,
    "mri.DynamicMRI": _mri,
    "mri.MultiCoilMRI": _multicoil,
    "range.Decolorize": _decolorize,
}
