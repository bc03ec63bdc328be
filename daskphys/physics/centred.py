"""The centred orthonormal Fourier transform, without moving a pixel.

With c = n // 2 the centre of an axis of n samples, ``exp(−2πi (k−c)(j−c) / n)`` is the plain kernel
``exp(−2πi kj / n)`` times a factor of j, one of k, and a constant.  For even n these are signs, so that they are exact.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.physics.cost import Cost, fft_flops, nbytes
from daskphys.physics.transform import Shape, Transform


def _outer(vectors: list[np.ndarray]) -> np.ndarray:
    """The product of one vector an axis."""
    return functools.reduce(lambda a, b: a[..., None] * b, vectors)


def _turned(n: int, turns: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """``exp(2πi t / n)`` for whole numbers t of 0 … n−1; for even n, where t is a multiple of n / 2, real."""
    t = turns(np.arange(n)) % n
    if n % 2 == 0:
        return np.where(t == 0, 1.0, -1.0)
    return np.exp(2j * np.pi * t / n)


def image_phase(sizes: Shape) -> np.ndarray:
    """What an image is multiplied by before the plain transform."""
    return _outer([_turned(n, lambda j, c=n // 2: c * j) for n in sizes])  # type: ignore[misc]


def frequency_phase(sizes: Shape) -> np.ndarray:
    """What the plain transform of that is multiplied by."""
    return _outer([_turned(n, lambda k, c=n // 2: c * (k - c)) for n in sizes])  # type: ignore[misc]


def is_signs(sizes: Shape) -> bool:
    """Whether both are signs."""
    return all(n % 2 == 0 for n in sizes)


@dataclass(frozen=True)
class CentredImage(Transform):
    """The image times `image_phase`: the first step of coils, each of which has an FFT of its own."""

    ndim: int
    sums_in_place = True

    def _phase(self, x: Any, sizes: Shape) -> Any:
        kind = backend.real_name(backend.dtype_name(x))
        kind = kind if is_signs(sizes) else backend.complex_name(kind)
        return backend.like(image_phase(sizes).astype(kind), x)

    def lift(self, x: Any) -> Any:
        phase = self._phase(x, tuple(x.shape[-self.ndim :]))  # named: see `Spectral.multiply`
        return x * phase

    def lower(self, z: Any, shape: Shape) -> Any:
        phase = self._phase(z, tuple(shape[-self.ndim :]))
        return backend.times_conj(z, phase)

    def method(self, shape: Shape) -> str:
        return "FFT"

    def lifted(self, shape: Shape, dtype: str) -> tuple[Shape, str]:
        return shape, dtype if is_signs(shape[-self.ndim :]) else backend.complex_name(dtype)

    def cost(self, shape: Shape, dtype: str) -> Cost:
        lifted, kind = self.lifted(shape, dtype)
        result, sizes = nbytes(lifted, kind), shape[-self.ndim :]
        real = is_signs(sizes)
        made = nbytes(sizes, "float64" if real else "complex128") + nbytes(
            sizes, backend.real_name(kind) if real else kind
        )
        return Cost(flops=backend.size(shape), workspace=made, result=result)


@dataclass(frozen=True)
class CentredFFT(Transform):
    """The centred transform but for `frequency_phase`, which goes into what multiplies it."""

    ndim: int
    sums_in_place = True

    @property
    def _image(self) -> CentredImage:
        return CentredImage(self.ndim)

    def lift(self, x: Any) -> Any:
        return backend.fftn(self._image.lift(x), self.ndim, overwrite=True)

    def lower(self, z: Any, shape: Shape) -> Any:
        return self._image.lower(backend.fftn(z, self.ndim, inverse=True, overwrite=True), shape)

    def method(self, shape: Shape) -> str:
        return "FFT"

    def lifted(self, shape: Shape, dtype: str) -> tuple[Shape, str]:
        return shape, backend.complex_name(dtype)

    def cost(self, shape: Shape, dtype: str) -> Cost:
        first = self._image.cost(shape, dtype)
        lifted, kind = self.lifted(shape, dtype)
        result = nbytes(lifted, kind)
        # A complex image is transformed in place.
        held = first.result if first.result < result else 0
        flops = first.flops + 2 * fft_flops(shape, self.ndim)
        return Cost(1, flops, workspace=max(first.workspace, held), result=result)
