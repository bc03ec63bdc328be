"""Pictures to try operators on: those that the installed packages ship, or any image file.

Nothing is downloaded.  Matplotlib, Pillow and torch are imported at the first call, not with this module.
"""

from __future__ import annotations

import gzip
import importlib.util
import operator
import os
from pathlib import Path
from typing import Any

import numpy as np

from daskphys.errors import (
    DeviceError,
    ImageError,
    ImageNotFoundError,
    MissingDependencyError,
    ParameterError,
    checks_keywords,
    nearest,
)

__all__ = ["example_names", "load_example"]

# The GIF and TIFF files in those folders are there to try readers on; Pillow cannot open one of them.
_PICTURES = {".jpg", ".jpeg", ".png"}
# A slice of a magnetic resonance scan, which Matplotlib ships without a header.
_BRAIN, _BRAIN_SIDE = "mri_brain", 256
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_LONGEST = 2**31 - 1  # pixels of a side, in Pillow
_RESIZE_MODES = ("crop", "resize")
_LIBRARIES = ("cupy", "numpy", "torch")


def example_names() -> list[str]:
    """The names that `load_example` knows on this machine, sorted.

    Matplotlib ships a few; scikit-image, if it is installed, ships more.

    Returns
    -------
    list of str
        What `load_example` takes.

    Examples
    --------
    >>> "grace_hopper" in example_names()
    True
    """
    return sorted(_examples())


@checks_keywords
def load_example(
    name: str | os.PathLike[str],
    grayscale: bool = False,
    device: Any = None,
    img_size: int | tuple[int, int] | None = 512,
    resize_mode: str = "resize",
    xp: str = "numpy",
) -> Any:
    """Load a picture as an array of shape (1, C, H, W), float32, with values in [0, 1].

    Photographs by name, and ``"mri_brain"``, a slice of a magnetic resonance scan of a head: 256 × 256 magnitudes
    of one channel, whose largest is 1.  MRI operators take it as ``load_example("mri_brain", grayscale=True,
    img_size=None)[0, 0]``; their images are complex where phases matter, so ``.astype(np.complex64)`` makes it one.

    Of an image file, the orientation that a camera noted in the file is applied, transparent parts become black, grey images
    of 16 bits keep their depth, and of several frames the first is taken.

    Parameters
    ----------
    name : str or path
        A name from `example_names`, with or without its extension, or the path of an image file.  A str
        that is the name of an example means the example; write ``"./coffee.png"`` or a `Path` for a file of
        your own that has the same name.
    grayscale : bool
        True gives one channel (the luma of ITU-R BT.601), False gives three.
    device : str or torch.device, optional
        Where the array lies: "cpu", "cuda", "cuda:0", …  None is the CPU for NumPy and torch, and the
        current GPU for CuPy.
    img_size : int, (int, int) or None
        An int is the length of the shorter side, and the aspect ratio is kept; a pair is the exact
        (H, W); None leaves the image as it is.
    resize_mode : {"resize", "crop"}
        "resize" interpolates, with antialiasing; "crop" cuts out the central window (a square for an int).
    xp : {"numpy", "torch", "cupy"}
        The library of the array that is returned.

    Returns
    -------
    array of shape (1, C, H, W), float32
        C is 3, or 1 with `grayscale`.

    Raises
    ------
    ImageNotFoundError
        No example has this name and no file this path; the message lists the names.
    ImageError
        The file is a folder, is no image, is damaged, or has values whose range is not known.
    ParameterError
        `img_size`, `resize_mode` or `xp` is out of its domain, or the image is smaller than the crop.
    DeviceError
        The device does not exist, or the library asked for cannot use it.
    MissingDependencyError
        `xp` is not installed.
    UnknownKeywordError
        A keyword that does not exist; the message gives the nearest one.

    Examples
    --------
    >>> x = load_example("grace_hopper", img_size=64)
    >>> x.shape, x.dtype
    ((1, 3, 75, 64), dtype('float32'))
    >>> load_example("grace_hopper", grayscale=True, img_size=(32, 48), resize_mode="crop").shape
    (1, 1, 32, 48)
    >>> load_example("mri_brain", grayscale=True, img_size=None)[0, 0].shape
    (256, 256)
    """
    size = _checked_size(img_size)
    if resize_mode not in _RESIZE_MODES:
        raise ParameterError(
            f"unknown resize_mode {resize_mode!r}: {nearest(str(resize_mode), _RESIZE_MODES)}"
        )
    if xp not in _LIBRARIES:
        raise ParameterError(f"unknown array library xp={xp!r}: {nearest(str(xp), _LIBRARIES)}")
    path = _find(name)
    planes = _brain(path) if path == _examples().get(_BRAIN) else _read(path)
    if grayscale and len(planes) == 3:
        planes = np.tensordot(_LUMA, planes, axes=1)[np.newaxis]
    if size is not None:
        planes = (
            _crop(planes, size, path)
            if resize_mode == "crop"
            else _resize(planes, size, 1 if grayscale else 3)
        )
    planes = np.clip(planes, 0, 1)  # bicubic interpolation overshoots at edges
    if not grayscale and len(planes) == 1:
        planes = np.repeat(planes, 3, axis=0)
    return _to_library(np.ascontiguousarray(planes[np.newaxis], dtype=np.float32), xp, device)


