"""Simulated coil maps."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

import numpy as np

from daskphys.errors import ParameterError, checks_keywords
from daskphys.physics.checks import is_count


@checks_keywords
def birdcage_maps(
    coils: int,
    shape: Sequence[int],
    radius: float = 1.5,
    coils_per_ring: int = 8,
    dtype: str = "complex64",
) -> np.ndarray:
    """Maps of coils that stand in rings round the image, by the law of Biot and Savart in its simplest form.

    The sensitivity falls as one over the distance, its phase is the angle under which the coil is seen; the sum of
    squares over the coils is one everywhere.

    Parameters
    ----------
    coils : int
        Their number.
    shape : (H, W) or (D, H, W)
        The image's shape.
    radius : float
        Of the ring, in halves of the image's size.
    coils_per_ring : int
        Of a volume, after how many coils the next ring begins; rings stand along the first axis.
    dtype : {"complex64", "complex128"}
        Of the maps.

    Returns
    -------
    array, shape ``(coils, *shape)``
        One map a coil.

    Raises
    ------
    ParameterError
        No coil, no image of 2 or 3 axes, another dtype, a coil that stands on a pixel.

    References
    ----------
    ``sigpy.mri.birdcage_maps``, whose maps these are.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.mri import birdcage_maps
    >>> maps = birdcage_maps(8, (32, 32))
    >>> maps.shape, bool(np.allclose((abs(maps) ** 2).sum(0), 1))
    ((8, 32, 32), True)
    """
    sizes = tuple(shape) if isinstance(shape, Sequence) else ()
    if not all(map(is_count, (coils, coils_per_ring, *sizes))) or len(sizes) not in (2, 3):
        raise ParameterError(
            f"birdcage_maps expected at least one coil and a shape (H, W) or (D, H, W), got coils={coils!r}, "
            f"coils_per_ring={coils_per_ring!r}, shape={shape!r}"
        )
    if not isinstance(radius, numbers.Real) or not math.isfinite(radius):
        raise ParameterError(f"birdcage_maps expected a finite radius, got {radius!r}")
    kind = getattr(dtype, "__name__", str(dtype))
    if kind not in ("complex64", "complex128"):
        raise ParameterError(f"birdcage_maps expected dtype 'complex64' or 'complex128', got {dtype!r}")
    ring = coils_per_ring if len(sizes) == 3 else coils
    c = np.arange(coils)
    turns, rings = c / ring, c // ring
    at: list[np.ndarray] = [radius * np.sin(2 * np.pi * turns), radius * np.cos(2 * np.pi * turns)]
    late = c.astype(float)
    if len(sizes) == 3:
        at.insert(0, rings - 0.5 * (math.ceil(coils / ring) - 1))
        late += rings  # rings are turned against each other in phase
    places = np.meshgrid(*[np.arange(n) / (n / 2) - 1 for n in sizes], indexing="ij")
    maps = np.empty((coils, *sizes), np.complex128)
    for coil in range(coils):
        away: list[np.ndarray] = [grid - own[coil] for grid, own in zip(places, at, strict=True)]
        distance = np.sqrt(sum(a * a for a in away))
        if not distance.all():
            raise ParameterError(
                f"birdcage_maps expected coils beside the image's pixels, got radius={radius}, on which coil {coil} "
                f"stands on a pixel"
            )
        phase = np.arctan2(away[-1], -away[-2]) - 2 * np.pi * late[coil] / ring
        maps[coil] = np.exp(1j * phase) / distance
    maps /= np.sqrt((maps.real**2 + maps.imag**2).sum(0))
    return maps.astype(kind)
