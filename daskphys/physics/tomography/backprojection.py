"""Filtered back-projection: the direct reconstruction from parallel rays."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskphys.errors import ParameterError, checks_keywords, describe, nearest
from daskphys.physics.base import LinearPhysics
from daskphys.physics.normal import Diagonal, Toeplitz
from daskphys.physics.tomography.operator import Tomography


def _ramp(t: np.ndarray) -> np.ndarray:
    """∫ |ν| cos(2π ν t) dν over |ν| ≤ 1/2: at whole t the samples of Ramachandran and Lakshminarayanan."""
    return np.sinc(t) / 2 - np.sinc(t / 2) ** 2 / 4


def _raised(t: np.ndarray, a: float) -> np.ndarray:
    """The ramp times ``a + (1 − a) cos(2π ν)``."""
    return a * _ramp(t) + (1 - a) / 2 * (_ramp(t - 1) + _ramp(t + 1))


#: The kernel of each filter at t detector cells: the ramp |ν| times a window that is 1 at ν = 0.
FILTERS = {
    "ramp": _ramp,
    "shepp-logan": lambda t: -2 / (np.pi**2 * (4 * t * t - 1)),  # sin(π ν) / (π ν)
    "cosine": lambda t: (_ramp(t - 0.5) + _ramp(t + 0.5)) / 2,  # cos(π ν)
    "hamming": lambda t: _raised(t, 0.54),
    "hann": lambda t: _raised(t, 0.5),
}


@checks_keywords
def fbp_filter(A: Tomography, filter: str = "ramp") -> LinearPhysics:
    """The operator P with which ``Aᵀ P y`` is the filtered back-projection of y; it acts on the projections.

    ``D.A_adjoint(fbp_filter(A)(y))`` back-projects on a cluster, for ``D = distribute(A, ctx)``.

    Parameters
    ----------
    A : Tomography
        Parallel rays.
    filter : {"ramp", "shepp-logan", "cosine", "hamming", "hann"}
        The ramp |ν|, or the ramp times a window that damps high frequencies, and noise with them.

    Raises
    ------
    ParameterError
        `A` is no `Tomography` of parallel rays, or no filter has this name.

    Notes
    -----
    The formula is ``f = ∫₀^π (p_θ ∗ h)(x cos θ + y sin θ) dθ`` (Kak and Slaney, "Principles of Computerized Tomographic
    Imaging", 1988, §3.3).  Kernels are sampled exactly and do not wrap.  An angle weighs half the gaps to its neighbours, modulo
    180°; a gap of more than 20° and more than four times the median counts as the median, so that a missing wedge stays
    missing.
    """
    if not isinstance(A, Tomography) or A.geometry != "parallel":
        got = repr(A) if isinstance(A, LinearPhysics) else describe(A)
        raise ParameterError(
            f"filtered back-projection expected a Tomography of parallel rays, got {got}: A_dagger and optim.tikhonov "
            f"reconstruct from other measurements"
        )
    if filter not in FILTERS:
        raise ParameterError(
            f"filtered back-projection expected another filter, got {filter!r}: {nearest(str(filter), FILTERS)}"
        )
    n = A.detectors
    kernel = FILTERS[filter](np.arange(1.0 - n, n))
    weights = angle_weights(A.angles) / A.pixel_size**2
    return Diagonal(weights[:, None]) @ Toeplitz.from_kernel(kernel)


@checks_keywords
def fbp(A: Tomography, y: Any, filter: str = "ramp") -> Any:
    """Filtered back-projection of parallel rays: an approximation of the image, of its own scale, in one product.

    Parameters
    ----------
    A : Tomography
        Parallel rays, over 180° or 360° for a faithful image.
    y : array, shape (…, angle, detector)
        Projections, of any kind of array that A takes.
    filter : str
        As that of `fbp_filter`, which has the formula and says what is raised.

    Returns
    -------
    array of shape (…, H, W)

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
    return A.A_adjoint(fbp_filter(A, filter)(y))


def angle_weights(angles: np.ndarray) -> np.ndarray:
    """Radians that each angle (degrees) stands for, modulo 180°; π altogether where nothing is missing."""
    order = np.argsort(angles % 180.0, kind="stable")
    turned = (angles % 180.0)[order]
    gaps = np.diff(turned, append=turned[0] + 180.0)  # from each to the next, around
    usual = float(np.median(gaps[gaps > 1e-9])) if (gaps > 1e-9).any() else 180.0
    gaps[gaps > max(20.0, 4 * usual)] = usual
    weights = np.empty(len(angles))
    weights[order] = (gaps + np.roll(gaps, 1)) / 2
    return np.deg2rad(weights)
