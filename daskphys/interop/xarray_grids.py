"""Coordinates that an operator cannot take: of axes along which it knows neighbours."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from daskphys.distributed.sensors import Distributed
from daskphys.errors import DaskphysWarning, ParameterError, warn
from daskphys.interop.tiling import sensors_of
from daskphys.interop.xarray_frames import Frame, direction, even_step, has_places
from daskphys.physics.base import Adjoint, PseudoInverse
from daskphys.physics.blur import Blur
from daskphys.physics.downsampling import Downsampling, Upsampling
from daskphys.physics.mri.cartesian import MRI
from daskphys.physics.mri.multicoil import CoilShapes
from daskphys.physics.mri.noncartesian import NonCartesianMRI
from daskphys.physics.normal import AliasedMultiplier, CentredMultiplier, FourierMultiplier, Toeplitz
from daskphys.physics.nufft import NUFFT
from daskphys.physics.physics import Physics
from daskphys.physics.radio.interferometry import Interferometry
from daskphys.physics.shift import Shift
from daskphys.physics.space_varying import SpaceVaryingBlur
from daskphys.physics.tomography.operator import Tomography


@functools.singledispatch
def grid_ndim(A: Any) -> int:
    """Along how many of an image's last axes A takes neighbouring samples for neighbours in space.

    Masks, matrices, mixtures of channels and functions of the user's own do not, or do not say.
    """
    made_of = A._made_of() if isinstance(A, Physics) else ()
    return max(map(grid_ndim, made_of), default=0)


@grid_ndim.register
def _(A: Distributed) -> int:
    return max(map(grid_ndim, sensors_of(A)))


@grid_ndim.register
def _(A: Adjoint | PseudoInverse) -> int:
    return 0  # what they take is a measurement


@grid_ndim.register
def _(A: Blur) -> int:
    return len(A.kernel_shape)


@grid_ndim.register
def _(A: Downsampling | Upsampling) -> int:
    return 0 if A.filter is None else 2


@grid_ndim.register
def _(A: Interferometry | Tomography) -> int:
    return 2


@grid_ndim.register
def _(A: NUFFT) -> int:
    return A.domain_ndim


@grid_ndim.register
def _(A: NonCartesianMRI) -> int:
    return grid_ndim(A.trajectory)


@grid_ndim.register
def _(A: MRI | CoilShapes | SpaceVaryingBlur | CentredMultiplier) -> int:
    return A.ndim


@grid_ndim.register
def _(A: FourierMultiplier | Toeplitz | AliasedMultiplier) -> int:
    return len(A.sizes)


@grid_ndim.register
def _(A: Shift) -> int:
    return len(A.shift)


def check_grid(A: Any, x: Frame) -> None:
    """Refuse an image whose coordinates go up and down, or stand still, where neighbours are neighbours to A.

    Of a grid that is not even it warns: on a map of the earth, say, a kernel in samples may well be what is meant.
    """
    for axis in range(-min(grid_ndim(A), len(x.dims)), 0):
        known = x.coord(x.dims[axis])
        if not has_places(known):
            continue
        check_direction(A, known)
        if even_step(known.values) is None:
            warn(
                f"{A!r} takes all steps of the coordinate {x.dims[axis]!r} for one length, and they differ: interpolate to an "
                f"even grid, as in x.interp({x.dims[axis]}=…), or leave the coordinate out, as in "
                f"x.drop_vars({x.dims[axis]!r}), to mean samples by their order",
                DaskphysWarning,
            )


def check_direction(A: Any, coord: Any) -> None:
    """Refuse a coordinate that goes up and down, or stands still."""
    if direction(coord):
        return
    values, name = coord.values, coord.name
    twice = len(np.unique(values)) < len(values)
    mend = f"drop_duplicates({name!r})" if twice else f"sortby({name!r})"
    raise ParameterError(
        f"{A!r} expected the coordinate {name!r} to go up or down throughout, for neighbouring samples are "
        f"neighbours to it, got {'the same place twice' if twice else 'places in another order'}: mend it, as in x.{mend}, "
        f"or leave it out, as in x.drop_vars({name!r}), to mean samples by their order"
    )
