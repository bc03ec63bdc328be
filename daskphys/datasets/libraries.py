"""A picture as an array of another library, on a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskphys.errors import DeviceError, MissingDependencyError

#: What can hold a picture.
LIBRARIES = ("cupy", "numpy", "torch")


def to_library(image: np.ndarray, xp: str, device: Any) -> Any:
    """`image` in the library `xp`, on `device`."""
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
