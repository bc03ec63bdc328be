"""Images and measurements from files, and results into stores."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from daskphys.datasets import load_example
from daskphys.errors import ImageError
from daskphys.physics.measurements import Measurements
from daskphys.storage import groups, open_measurements
from daskphys.storage.single import open_array, write_array


def read(given: argparse.Namespace) -> Any:
    """What the command is given: an array, or measurements; those of Zarr stores are Dask arrays."""
    path = Path(given.input)
    if path.is_dir():  # whatever its name
        value = _store(path)
    elif path.suffix == ".zip":
        value = open_measurements(path)
    elif path.suffix == ".npy":
        value = _npy(path)
    elif path.suffix == ".npz":
        raise ImageError(f"{path}: .npz is not taken; save the array as .npy")
    else:
        value = load_example(given.input, grayscale=given.grayscale, img_size=given.img_size)
    if given.dtype is None:
        return value
    return (
        value.map(lambda a: a.astype(given.dtype))
        if isinstance(value, Measurements)
        else value.astype(given.dtype)
    )


def _npy(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise ImageError(f"{path} is no .npy file that can be read without pickle: {error}") from error
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
