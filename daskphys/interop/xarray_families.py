"""The axes of the families whose measurements are no images: k-space, coils, projections, visibilities, rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.interop.xarray_axes import counted, image_names, imaged, measured
from daskphys.interop.xarray_frames import Coords, Frame
from daskphys.physics.matrix import MatrixOperator, Rows
from daskphys.physics.mri.cartesian import MRI
from daskphys.physics.mri.coils import CoilMaps
from daskphys.physics.mri.multicoil import CoilShapes, MultiCoilMRI
from daskphys.physics.mri.noncartesian import NonCartesianMRI
from daskphys.physics.nufft import NUFFT
from daskphys.physics.radio.interferometry import Interferometry
from daskphys.physics.radio.visibilities import Visibilities
from daskphys.physics.tomography.operator import Tomography
from daskphys.physics.tomography.projections import Projections

# -- k-space: frequencies in cycles a unit of the image's coordinate, or a sample ----------------------------------


def _frequency(x: Frame, axis: int, cycles: Any) -> tuple[Any, dict[str, str]]:
    """Frequencies, in cycles a sample, as those of an axis's coordinate, and their unit."""
    step, unit = x.step(axis)
    return cycles / step, {"units": f"1/{unit}"} if unit else {}


def _spectrum(A: Any, x: Frame, ndim: int) -> Frame:
    axes, coords = [], {}
    for axis in range(-ndim, 0):
        name, n = f"k_{x.dims[axis]}", x.shape[axis]
        axes.append((name, n))
        coords[name] = (name, *_frequency(x, axis, np.fft.fftshift(np.fft.fftfreq(n))))
    return x.renewed(A, ndim, axes, coords)


def _image_of(A: Any, y: Frame, ndim: int) -> Frame:
    own = zip(y.dims[-ndim:], y.shape[-ndim:], strict=True)
    return y.renewed(A, ndim, [(str(dim).removeprefix("k_"), n) for dim, n in own], {})


@measured.register
def _(A: MRI, x: Frame) -> Frame:
    return _spectrum(A, x, A.ndim)


@imaged.register
def _(A: MRI, y: Frame) -> Frame:
    return _image_of(A, y, A.ndim)


@measured.register
def _(A: CoilMaps, x: Frame) -> Frame:
    return x.inserted(A, -A.ndim, "coil", int(A.maps.shape[-A.ndim - 1]))


@imaged.register
def _(A: CoilMaps, y: Frame) -> Frame:
    return y.dropped(-A.ndim - 1)


@measured.register
def _(A: CoilShapes, x: Frame) -> Frame:
    seen = _spectrum(A, x, A.ndim).inserted(A, -A.ndim, "coil", A._coils)
    return counted(A, seen) if isinstance(A, MultiCoilMRI) else seen


@imaged.register
def _(A: CoilShapes, y: Frame) -> Frame:
    return _image_of(A, y.dropped(-A.ndim - 1), A.ndim)


@measured.register
def _(A: NUFFT, x: Frame) -> Frame:
    points, ndim = backend.to_numpy(A.points), A.domain_ndim
    coords = {
        f"k_{x.dims[axis]}": ("sample", *_frequency(x, axis, points[:, axis])) for axis in range(-ndim, 0)
    }
    return x.renewed(A, ndim, [("sample", A.samples)], coords)


@imaged.register
def _(A: NUFFT, y: Frame) -> Frame:
    dim = y.dims[-1]
    told = [str(n) for n, c in y.coords.coords.items() if c.dims == (dim,) and str(n).startswith("k_")]
    names = tuple(name.removeprefix("k_") for name in told)
    if len(names) != A.domain_ndim:
        names = image_names(A.domain_ndim)
    return y.renewed(A, 1, list(zip(names, A.image_shape, strict=True)), {})


@measured.register
def _(A: NonCartesianMRI, x: Frame) -> Frame:
    return counted(A, measured(A.trajectory, measured(A._coils, x)))


@imaged.register
def _(A: NonCartesianMRI, y: Frame) -> Any:
    return imaged(A._coils, imaged(A.trajectory, y))


# -- tomography ----------------------------------------------------------------------------------------------------


@measured.register
def _(A: Tomography | Projections, x: Frame) -> Frame:
    n, scan = len(A.angles), A.scan
    coords: Coords = {
        "angle": ("angle", np.asarray(A.angles), {"units": "degrees"}),
        "detector": ("detector", scan.places, {"long_name": "position on the detector"}),
    }
    return x.renewed(A, 2, [("angle", n), ("detector", scan.detectors)], coords)


@imaged.register
def _(A: Tomography | Projections, y: Frame) -> Frame:
    return y.renewed(A, 2, list(zip(image_names(2), A.scan.image_shape, strict=True)), {})


# -- radio: l and m are coordinates beside the axes, so that images still meet others by position ------------------


def _visibilities(A: Any, x: Frame, columns: tuple[int, int, int], positions: Any) -> Frame:
    unit = {"units": "wavelengths" if A.frequencies is None else "m"}
    names = zip(("u", "v", "w"), columns, strict=True)
    here = positions if doors.is_lazy(positions) else backend.to_numpy(positions)
    coords: dict[str, Any] = {name: ("baseline", here[:, column], unit) for name, column in names}
    axes = [("baseline", int(positions.shape[0]))]
    if A.frequencies is not None:
        axes.append(("frequency", int(A.frequencies.shape[0])))
        coords["frequency"] = ("frequency", backend.to_numpy(A.frequencies), {"units": "Hz"})
    return x.renewed(A, 2, axes, coords)


@measured.register
def _(A: Interferometry, x: Frame) -> Frame:
    return counted(A, _visibilities(A, x, (0, 1, 2), A.uvw))


@measured.register
def _(A: Visibilities, x: Frame) -> Frame:
    return _visibilities(A, x, (1, 0, 2), A.points)


@imaged.register
def _(A: Interferometry | Visibilities, y: Frame) -> Frame:
    rows, columns = A.image_shape
    attrs = {"long_name": "direction cosine"}
    coords: Coords = {
        "m": ("y", (np.arange(rows) - rows // 2) * A.cell_size, attrs),
        "l": ("x", (np.arange(columns) - columns // 2) * A.cell_size, attrs),
    }
    return y.renewed(A, A.range.ndim, [("y", rows), ("x", columns)], coords)


# -- matrices ------------------------------------------------------------------------------------------------------


@measured.register
def _(A: MatrixOperator | Rows, x: Frame) -> Frame:
    return x.renewed(A, A.domain.ndim, [("row", int(A.matrix.shape[0]))], {})


@imaged.register
def _(A: MatrixOperator | Rows, y: Frame) -> Frame:
    shape = A._domain_shape(y.shape)
    ndim = A.domain.ndim
    return y.renewed(A, 1, list(zip(image_names(ndim), shape[-ndim:], strict=True)), {})
