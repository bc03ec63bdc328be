"""`load_example`: a picture as an array."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from daskphys.datasets.examples import BRAIN, examples, find
from daskphys.datasets.libraries import LIBRARIES, to_library
from daskphys.datasets.reading import brain, read
from daskphys.datasets.sizes import checked_size, crop, resize
from daskphys.errors import ParameterError, checks_keywords, nearest

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_RESIZE_MODES = ("crop", "resize")


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
    size = checked_size(img_size)
    if resize_mode not in _RESIZE_MODES:
        raise ParameterError(
            f"unknown resize_mode {resize_mode!r}: {nearest(str(resize_mode), _RESIZE_MODES)}"
        )
    if xp not in LIBRARIES:
        raise ParameterError(f"unknown array library xp={xp!r}: {nearest(str(xp), LIBRARIES)}")
    path = find(name)
    planes = brain(path) if path == examples().get(BRAIN) else read(path)
    if grayscale and len(planes) == 3:
        planes = np.tensordot(_LUMA, planes, axes=1)[np.newaxis]
    if size is not None:
        planes = (
            crop(planes, size, path) if resize_mode == "crop" else resize(planes, size, 1 if grayscale else 3)
        )
    planes = np.clip(planes, 0, 1)  # bicubic interpolation overshoots at edges
    if not grayscale and len(planes) == 1:
        planes = np.repeat(planes, 3, axis=0)
    return to_library(np.ascontiguousarray(planes[np.newaxis], dtype=np.float32), xp, device)
