"""What operators make of an array's axes: the names and coordinates of a measurement, and of the image of one.

An operator of one's own says it by `measured.register` and `imaged.register`; one that samples its image's axes by
`samples.register` alone.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from daskphys.interop.xarray_frames import Frame
from daskphys.interop.xarray_sensors import SENSOR
from daskphys.physics.axes import Selection, Squeeze
from daskphys.physics.blur import Blur
from daskphys.physics.downsampling import Decimation, Downsampling, Upsampling
from daskphys.physics.inpainting import Crop
from daskphys.physics.parts import Joined
from daskphys.physics.space_varying import SpaceVaryingBlur
from daskphys.physics.spectral_response import SpectralResponse

#: Which samples of an image's axes (negative numbers) are those of the measurement's axes.
Samples = dict[int, slice]

# What an image's axes are called where nothing tells.
_IMAGE = ("z", "y", "x")


@functools.singledispatch
def measured(A: Any, x: Any) -> Any:
    """The axes of A x (of a stack one `Frame` a sensor), where those of x are `x`."""
    found = samples(A, x.shape)
    if found is not None:
        for axis, own in found.items():
            x = x.taken(axis, own)
        return x
    shape = A._range_shape(x.shape)
    return _like(A, x, shape, A.domain.ndim, tuple(f"measurement_{i}" for i in range(A.range.ndim)))


@functools.singledispatch
def imaged(A: Any, y: Any) -> Any:
    """The axes of Aᴴ y, where those of y are `y` (of a stack one `Frame` a sensor)."""
    shape = A._domain_shape(y.shape)
    found = samples(A, shape)
    if found is not None:
        for axis, own in found.items():
            y = y.spread(axis, own, shape[axis])
        return y
    return _like(A, y, shape, A.range.ndim, image_names(A.domain.ndim))


def image_names(ndim: int) -> tuple[str, ...]:
    """What an image's axes are called where nothing tells."""
    return _IMAGE[len(_IMAGE) - ndim :] if ndim <= len(_IMAGE) else tuple(f"axis_{i}" for i in range(ndim))


def _like(A: Any, frame: Frame, shape: tuple[int, ...], ndim: int, names: tuple[str, ...]) -> Frame:
    """Axes of an operator of which nothing is known but shapes: what keeps its size keeps its place."""
    own = len(names)
    if own == ndim + 1 and shape[len(shape) - ndim :] == frame.shape[len(frame.shape) - ndim :]:
        return frame.inserted(A, -ndim, SENSOR, shape[-own])
    if own == ndim - 1 and shape[len(shape) - own :] == frame.shape[len(frame.shape) - own :]:
        return frame.dropped(-ndim)
    if own != ndim:
        return frame.renewed(A, ndim, tuple(zip(names, shape[len(shape) - own :], strict=True)), {})
    for axis in range(-ndim, 0):
        if shape[axis] != frame.shape[axis]:
            frame = frame.resized(axis, shape[axis])
    return frame


# -- operators that take some of their image's samples -----------------------------------------------------------


@functools.singledispatch
def samples(A: Any, shape: tuple[int, ...]) -> Samples | None:
    """Which samples of an image of `shape` lie where those of A x do; None where A has no such rule."""
    return None


@samples.register
def _(A: Blur, shape: tuple[int, ...]) -> Samples:
    # The kernel's centre is its sample n // 2.
    inside = A._reach if A.padding == "valid" else ()
    axes = range(-len(inside), 0)
    return {axis: slice(a, shape[axis] - b) for axis, (a, b) in zip(axes, inside, strict=True)}


@samples.register
def _(A: SpaceVaryingBlur, shape: tuple[int, ...]) -> Samples | None:
    return samples(A._blurs[0], shape)


@samples.register
def _(A: Decimation, shape: tuple[int, ...]) -> Samples:
    return {axis: slice(0, shape[axis], A.factor) for axis in range(-A.ndim, 0)}


@samples.register
def _(A: Crop, shape: tuple[int, ...]) -> Samples:
    return {axis: slice(A.start[axis], A.stop[axis]) for axis in range(-len(A.start), 0)}


@samples.register
def _(A: Selection, shape: tuple[int, ...]) -> Samples:
    return {-A.ndim: slice(A.start, A.stop)}


@measured.register
def _(A: Downsampling, x: Frame) -> Any:
    return measured(A._product, x)


@imaged.register
def _(A: Downsampling, y: Frame) -> Any:
    return imaged(A._product, y)


@measured.register
def _(A: Upsampling, x: Frame) -> Any:
    return imaged(A._down, x)


@imaged.register
def _(A: Upsampling, y: Frame) -> Any:
    return measured(A._down, y)


@measured.register
def _(A: SpectralResponse, x: Frame) -> Frame:
    return x.resized(-3, A.response.shape[0])  # a mixture is at no channel's wavelength


@imaged.register
def _(A: SpectralResponse, y: Frame) -> Frame:
    return y.resized(-3, A.response.shape[1])


@measured.register
def _(A: Squeeze, x: Frame) -> Frame:
    return x.first(-A.ndim)


@imaged.register
def _(A: Squeeze, y: Frame) -> Frame:
    return y.inserted(A, -A.range_ndim, "squeezed", 1)


# -- operators with a sensor axis of their own -------------------------------------------------------------------


def counted(A: Joined, frame: Frame) -> Frame:
    """With the sensors' numbers on their axis, where it has no coordinate of its own."""
    name = frame.dims[A.sensor_axis]
    return frame if name in frame.coords.coords else frame.also({name: (name, np.arange(len(A)), {})})


@measured.register
def _(A: Joined, x: Frame) -> Frame:
    names = tuple(f"measurement_{i}" for i in range(A.range.ndim))
    frame = _like(A, x, A._range_shape(x.shape), A.domain.ndim, names)
    return counted(A, frame) if frame.dims[A.sensor_axis] == SENSOR else frame


def joined(A: Joined, parts: Any) -> Frame:
    """The axes of all parts, one after another along the sensor axis."""
    axis = A.sensor_axis
    whole, dim = parts[0].resized(axis, len(A)), parts[0].dims[axis]
    along = {
        name: coord
        for name, coord in parts[0].coords.coords.items()
        if coord.dims == (dim,) and all(name in part.coords.coords for part in parts)
    }
    made = {
        name: (dim, np.concatenate([part.coords[name].values for part in parts]), coord.attrs)
        for name, coord in along.items()
    }
    return counted(A, whole.also(made))


def parted(A: Joined, y: Frame) -> tuple[Frame, ...]:
    """The axes of the measurement of each part."""
    return tuple(y.taken(A.sensor_axis, slice(*bound)) for bound in A.bounds)
