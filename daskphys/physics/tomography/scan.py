"""Where source, object and detector are, in the geometry and the words of the ASTRA toolbox."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import MissingDependencyError, ShapeError
from daskphys.physics.matrix import SparseRows
from daskphys.physics.value import Value, value

#: ASTRA's projectors for each geometry.
PROJECTORS = {
    "parallel": {"line": "line", "linear": "linear", "strip": "strip"},
    "fanbeam": {"line": "line_fanflat", "strip": "strip_fanflat"},
}

# ASTRA's objects live in tables of the process.
_ASTRA = threading.Lock()


@value
class Scan(Value):
    """All of a tomograph but its angles; lengths are in one unit, that of `Tomography`."""

    image_shape: tuple[int, int]
    detectors: int
    detector_spacing: float
    pixel_size: float
    geometry: str
    source_distance: float
    detector_distance: float
    projector: str

    @property
    def spacing_at_centre(self) -> float:
        """The distance of neighbouring rays at the centre of rotation."""
        if self.geometry == "parallel":
            return self.detector_spacing
        return self.detector_spacing * self.source_distance / (self.source_distance + self.detector_distance)

    @property
    def places(self) -> np.ndarray:
        """Where the cells are on the detector."""
        return (np.arange(self.detectors) - (self.detectors - 1) / 2) * self.detector_spacing

    def entries(self, angles: np.ndarray) -> int:
        """How many pixels the rays of these angles (degrees) meet, by estimate; a little more than there are.

        A pixel is met by as many rays as its shadow is wide: |cos| + |sin| pixels.  "linear" looks at two pixels a row or
        column, "strip" at all that a strip of the detector's width touches.
        """
        c, s = np.abs(np.cos(np.deg2rad(angles))), np.abs(np.sin(np.deg2rad(angles)))
        rays = self.pixel_size / self.spacing_at_centre
        hit = 2 * np.maximum(c, s) * rays if self.projector == "linear" else (c + s) * rays
        beside = 2 if self.projector == "strip" else 0
        return int(1.2 * float(np.sum(hit + beside)) * math.prod(self.image_shape))

    def rays(self, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A point on each ray and its direction, in x (right) and y (up): shape (angle, detector, 2) each."""
        t = np.deg2rad(angles)[:, None, None]
        along = np.concatenate([np.cos(t), np.sin(t)], -1)
        away = np.concatenate([np.sin(t), -np.cos(t)], -1)  # from the axis to the source
        cells = self.places[:, None] * along - self.detector_distance * away
        if self.geometry == "parallel":
            return cells, np.broadcast_to(-away, cells.shape)
        ray = cells - self.source_distance * away
        return cells, ray / np.linalg.norm(ray, axis=-1, keepdims=True)

    def range_shape(self, owner: object, angles: int, shape: Any) -> Any:
        """The shape of the projections of an image, of which `owner` speaks if it does not fit."""
        return _resized(owner, "an image", shape, self.image_shape, (angles, self.detectors))

    def domain_shape(self, owner: object, angles: int, shape: Any) -> Any:
        """The shape of the image of projections."""
        sizes = (angles, self.detectors)
        return _resized(owner, "projections (angle, detector)", shape, sizes, self.image_shape)

    def depths(self, angles: np.ndarray) -> np.ndarray:
        """The distance of pixels and source along the central ray, divided by that of axis and source: (angle, pixel)."""
        t, (height, width) = np.deg2rad(angles)[:, None, None], self.image_shape
        x = (np.arange(width) - (width - 1) / 2) * self.pixel_size
        y = ((height - 1) / 2 - np.arange(height)[:, None]) * self.pixel_size
        depths = 1 + (y * np.cos(t) - x * np.sin(t)) / self.source_distance
        array: np.ndarray = depths.reshape(len(angles), -1)
        return array

    @contextlib.contextmanager
    def opened(self, angles: np.ndarray) -> Iterator[int]:
        """ASTRA's identifier of the projector of these angles (degrees), in units of a pixel."""
        astra, radians = _astra(), np.deg2rad(angles)
        spacing = self.detector_spacing / self.pixel_size
        if self.geometry == "parallel":
            rays = astra.create_proj_geom("parallel", spacing, self.detectors, radians)
        else:
            distances = (self.source_distance / self.pixel_size, self.detector_distance / self.pixel_size)
            rays = astra.create_proj_geom("fanflat", spacing, self.detectors, radians, *distances)
        kind = PROJECTORS[self.geometry][self.projector]
        with _ASTRA:
            projector = astra.create_projector(kind, rays, astra.create_vol_geom(*self.image_shape))
        try:
            yield projector
        finally:
            with _ASTRA:
                astra.projector.delete(projector)

    def matrix(self, angles: np.ndarray) -> SparseRows:
        """The projections of these angles as a matrix in single precision, as ASTRA computes it."""
        astra = _astra()
        with self.opened(angles) as projector, _ASTRA:
            number = astra.projector.matrix(projector)
            try:
                made = astra.matrix.get(number)
            finally:
                astra.matrix.delete(number)
        # ASTRA computes in single precision, and gives 64 bits.
        data = backend.lock(np.multiply(made.data, self.pixel_size, dtype=np.float32))
        narrow = np.int32 if max(made.nnz, made.shape[1]) < 1 << 31 else np.int64
        columns, starts = (backend.lock(a.astype(narrow)) for a in (made.indices, made.indptr))
        return SparseRows(data, columns, starts, made.shape[1])

    def project(self, angles: np.ndarray, x: np.ndarray, back: bool) -> np.ndarray:
        """Projections of float32 images (…, H, W), or back-projections of (…, angle, detector), by ASTRA itself."""
        astra, sizes = _astra(), (len(angles), self.detectors)
        lead = x.shape[:-2]
        made = np.empty((*lead, *(self.image_shape if back else sizes)), np.float32)
        with self.opened(angles) as projector:
            for i in np.ndindex(lead):
                # ASTRA refuses what may not be written to.
                given = np.require(x[i], requirements=("C", "W"))
                run = astra.projector.direct_BP if back else astra.projector.direct_FP
                run(projector, given, out=made[i])
        made *= np.float32(self.pixel_size)
        return made


def _resized(owner: object, what: str, shape: Any, expected: tuple[int, int], wanted: tuple[int, int]) -> Any:
    if tuple(shape[-2:]) != expected:
        raise ShapeError(f"{owner!r} expected {what} of {expected}, got shape {tuple(shape)}")
    return (*shape[:-2], *wanted)


def _astra() -> Any:
    try:
        import astra
    except ImportError as error:
        raise MissingDependencyError(
            "Tomography needs the ASTRA toolbox: pip install 'daskphys[tomography]'"
        ) from error
    return astra
