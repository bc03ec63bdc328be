"""Filtered back-projection: the direct reconstruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from daskphys import doors
from daskphys.errors import (
    DaskphysWarning,
    ParameterError,
    ShapeError,
    checks_keywords,
    describe,
    nearest,
    warn,
)
from daskphys.physics.base import LinearPhysics
from daskphys.physics.normal import Diagonal, Toeplitz
from daskphys.physics.parts import JoinedStack
from daskphys.physics.stack import StackedPhysics
from daskphys.physics.system import check_finite
from daskphys.physics.tomography.operator import Tomography


def _ramp(t: np.ndarray) -> np.ndarray:
    """∫ |ν| cos(2π ν t) dν over |ν| ≤ 1/2: at whole t the samples of Ramachandran and Lakshminarayanan."""
    array: np.ndarray = np.sinc(t) / 2 - np.sinc(t / 2) ** 2 / 4
    return array


def _raised(t: np.ndarray, a: float) -> np.ndarray:
    """The ramp times ``a + (1 − a) cos(2π ν)``."""
    array: np.ndarray = a * _ramp(t) + (1 - a) / 2 * (_ramp(t - 1) + _ramp(t + 1))
    return array


#: The kernel of each filter at t detector cells: the ramp |ν| times a window that is 1 at ν = 0.
FILTERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ramp": _ramp,
    "shepp-logan": lambda t: -2 / (np.pi**2 * (4 * t * t - 1)),  # sin(π ν) / (π ν)
    "cosine": lambda t: (_ramp(t - 0.5) + _ramp(t + 0.5)) / 2,  # cos(π ν)
    "hamming": lambda t: _raised(t, 0.54),
    "hann": lambda t: _raised(t, 0.5),
}


@checks_keywords
def fbp_factors(A: Tomography, filter: str = "ramp") -> tuple[LinearPhysics, LinearPhysics]:
    """The operators B and P with which ``Bᵀ P y`` is the filtered back-projection of y, as `fbp` computes it.

    B has the angles as its sensor axis, so that ``distribute(B, ctx).A_adjoint(P(y))`` back-projects on a cluster.  For
    parallel rays it is A itself.

    Parameters
    ----------
    A : Tomography
        Parallel rays, over 180° or 360°, or a fan beam over 360°.
    filter : {"ramp", "shepp-logan", "cosine", "hamming", "hann"}
        The ramp ``|ν|``, or the ramp times a window that damps high frequencies, and noise with them.

    Returns
    -------
    B, P : LinearPhysics
        From images to projections, and from projections to filtered ones.

    Raises
    ------
    ParameterError
        `A` is no `Tomography`, or no filter has this name; the angles of a fan beam do not cover 360°.

    Warns
    -----
    DaskphysWarning
        The angles of parallel rays do not cover 180°: a part of the image's frequencies is missing.

    Notes
    -----
    For parallel rays ``f = ∫₀^π (p_θ ∗ h)(x cos θ + y sin θ) dθ``.  For a fan beam, with the detector thought to be at the
    axis of rotation, ``f = ½ ∫₀^2π U⁻² ((p_β cos γ) ∗ h)(s) dβ``, where γ is the angle between a ray and the central one, U the
    distance of pixel and source along the central ray divided by that of axis and source (A. C. Kak and M. Slaney, "Principles
    of Computerized Tomographic Imaging", 1988, §3.3 and §3.4.2).  As the spacing of rays at a pixel is proportional to
    U cos γ, the transpose of A takes care of one U; B is A with its entries divided by the other.

    Kernels are sampled exactly and do not wrap.  An angle weighs half the gaps to its neighbours; a gap of more than 20° and
    more than four times the median counts as the median, so that a missing wedge stays missing.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("astra")
    >>> from daskphys.physics import Tomography
    >>> from daskphys.physics.tomography import ellipse_sinogram, fbp, fbp_factors
    >>> A = Tomography(np.arange(180.0), (32, 32))
    >>> B, P = fbp_factors(A, "hann")
    >>> y = ellipse_sinogram(A)
    >>> bool(np.array_equal(B.A_adjoint(P(y)), fbp(A, y, "hann")))
    True
    """
    if not isinstance(A, Tomography):
        got = repr(A) if isinstance(A, LinearPhysics) else describe(A)
        raise ParameterError(
            f"filtered back-projection expected a Tomography, got {got}: A_dagger and optim.tikhonov reconstruct from other "
            f"measurements"
        )
    if filter not in FILTERS:
        raise ParameterError(
            f"filtered back-projection expected another filter, got {filter!r}: {nearest(str(filter), FILTERS)}"
        )
    n, scan = A.detectors, A.scan
    ramp = Toeplitz.from_kernel(FILTERS[filter](np.arange(1.0 - n, n)))
    turn = 180.0 if A.geometry == "parallel" else 360.0
    radians = angle_weights(A.angles, turn)
    _check_coverage(A, float(np.rad2deg(radians.sum())), turn)
    weights = radians[:, None] / A.pixel_size**2
    if A.geometry == "parallel":
        return A, Diagonal(weights) @ ramp
    cosine = 1 / np.hypot(
        1, scan.places * scan.spacing_at_centre / scan.detector_spacing / scan.source_distance
    )
    parts = tuple(part._with({"divided": True}) for part in A.parts)
    return JoinedStack(StackedPhysics(parts), A.counts), Diagonal(weights * cosine / 2) @ ramp @ Diagonal(
        cosine
    )


def _check_coverage(A: Tomography, covered: float, turn: float) -> None:
    """Say what is missing where the angles of A stand for less than `turn` degrees."""
    if covered > turn - 1e-6:
        return
    mend = (
        "angles are in degrees, so give np.rad2deg(angles) if these are radians"
        if np.ptp(A.angles) <= 2 * np.pi + 1e-9
        else "optim.tikhonov reconstructs from any angles"
    )
    message = (
        f"filtered back-projection of {A!r} expected angles over {turn:g}°, got angles from {A.angles.min():g}° to "
        f"{A.angles.max():g}° that cover {covered:.3g}° of them: {mend}"
    )
    if A.geometry != "parallel":  # what is measured from one side would count as if it were from both
        raise ParameterError(message)
    warn(message, DaskphysWarning)


@checks_keywords
def fbp(A: Tomography, y: Any, filter: str = "ramp") -> Any:
    """Filtered back-projection: an approximation of the image, of its own scale, in one product.

    Parameters
    ----------
    A : Tomography
        Parallel rays, over 180° or 360°, or a fan beam over 360°.
    y : array, shape (…, angle, detector)
        Projections, of any kind of array that A takes.
    filter : str
        As that of `fbp_factors`, which has the formulas.

    Returns
    -------
    array of shape (…, H, W)
        Of the kind and the dtype of `y`.

    Raises
    ------
    ParameterError
        What `fbp_factors` refuses; NaN or infinity in y (a Dask array is not searched).
    ShapeError
        Projections of other angles or detectors than A has.

    Warns
    -----
    DaskphysWarning
        The angles of parallel rays do not cover 180°.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("astra")
    >>> from daskphys.physics import Tomography
    >>> from daskphys.physics.tomography import ellipse_sinogram, fbp, shepp_logan
    >>> A = Tomography(np.arange(180.0), (64, 64))
    >>> x = fbp(A, ellipse_sinogram(A), filter="hann")
    >>> bool(np.sqrt(np.mean((x - shepp_logan(64)) ** 2)) < 0.1)
    True
    """
    B, P = fbp_factors(A, filter)
    expected, got = (len(A), A.detectors), tuple(np.shape(y))
    if got[-2:] != expected:
        raise ShapeError(
            f"fbp of {A!r} expected projections of shape (…, {len(A)}, {A.detectors}), that is (…, angle, detector), got "
            f"{got}"
        )
    filtered = P(y)
    if not doors.is_lazy(y):
        check_finite(doors.to_core(y), f"fbp of {A!r}", "y")
    return B.A_adjoint(filtered)


def angle_weights(angles: np.ndarray, turn: float) -> np.ndarray:
    """Radians that each angle (degrees) stands for, modulo `turn`; all of it where nothing is missing."""
    order = np.argsort(angles % turn, kind="stable")
    turned = (angles % turn)[order]
    gaps = np.diff(turned, append=turned[0] + turn)  # from each to the next, around
    apart = gaps[gaps > 1e-9]
    usual = float(np.median(apart)) if len(apart) else turn
    gaps[gaps > max(20.0, 4 * usual)] = usual
    weights = np.empty(len(angles))
    weights[order] = (gaps + np.roll(gaps, 1)) / 2
    return np.deg2rad(weights)
