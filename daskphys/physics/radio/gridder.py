"""Sums over an image for each visibility, and back, by ducc0's w-gridder."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import MissingDependencyError

#: The speed of light in vacuum, m/s (exact).
LIGHT = 299_792_458.0

#: What the transforms reach at best: relative error, by precision.
EPS = {"float32": 1.01e-5, "float64": 1e-12}

# ducc0 takes images of even sizes from this one on.
_SMALLEST = 32


@functools.cache
def wgridder() -> Any:
    """ducc0's functions for visibilities."""
    try:
        from ducc0.wgridder import experimental
    except ImportError as error:
        raise MissingDependencyError(
            "radio interferometry needs ducc0: pip install 'daskphys[interferometry]'"
        ) from error
    return experimental


class Gridder:
    """``V = Σ I exp(−2πi (row·p₀ + column·p₁ + (n − 1)·p₂))`` for points p, and its adjoint; one thread.

    Parameters
    ----------
    points : array, shape (rows, 3)
        Coordinates in the order of the image's axes, the third one w: wavelengths, or metres with frequencies.
    frequencies : array, shape (channels,)
        Hz; the speed of light for points in wavelengths.
    cell_size : float
        Radians a pixel.
    image_shape : (int, int)
        The image's shape; its middle pixel is ``n // 2``.
    eps : float
        The relative accuracy.
    with_w : bool
        Whether the third coordinate counts.
    """

    def __init__(
        self,
        points: np.ndarray,
        frequencies: np.ndarray,
        cell_size: float,
        image_shape: tuple[int, ...],
        eps: float,
        with_w: bool,
    ) -> None:
        self._shape = image_shape
        self._padded = tuple(max(_SMALLEST, n + n % 2) for n in image_shape)
        self._inner = tuple(
            slice(p // 2 - n // 2, p // 2 - n // 2 + n)
            for p, n in zip(self._padded, image_shape, strict=True)
        )
        self._fixed = {
            "uvw": points,
            "freq": frequencies,
            "pixsize_x": cell_size,
            "pixsize_y": cell_size,
            "epsilon": eps,
            "do_wgridding": with_w,
            "nthreads": 1,  # with more, the bits of a result depend on how many
            "flip_w": True,  # ducc0's w is the negative of the field's
            "divide_by_n": False,
        }

    def forward(self, image: np.ndarray, scale: float, factors: np.ndarray | None) -> np.ndarray:
        """``factors · V(scale · image)``, shape (rows, channels)."""
        padded = np.zeros(self._padded, image.dtype)
        np.multiply(image, image.dtype.type(scale), out=padded[self._inner])
        seen: np.ndarray = wgridder().dirty2vis(dirty=padded, wgt=factors, **self._fixed)
        return seen

    def adjoint(self, seen: np.ndarray, scale: float, factors: np.ndarray | None) -> np.ndarray:
        """The transpose over the reals: ``scale · Re Σ conj(phase) · factors · seen``."""
        seen = np.ascontiguousarray(seen)
        padded = np.zeros(self._padded, backend.real_name(seen.dtype.name))
        wgridder().vis2dirty(vis=seen, wgt=factors, dirty=padded, **self._fixed)
        inner: np.ndarray = padded[self._inner]
        array: np.ndarray = inner * padded.dtype.type(scale)
        return array
