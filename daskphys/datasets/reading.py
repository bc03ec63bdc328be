"""The numbers of an image file, in [0, 1]."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from daskphys.errors import ImageError

_BRAIN_SIDE = 256


def brain(path: Path) -> np.ndarray:
    """The slice, whose file is rows of 16-bit numbers and nothing else."""
    with gzip.open(path) as file:
        numbers = np.frombuffer(file.read(), "<u2").reshape(1, _BRAIN_SIDE, _BRAIN_SIDE)
    array: np.ndarray = (numbers / numbers.max()).astype(np.float32)
    return array


def read(path: Path) -> np.ndarray:
    """The first frame as float32 of shape (C, H, W) in [0, 1], C being 1 (grey of 16 bits, floats) or 3."""
    from PIL import Image, ImageOps

    if not path.is_file():  # a folder; or a pipe, which would wait for ever
        raise ImageError(f"{path} is {'a folder' if path.is_dir() else 'no regular file'}, not an image")
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode == "F":
                planes = np.asarray(image)[np.newaxis]
            elif image.mode.startswith("I"):  # "I", "I;16", "I;16B": what 16 bits are read as
                planes = np.asarray(image, dtype=np.float32)[np.newaxis] / 65535
            elif "transparency" in image.info or image.mode.endswith(("A", "a")):
                rgba = np.asarray(image.convert("RGBA"), dtype=np.float32) / 255
                planes = np.moveaxis(rgba[..., :3] * rgba[..., 3:], -1, 0)
            else:
                planes = np.moveaxis(np.asarray(image.convert("RGB"), dtype=np.float32) / 255, -1, 0)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes Pillow's readers raise nearly anything
        raise ImageError(f"{path} cannot be read as an image: {error}") from error
    low, high = planes.min(), planes.max()
    if not (low >= 0 and high <= 1):  # NaN too
        unit = 65535 if image.mode.startswith("I") else 1
        raise ImageError(
            f"{path} has values from {low * unit:g} to {high * unit:g}, outside [0, {unit}], the range of "
            f"mode {image.mode!r}: scale them and save again, or read the file with the library that wrote it"
        )
    return planes
