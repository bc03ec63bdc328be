"""What visibilities need to be told: coordinates, cell, frequencies, weights; each checked in one place."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics.checks import is_count

# A coordinate at the very limit may have been rounded.
_ROUNDED = 1 + 1e-6


def real_array(given: Any, owner: str, name: str, *, lazy: bool = False) -> Any:
    """A parameter of finite real numbers; a Dask array, if it may be one, is looked at where it is loaded."""
    if doors.is_lazy(given):
        if lazy:
            return given
        raise ParameterError(f"{owner} expected {name} in memory, got a Dask array: compute them first")
    array = backend.as_parameter(doors.to_core(given), owner, name)
    xp = backend.namespace(array)
    if backend.is_complex(array):
        raise ParameterError(f"{owner} expected real {name}, got complex ones")
    if not bool(xp.all(xp.isfinite(array))):
        raise ParameterError(f"{owner} expected finite {name}, got NaN or infinity")
    return array


def checked_uvw(given: Any, owner: str, *, lazy: bool = False) -> Any:
    """uvw, shape (rows, 3)."""
    uvw = real_array(given, owner, "uvw", lazy=lazy)
    if uvw.ndim != 2 or uvw.shape[1] != 3 or uvw.shape[0] == 0:
        raise ShapeError(
            f"{owner} expected uvw of shape (rows, 3), one (u, v, w) for each baseline and time, got "
            f"{tuple(uvw.shape)}"
        )
    return uvw


def checked_cell(given: Any, owner: str) -> float:
    """The cell size in radians."""
    if not isinstance(given, numbers.Real) or not 0 < float(given) < 1:
        raise ParameterError(f"{owner} expected 0 < cell_size < 1, in radians, got {given!r}")
    return float(given)


def checked_shape(given: Any, owner: str) -> tuple[int, int]:
    """The image's (rows, columns)."""
    sizes = tuple(given) if isinstance(given, tuple | list) else ()
    if len(sizes) != 2 or not all(map(is_count, sizes)):
        raise ParameterError(f"{owner} expected an image_shape of two sizes, (rows, columns), got {given!r}")
    return int(sizes[0]), int(sizes[1])


def checked_frequencies(given: Any, owner: str) -> Any:
    """Channel frequencies in Hz."""
    frequencies = real_array(given, owner, "frequencies")
    if frequencies.ndim != 1 or frequencies.shape[0] == 0:
        raise ShapeError(
            f"{owner} expected frequencies of shape (channels,), got {tuple(frequencies.shape)}: give [f] for one"
        )
    least = float(backend.namespace(frequencies).min(frequencies))
    if least <= 0:
        raise ParameterError(f"{owner} expected frequencies above 0 Hz, got {least:g}")
    return frequencies


def checked_weights(given: Any, owner: str, rows: int, channels: int | None, *, lazy: bool = False) -> Any:
    """Weights of each visibility, shape (rows,), or (rows, channels or 1) where there are channels."""
    weights = real_array(given, owner, "weights", lazy=lazy)
    shape = tuple(weights.shape)
    allowed = [(rows,)] if channels is None else [(rows, channels), (rows, 1), (rows,)]
    if shape not in allowed:
        raise ShapeError(f"{owner} expected weights of shape {allowed[0]}, one a visibility, got {shape}")
    if not doors.is_lazy(weights):
        xp = backend.namespace(weights)
        least, most = float(xp.min(weights)), float(xp.max(weights))
        if least < 0 or most == 0:
            raise ParameterError(
                f"{owner} expected weights that are not negative and not all zero, got values from {least:g} to {most:g}"
            )
    return weights if channels is None or len(shape) == 2 else weights[:, None]


def check_nyquist(uv: np.ndarray, cell_size: float, owner: str, *, metres: bool) -> None:
    """Refuse (u, v), in wavelengths, that pixels of this size cannot tell from smaller ones.

    `metres` says what they were given in, for the message.
    """
    largest = float(np.abs(uv).max())
    if largest * cell_size > 0.5 * _ROUNDED:
        unit = "metres with frequencies in Hz" if metres else "wavelengths, or frequencies with metres"
        raise ParameterError(
            f"{owner} expected |u| and |v| of at most 1 / (2 cell_size) = {0.5 / cell_size:.6g} wavelengths (Nyquist), "
            f"got {largest:.6g}: give a cell_size of at most {0.5 / largest:.3g}, or uvw in {unit}"
        )


def check_horizon(cell_size: float, shape: tuple[int, int], owner: str) -> None:
    """Refuse images whose corners lie below the horizon, where n = √(1 − l² − m²) is not real."""
    corner = sum((n // 2 * cell_size) ** 2 for n in shape)
    if corner >= 1:
        raise ParameterError(
            f"{owner} expected an image within the horizon, l² + m² < 1, for w that is not 0, got l² + m² = {corner:.3g} "
            f"at a corner of {shape[0]}×{shape[1]} pixels of {cell_size:g}: give a smaller image, or wterm=False"
        )