def _examples() -> dict[str, Path]:
    """Name to file.  The folder of scikit-image is found without importing it (which takes a second)."""
    import matplotlib

    folders = [Path(matplotlib.get_data_path(), "sample_data")]
    skimage = importlib.util.find_spec("skimage")
    if skimage is not None:
        folders += [Path(root, "data") for root in skimage.submodule_search_locations or ()]
    found: dict[str, Path] = {}
    for folder in filter(Path.is_dir, folders):
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in _PICTURES:
                found.setdefault(file.stem, file)
    brain = folders[0] / "s1045.ima.gz"
    return {_BRAIN: brain, **found} if brain.is_file() else found


def _find(name: str | os.PathLike[str]) -> Path:
    if not isinstance(name, str | os.PathLike):
        raise ParameterError(f"name is {name!r}: expected the name of an example or a path")
    examples = _examples()
    text = os.fsdecode(name)
    if isinstance(name, str):
        for stem, file in examples.items():
            if name in (stem, file.name):
                return file
    path = os.path.expanduser(text)
    if os.path.exists(path):
        return Path(path)
    known = nearest(text, examples)
    if os.path.dirname(text) or (os.path.splitext(text)[1] and not known.startswith("did you mean")):
        raise ImageNotFoundError(
            f"there is no file {text!r}: check the path, and the folder that it is relative to"
        )
    more = ""
    if importlib.util.find_spec("skimage") is None:
        more = "; pip install 'daskphys[notebooks]' adds those of scikit-image"
    raise ImageNotFoundError(f"no example and no file is named {text!r}: {known}{more}")


def _brain(path: Path) -> np.ndarray:
    """The slice, whose file is rows of 16-bit numbers and nothing else."""
    with gzip.open(path) as file:
        numbers = np.frombuffer(file.read(), "<u2").reshape(1, _BRAIN_SIDE, _BRAIN_SIDE)
    array: np.ndarray = (numbers / numbers.max()).astype(np.float32)
    return array


def _read(path: Path) -> np.ndarray:
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


def _checked_size(size: Any) -> int | tuple[int, int] | None:
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


def _resize(planes: np.ndarray, size: int | tuple[int, int], channels: int) -> np.ndarray:
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


def _crop(planes: np.ndarray, size: int | tuple[int, int], path: Path) -> np.ndarray:
    height, width = (size, size) if isinstance(size, int) else size
    top, left = (planes.shape[1] - height) // 2, (planes.shape[2] - width) // 2
    if top < 0 or left < 0:
        raise ParameterError(
            f"{path.name} is {planes.shape[1]}×{planes.shape[2]}, smaller than the window {height}×{width} "
            f"to crop: give a smaller img_size, or resize_mode='resize'"
        )
    return planes[:, top : top + height, left : left + width]


def _to_library(image: np.ndarray, xp: str, device: Any) -> Any:
    place = None if device is None else str(device)
    if xp == "numpy":
        if place not in (None, "cpu", "cpu:0"):
            raise DeviceError(f"NumPy arrays cannot lie on {place!r}: give xp='cupy' or xp='torch'")
        return image
    return _to_torch(image, place) if xp == "torch" else _to_cupy(image, place)


def _to_torch(image: np.ndarray, place: str | None) -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("xp='torch' needs PyTorch: pip install 'daskphys[torch]'") from error
    try:
        return torch.from_numpy(image).to(torch.device(place or "cpu"))
    except (RuntimeError, AssertionError) as error:  # AssertionError: a torch built without CUDA
        raise DeviceError(f"torch cannot use the device {place!r}: {error}") from error


def _to_cupy(image: np.ndarray, place: str | None) -> Any:
    kind, _, index = (place or "cuda").partition(":")
    if kind != "cuda" or not (index.isdecimal() or place in (None, "cuda")):
        raise DeviceError(f"CuPy arrays cannot lie on {place!r}: give 'cuda' or 'cuda:0', or xp='numpy'")
    try:
        import cupy
    except ImportError as error:
        raise MissingDependencyError(
            "xp='cupy' needs CuPy: pip install 'daskphys[cuda12]' (or cuda13)"
        ) from error
    try:
        with cupy.cuda.Device(int(index) if index else None):
            return cupy.asarray(image)
    except RuntimeError as error:  # no driver, no such GPU, or no memory left on it
        raise DeviceError(f"CuPy cannot use the device {place or 'cuda'!r}: {error}") from error
