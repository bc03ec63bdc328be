"""A fine camera without colours beside a coarse one with them."""

from __future__ import annotations

from typing import Any

from daskphys import backend, doors
from daskphys.errors import ShapeError, checks_keywords
from daskphys.physics.downsampling import Downsampling
from daskphys.physics.spectral_response import SpectralResponse
from daskphys.physics.stack import StackedPhysics, stack


@checks_keywords
def pansharpening(
    response: Any,
    factor: int = 4,
    filter: Any = "bilinear",
    padding: str = "circular",
    image_shape: tuple[int, int] | None = None,
) -> StackedPhysics:
    """The ragged stack of a panchromatic sensor and a multispectral one of lower resolution.

    Sensor 0 sees ``Σ_c response[c] x[c]`` of every pixel, (…, 1, H, W); sensor 1 each channel through a filter at every
    `factor`-th pixel, (…, C, H / factor, W / factor).

    Parameters
    ----------
    response : sequence of C numbers
        How much the panchromatic sensor sees of each of the image's channels: ``[1 / C] * C`` is their mean.
    factor, filter, padding, image_shape
        Those of `Downsampling`, the multispectral sensor.

    Returns
    -------
    StackedPhysics
        ``stack(SpectralResponse([response]), Downsampling(filter, factor, padding, image_shape))``: any of its methods,
        and more sensors may be stacked to it.

    Raises
    ------
    ShapeError
        `response` is no sequence of numbers, or the image has not as many channels.
    ParameterError
        Complex, NaN or infinite entries; what `Downsampling` refuses.

    Notes
    -----
    deepinv's ``Pansharpen`` is this stack with its sensors in the other order.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import pansharpening
    >>> A = pansharpening([0.5, 0.3, 0.2], factor=4)
    >>> A(np.ones((3, 64, 64))).shapes
    ((1, 64, 64), (3, 16, 16))
    """
    row = backend.as_parameter(doors.to_core(response), "pansharpening", "response")
    if row.ndim != 1:
        raise ShapeError(
            f"pansharpening expected a response of one number a channel, got an array of shape {tuple(row.shape)}: for "
            f"other mixtures stack a SpectralResponse and a Downsampling"
        )
    operator: StackedPhysics = stack(
        SpectralResponse(row[None, ...]), Downsampling(filter, factor, padding, image_shape)
    )
    return operator
