"""Kinds of arguments that several commands have."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from daskphys.backend import FLOATS
from daskphys.errors import nearest

#: Endings of files that a folder of Zarr should not have: those that INPUT takes, or that say another format.
_FILES = {".npy", ".npz", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".zip", ".h5", ".hdf5", ".mat"}


def positive(text: str) -> int:
    """A positive integer."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text!r}")
    return int(text)


def shape(text: str) -> tuple[int, ...]:
    """A shape: ``3,512,512`` or ``3x512x512``."""
    parts = text.replace("x", ",").replace("×", ",").split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected a shape, as in 3,512,512, got {text!r}")
    return tuple(map(int, parts))


def dtype(text: str) -> str:
    """A dtype that operators compute in, by NumPy's name or short one."""
    try:
        name = np.dtype(text).name
    except (TypeError, ValueError, SyntaxError):  # as "f4,," makes NumPy do
        name = text
    if name not in FLOATS:
        raise argparse.ArgumentTypeError(f"{text!r} is no dtype of an image: {nearest(text, FLOATS)}")
    return name


def store(text: str) -> Path:
    """Where a Zarr store is to be written: a folder, whose name must not say that it is a file."""
    path = Path(text)
    if not text or "://" in text:
        raise argparse.ArgumentTypeError(
            f"OUTPUT is the path of a folder that this machine sees, got {text!r}"
        )
    if path.suffix.lower() in _FILES:
        raise argparse.ArgumentTypeError(f"OUTPUT is a Zarr store, as in {path.stem}.zarr, got {text!r}")
    return path


def say_json(found: Any) -> None:
    """Print `found` for a program to read: one JSON object on stdout."""
    print(json.dumps(found, default=str, ensure_ascii=False, indent=2))
