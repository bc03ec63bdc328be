"""The size that is asked for, and pictures of it."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import numpy as np

from daskphys.errors import ParameterError

_LONGEST = 2**31 - 1  # pixels of a side, in Pillow


def checked_size(size: Any) -> int | tuple[int, int] | None:
    """A size that pictures can have: that of the shorter side, (height, width), or None for the picture's own."""
    if size is None:
        return None
    pair = isinstance(size, tuple | list)
    sides = [_side(side) for side in (size if pair else [size])]
    if len(sides) != 1 + pair or min(sides) < 1 or max(sides) > _LONGEST:
        raise ParameterError(
            f"img_size is {size!r}: expected a positive int up to {_LONGEST}, a pair (H, W) of them, or None"
        )
    return (sides[0], sides[1]) if pair else sides[0]


def _side(side: Any) -> int:
    """An int as it is (NumPy's too); anything else, True among it, as the impossible 0."""
    return 0 if isinstance(side, bool) or not hasattr(side, "__index__") else operator.index(side)


def resize(planes: np.ndarray, size: int | tuple[int, int], channels: int) -> np.ndarray:
    """Interpolate each plane in floating point, so that nothing is rounded to 8 bits; `channels` will be asked for."""
    from PIL import Image

    old = planes.shape[1:]
    if isinstance(size, int):
        height, width = (max(1, round(side * size / min(old))) for side in old)
    else:
        height, width = size
    if (height, width) == old:
        return planes
    _check_memory(8 * max(channels, len(planes)) * height * width, size)
    resized = [
        Image.fromarray(np.ascontiguousarray(plane)).resize((width, height), Image.Resampling.BICUBIC)
        for plane in planes
    ]
    return np.stack([np.asarray(plane) for plane in resized])


def _check_memory(needed: int, size: Any) -> None:
    """Refuse what this machine cannot hold, which would end the process."""
    from distributed.system import MEMORY_LIMIT  # that of a container too

    if needed > MEMORY_LIMIT:
        raise ParameterError(
            f"img_size={size!r} expected an image that fits into memory, {MEMORY_LIMIT / 2**30:.1f} GiB here, got one that "
            f"takes {needed / 2**30:.1f} GiB to make: give a smaller img_size"
        )


def crop(planes: np.ndarray, size: int | tuple[int, int], path: Path) -> np.ndarray:
    """The window in the middle."""
    height, width = (size, size) if isinstance(size, int) else size
    top, left = (planes.shape[1] - height) // 2, (planes.shape[2] - width) // 2
    if top < 0 or left < 0:
        raise ParameterError(
            f"{path.name} is {planes.shape[1]}×{planes.shape[2]}, smaller than the window {height}×{width} "
            f"to crop: give a smaller img_size, or resize_mode='resize'"
        )
    return planes[:, top : top + height, left : left + width]
