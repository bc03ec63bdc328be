"""What the tasks of `daskphys.interop.pencils` do: one pencil, or one chunk of a multiplier, each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from daskphys import backend
from daskphys.pairwise import pairwise_sum
from daskphys.physics.naming import naming
from daskphys.physics.spectra import transfer
from daskphys.physics.stencil import Stencil
from daskphys.physics.transform import as_pair

Band = tuple[tuple[int, int], ...]

# -- transforms; tasks run side by side, each with one thread --------------------------------------------------


def run_half(x: Any, ndim: int) -> Any:
    """The half spectrum over the image's axes but the first (over the only one)."""
    with backend.fft_threads(1):
        return backend.rfftn(as_pair(x), max(1, ndim - 1))


def run_first_axis(z: Any, ndim: int, inverse: bool) -> Any:
    """The FFT over the image's first axis."""
    with backend.fft_threads(1):
        return backend.fft_axis(z, -ndim, inverse=inverse)


def run_whole(z: Any, sizes: tuple[int, ...], is_complex: bool) -> Any:
    """The inverse of `run_half`."""
    with backend.fft_threads(1):
        x = backend.irfftn(backend.copy(z), sizes[1:] or sizes)
    return backend.complex_of(x[0, ...], x[1, ...]) if is_complex else x


def run_times(z: Any, make: Callable[..., Any], *args: Any) -> Any:
    """A spectrum times the multiplier ``make(*args)``."""
    return z * backend.like(make(*args), z)


# -- multipliers -------------------------------------------------------------------------------------------


def run_constant(part: Any) -> Any:
    """A part of a multiplier that is held in the graph."""
    return part


def run_transfer(block: Any, i: int, sizes: tuple[int, ...], band: Band, conjugate: bool, dtype: str) -> Any:
    """A part of the transfer function of one sensor of a block."""
    (sensor,) = block[i : i + 1]
    with backend.fft_threads(1):
        z = transfer(sensor.stencil, sizes, band)
    return backend.astype(backend.namespace(z).conj(z) if conjugate else z, dtype)


def run_normal(kernel: Stencil, sizes: tuple[int, ...], band: Band, dtype: str) -> Any:
    """A part of the multiplier that AᴴA is, from the kernel of AᴴA."""
    with backend.fft_threads(1):
        z = transfer(kernel, sizes, band)
    return backend.astype(backend.namespace(z).real(z), dtype)


def _power(blocks: Iterable[Any], sizes: tuple[int, ...], band: Band) -> Any:
    """A part of Σ|Ĥ|² over all sensors, in double precision.

    From the transfer functions and not from the kernel of AᴴA: its rounding would hide the small ones.
    """
    sensors = [sensor for block in blocks for sensor in block]

    def powers() -> Any:
        for index, sensor in enumerate(sensors):
            with naming(index, sensor):
                yield abs(transfer(sensor.stencil, sizes, band)) ** 2

    with backend.fft_threads(1):
        return pairwise_sum(powers())


def run_peak(blocks: list[Any], sizes: tuple[int, ...], band: Band) -> float:
    """The largest entry of a part of Σ|Ĥ|²."""
    power = _power(blocks, sizes, band)
    return float(backend.namespace(power).max(power))


def run_least(peaks: list[float], part: float) -> float:
    """What entries of Σ|Ĥ|² must exceed to be inverted."""
    return part * max(peaks)


def run_inverse(sizes: tuple[int, ...], band: Band, least: float, dtype: str, *blocks: Any) -> Any:
    """A part of the pseudo-inverse of Σ|Ĥ|²."""
    power = _power(blocks, sizes, band)
    xp = backend.namespace(power)
    keep, ones = power > least, xp.ones_like(power)
    return backend.astype(xp.where(keep, ones / xp.where(keep, power, ones), 0 * ones), dtype)
