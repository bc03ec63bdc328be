"""Images and measurements from files, and results into stores."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from daskphys.datasets import load_example
from daskphys.errors import ImageError, ParameterError
from daskphys.physics.measurements import Measurements
from daskphys.storage import groups, open_measurements
from daskphys.storage.single import open_array, write_array


def read(given: argparse.Namespace) -> Any:
    """What the command is given: an array, or measurements; those of Zarr stores are Dask arrays."""
    path = Path(given.input)
    kind = path.suffix.lower()
    if "://" in given.input:
        raise ImageError(f"INPUT is the path of what this machine sees, got {given.input!r}")
    if not (path.is_dir() or kind in (".zip", ".npy", ".npz")):
        return load_example(given.input, grayscale=given.grayscale, img_size=given.img_size)
    if given.grayscale or given.img_size is not None:
        raise ParameterError(
            f"--grayscale and --img-size are for pictures, and {path} is none: leave them out"
        )
    if path.is_dir():  # whatever its name
        return _store(path)
    if kind == ".npz":
        raise ImageError(f"{path}: .npz is not taken; save the array as .npy")
    return open_measurements(path) if kind == ".zip" else _npy(path)


def _npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ImageError(f"{path} is no .npy file that can be read without pickle: {error}") from error
    if not isinstance(array, np.ndarray):
        raise ImageError(f"{path} holds several arrays, as .npz does: save one as .npy")
    return array


def _store(path: Path) -> Any:
    if groups.kind(path) == "measurements":
        return open_measurements(path, lazy=True)
    return open_array(path)


def write(result: Any, output: Path, overwrite: bool) -> None:
    """Write measurements, or one array."""
    if isinstance(result, Measurements):
        result.to_zarr(output, overwrite=overwrite)
    else:
        write_array(result, output, overwrite=overwrite)
