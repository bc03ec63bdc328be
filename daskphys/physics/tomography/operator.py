"""Computed tomography: line integrals of an image at several angles."""

from __future__ import annotations

import functools
import math
import numbers
from typing import Any, Self

import numpy as np

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError, nearest
from daskphys.markup import counted
from daskphys.physics.base import LinearPhysics
from daskphys.physics.checks import is_count
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.tomography.projections import Projections
from daskphys.physics.tomography.scan import PROJECTORS, Scan
from daskphys.physics.value import value

#: Pixels that rays meet, as estimated, up to which the matrix is kept by default: with 8 bytes each in single precision
#: and 12 in double it is within the bound of `physics.cache`.
MOST_ENTRIES = 5 << 24

#: Degrees on each side of a fan up to which ASTRA's strips are within a percent of the truth (measured: 0.9 % off at 25°,
#: 4.4 % at 40°; beyond, near 45° between the axes of the image, its loop does not end).
WIDEST_STRIPS = 25


@value
class Tomography(JoinedPhysics):
    """``y[a, d]``: the integral of the image along the ray of angle a to detector cell d.

    The image lies centred on the axis of rotation, row 0 at the top; with x to the right and y up, the ray of a
    parallel beam at angle θ is the line ``x cos θ + y sin θ = s``, where s is the cell's place on the detector,
    ``(d − (detectors − 1) / 2) detector_spacing``.  So at 0° the projection is the sum over rows.  For a fan beam the
    source is at ``source_distance (sin θ, −cos θ)``, and the flat detector on the other side.  These are the conventions
    of the ASTRA toolbox, and those of `skimage.transform.radon` for images of odd sizes.

    Leading axes broadcast: a volume of slices, (Z, H, W), gives (Z, angle, detector).

    Parameters
    ----------
    angles : array, shape (N,)
        Angles in degrees; the sensor axis.
    image_shape : (int, int)
        Height and width of the image.
    detectors : int, optional
        Cells of the detector; by default as many as see the whole image at every angle.
    detector_spacing : float, optional
        Distance of neighbouring cells, in the unit of `pixel_size`; by default such that rays are one pixel apart on the
        axis of rotation.
    pixel_size : float
        Side of a pixel; integrals are in its unit.
    geometry : {"parallel", "fanbeam"}
        Parallel rays, or rays from a point to a flat detector.
    source_distance, detector_distance : float, optional
        Of the fan beam: from the axis of rotation to source and detector, in the unit of `pixel_size`.
    projector : {"line", "linear", "strip"}
        "line": lengths of intersection with pixels (Siddon); "linear", for parallel beams: interpolation between pixels'
        centres (Joseph); "strip": areas of intersection with a strip as wide as a cell; for fans of at most 25° on each side.
    stored : bool, optional
        True: the projector is kept as a sparse matrix, exact in single and double precision.  False: ASTRA's own loops run
        at each product; they compute in single precision, and a product in double makes the matrix anew, which takes
        long.  By default a matrix where it takes at most about 640 MiB in single precision (512² at 200 angles).
        A process keeps 1 GiB in all; what is beyond is made anew at each product.

    Raises
    ------
    ParameterError
        No angles, or NaN among them; a size, distance or name that does not exist; a source within the image's circle; a fan
        too wide for strips.
    ShapeError
        `angles` has not one axis; the image or the projections have other sizes.
    MissingDependencyError
        The ASTRA toolbox is not installed (at the first product).

    Notes
    -----
    The adjoint is the transpose of the same matrix (Aᵀ of ASTRA's loops agrees with their A to rounding).  ASTRA's
    projectors for CUDA are not offered, as their two directions are not each other's transpose: on a GPU the matrix is
    multiplied by cuSPARSE.  AᵀA does not merge; `A_dagger` and `tikhonov` iterate, `fbp` is direct.

    Source: W. van Aarle et al., "Fast and flexible X-ray tomography using the ASTRA toolbox", Optics Express 24 (2016).

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("astra")
    >>> from daskphys.physics import Tomography
    >>> A = Tomography([0.0, 90.0], (2, 3), detectors=3)
    >>> A(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]))[0]
    array([11., 22., 33.])
    >>> len(A), A[1:].angles, A.A_adjoint(np.ones((4, 2, 3))).shape
    (2, array([90.]), (4, 2, 3))
    """

    angles: Any
    image_shape: tuple[int, int]
    detectors: Any = None
    detector_spacing: Any = None
    pixel_size: float = 1.0
    geometry: str = "parallel"
    source_distance: Any = None
    detector_distance: Any = None
    projector: str = "line"
    stored: Any = None

    sensor_fields = {"angles": -1}  # noqa: RUF012
    sensors_a_part = 8

    def __post_init__(self) -> None:
        angles = backend.to_numpy(backend.as_parameter(doors.to_core(self.angles), "Tomography", "angles"))
        if angles.ndim != 1:
            raise ShapeError(f"Tomography expected angles of shape (N,), in degrees, got {angles.shape}")
        if not len(angles) or backend.is_complex(angles) or not np.isfinite(angles).all():
            raise ParameterError(
                f"Tomography expected at least one angle, each a finite real number of degrees, got {_listed(angles)}"
            )
        if self.geometry not in PROJECTORS:
            raise ParameterError(
                f"Tomography expected another geometry, got {self.geometry!r}: {nearest(str(self.geometry), PROJECTORS)}"
            )
        if self.projector not in (known := PROJECTORS[self.geometry]):
            raise ParameterError(
                f"Tomography expected another projector for geometry={self.geometry!r}, got {self.projector!r}: "
                f"{nearest(str(self.projector), known)}"
            )
        sizes = self.image_shape
        if not isinstance(sizes, tuple | list) or len(sizes) != 2 or not all(map(is_count, sizes)):
            raise ParameterError(
                f"Tomography expected image_shape as two positive integers (height, width), got {sizes!r}"
            )
        made = {"angles": angles, "image_shape": tuple(int(n) for n in sizes)}
        made["pixel_size"] = _length("pixel_size", self.pixel_size)
        self.__dict__.update(made)
        self.__dict__.update(self._distances())
        self.__dict__.update(self._detector())
        self._check_fan()
        if self.stored is None:
            self.__dict__["stored"] = self.scan.entries(angles) <= MOST_ENTRIES
        elif not isinstance(self.stored, bool):
            raise ParameterError(f"Tomography expected stored as True, False or None, got {self.stored!r}")

    @property
    def _radius(self) -> float:
        """That of the circle around the image."""
        return self.pixel_size * math.hypot(*self.image_shape) / 2

    def _distances(self) -> dict[str, Any]:
        names = ("source_distance", "detector_distance")
        given = {name: getattr(self, name) for name in names}
        if self.geometry == "parallel":
            if any(d is not None for d in given.values()):
                raise ParameterError(
                    f'Tomography expected distances for geometry="fanbeam" alone, got {given} for parallel rays'
                )
            return {}
        if any(d is None for d in given.values()):
            raise ParameterError(
                f'Tomography expected {" and ".join(names)} for geometry="fanbeam", got {given}'
            )
        made = {"source_distance": _length("source_distance", self.source_distance)}
        made["detector_distance"] = _length("detector_distance", self.detector_distance, least=0.0)
        if made["source_distance"] <= self._radius:
            raise ParameterError(
                f"Tomography expected a source outside the circle around the image, whose radius is {self._radius:g}, got "
                f"source_distance={self.source_distance}"
            )
        return made

    def _detector(self) -> dict[str, Any]:
        fan = self.geometry == "fanbeam"
        enlarged = 1 + self.detector_distance / self.source_distance if fan else 1.0
        spacing = self.detector_spacing
        spacing = self.pixel_size * enlarged if spacing is None else _length("detector_spacing", spacing)
        detectors = self.detectors
        if detectors is None:
            width = self._radius
            if fan:  # the shadow of the circle
                width /= math.sqrt(1 - (self._radius / self.source_distance) ** 2)
            detectors = math.ceil(2 * width * enlarged / spacing - 1e-9)
        elif not is_count(detectors):
            raise ParameterError(f"Tomography expected detectors as a positive integer, got {detectors!r}")
        return {"detector_spacing": spacing, "detectors": int(detectors)}

    def _check_fan(self) -> None:
        if self.geometry == "parallel" or self.projector != "strip":
            return
        width = self.detectors * self.detector_spacing
        side = math.degrees(math.atan(width / 2 / (self.source_distance + self.detector_distance)))
        if side > WIDEST_STRIPS:
            raise ParameterError(
                f'Tomography expected a fan of at most {WIDEST_STRIPS}° on each side for projector="strip", got {side:.1f}°: '
                f'ASTRA\'s strips are wrong in wide fans; take "line", or a detector of fewer cells'
            )

    @functools.cached_property
    def scan(self) -> Scan:
        """All of it but its angles."""
        return Scan(
            self.image_shape,
            self.detectors,
            self.detector_spacing,
            self.pixel_size,
            self.geometry,
            self.source_distance or 0.0,
            self.detector_distance or 0.0,
            self.projector,
        )

    def to(self, device: Any) -> Self:
        """Itself: angles stay in memory, and matrices go where images are."""
        backend.parse_device(device)
        return self

    def _together(self) -> LinearPhysics:
        return Projections(self.angles, self.scan, self.stored)

    def _range_shape(self, shape: Any) -> Any:
        return self.scan.range_shape(self, len(self), shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self.scan.domain_shape(self, len(self), shape)

    def _summary(self) -> str:
        sizes = "×".join(map(str, self.image_shape))
        return f"{counted(len(self), 'angle')} of {sizes}, {counted(self.detectors, 'detector')}, {self.geometry}"


def _length(name: str, given: Any, least: float | None = None) -> float:
    """A finite length: positive, or at least `least`."""
    length = float(given) if isinstance(given, numbers.Real) and not isinstance(given, bool) else math.nan
    if not length < math.inf or not (length > 0 if least is None else length >= least):
        raise ParameterError(
            f"Tomography expected {name} as a finite {'positive' if least is None else 'non-negative'} length, got "
            f"{given!r}"
        )
    return length


def _listed(angles: np.ndarray) -> str:
    return np.array2string(angles, threshold=8) if len(angles) else "none"
