"""N circular blurs as one writes them by hand, with care: in NumPy and SciPy, in torch, with ``dask.delayed``.

All of them transform the image once for all sensors and add before the last inverse transform, so they make as few
transforms as daskphys does: 1 + N for A, N + 1 for Aᵀ.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import dask
import numpy as np
import scipy.fft

from benchmarks.peers.launch import WAITING
from daskphys import backend
from daskphys.physics.stack import StackedPhysics

CORES = backend.cpu_count()


def spectra(A: StackedPhysics, space: tuple[int, ...]) -> list[np.ndarray]:
    """The transfer function of each kernel, complex64."""
    found, axes = [], tuple(range(len(space)))
    for sensor in A:
        kernel = np.asarray(sensor.filter)
        placed = np.zeros(space)
        placed[tuple(slice(n) for n in kernel.shape)] = kernel
        centred = np.roll(placed, [-(n // 2) for n in kernel.shape], axis=axes)
        found.append(scipy.fft.rfftn(centred, axes=axes, workers=CORES).astype(np.complex64))
    return found


def forward(x: np.ndarray, space: tuple[int, ...], workers: int = CORES) -> np.ndarray:
    """The half spectrum over the spatial axes."""
    return scipy.fft.rfftn(x, axes=tuple(range(-len(space), 0)), workers=workers)


def back(z: np.ndarray, space: tuple[int, ...], workers: int = CORES) -> np.ndarray:
    """The image of a half spectrum."""
    return scipy.fft.irfftn(z, s=space, axes=tuple(range(-len(space), 0)), workers=workers)


def pair(x: np.ndarray, space: tuple[int, ...]) -> np.ndarray:
    """One FFT and back with nothing between: the floor of everything."""
    return back(forward(x, space), space)


class ByHand:
    """A, Aᵀ and AᵀA (A, then Aᵀ) by the transforms that it is given.

    Parameters
    ----------
    held, conjugates : sequence of array
        The transfer functions.
    forward, back : callable
        The real FFT over the spatial axes, and its inverse.
    """

    def __init__(
        self,
        held: Sequence[Any],
        conjugates: Sequence[Any],
        forward: Callable[[Any], Any],
        back: Callable[[Any], Any],
    ) -> None:
        self.held, self.conjugates = held, conjugates
        self.forward, self.back = forward, back

    def A(self, x: Any) -> list[Any]:
        z = self.forward(x)
        return [self.back(z * h) for h in self.held]

    def At(self, y: Sequence[Any]) -> Any:
        total = self.forward(y[0]) * self.conjugates[0]
        for own, h in zip(y[1:], self.conjugates[1:], strict=True):
            total += self.forward(own) * h
        return self.back(total)

    def AtA(self, x: Any) -> Any:
        return self.At(self.A(x))


def numpy_by_hand(A: StackedPhysics, space: tuple[int, ...]) -> ByHand:
    """By SciPy's FFT in as many threads as there are cores."""
    held = spectra(A, space)
    there, again = functools.partial(forward, space=space), functools.partial(back, space=space)
    return ByHand(held, [h.conj() for h in held], there, again)


def torch_by_hand(A: StackedPhysics, space: tuple[int, ...]) -> ByHand | None:
    """By torch's FFT in as many threads as there are cores; None where torch is not installed."""
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)  # read when torch is loaded
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(CORES)
    dims = tuple(range(-len(space), 0))
    held = spectra(A, space)
    return ByHand(
        [torch.from_numpy(h) for h in held],
        [torch.from_numpy(h.conj()) for h in held],
        lambda x: torch.fft.rfftn(torch.as_tensor(x), dim=dims),  # NumPy's arrays are not copied
        lambda z: torch.fft.irfftn(z, s=space, dim=dims),
    )


def filtered(x: np.ndarray, h: np.ndarray, space: tuple[int, ...]) -> np.ndarray:
    """One sensor: what a task of `DelayedByHand` does, in one thread."""
    return back(forward(x, space, 1) * h, space, 1)


def added(parts: Sequence[np.ndarray]) -> np.ndarray:
    return functools.reduce(np.add, parts)


class DelayedByHand:
    """A, Aᵀ and AᵀA with ``dask.delayed``: a task a sensor, whose transfer function a worker holds."""

    def __init__(self, A: StackedPhysics, space: tuple[int, ...], client: Any) -> None:
        self.client, self.space = client, space
        held = spectra(A, space)
        self.held = client.scatter(held, hash=False)
        self.conjugates = client.scatter([h.conj() for h in held], hash=False)
        self.filtered, self.added = dask.delayed(filtered, pure=False), dask.delayed(added, pure=False)

    def A(self, x: np.ndarray) -> Any:
        image = self.client.scatter(x, hash=False)
        return self._get([self.filtered(image, h, self.space) for h in self.held])

    def At(self, y: Sequence[np.ndarray]) -> Any:
        seen = self.client.scatter(list(y), hash=False)
        parts = [self.filtered(own, h, self.space) for own, h in zip(seen, self.conjugates, strict=True)]
        return self._get(self.added(parts))

    def AtA(self, x: np.ndarray) -> Any:
        image = self.client.scatter(x, hash=False)
        seen = [self.filtered(image, h, self.space) for h in self.held]
        parts = [self.filtered(own, h, self.space) for own, h in zip(seen, self.conjugates, strict=True)]
        return self._get(self.added(parts))

    def _get(self, wanted: Any) -> Any:
        return self.client.compute(dask.delayed(wanted), sync=True)
