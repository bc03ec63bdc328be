"""The problems that are timed: operators and images of the sizes that the targets name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.timing import blurs, image, times_text
from daskphys.physics import Blur, gaussian_blur, stack
from daskphys.physics.stack import StackedPhysics


@dataclass(frozen=True)
class Problem:
    """`n` circular blurs, no two alike, of an image of `shape` (float32) with `ndim` spatial axes."""

    n: int
    shape: tuple[int, ...]
    ndim: int = 2

    @property
    def label(self) -> str:
        """``512×512×3, N=8``, as tables have it; a batch stands in front."""
        if self.ndim == 3:
            return f"{'×'.join(map(str, self.shape))}, N={self.n}"
        batch = "".join(f"{n} of " for n in self.shape[:-3])
        return f"{batch}{times_text(self.shape[-3:])}, N={self.n}"

    @property
    def name(self) -> str:
        """The label as one types it: ``512x512x3-n8``."""
        return self.label.replace(" of ", "x").replace("×", "x").replace(", N=", "-n")

    @property
    def space(self) -> tuple[int, ...]:
        return self.shape[-self.ndim :]

    def operator(self) -> StackedPhysics:
        return blurs(self.n) if self.ndim == 2 else volume_blurs(self.n)

    def image(self) -> np.ndarray:
        return image(*self.shape)


def volume_blurs(n: int) -> StackedPhysics:
    """A stack of `n` circular blurs of volumes: Gaussians, rotated about the first axis."""
    depth = np.exp(-0.5 * (np.arange(-4, 5) / 1.2) ** 2)
    made = []
    for i in range(n):
        plane = np.asarray(gaussian_blur(sigma=(0.8 + 0.02 * i, 2.0), angle=7 * i))[0, 0]
        kernel = depth[:, None, None] * plane
        made.append(Blur(kernel / kernel.sum(), ndim=3))
    return stack(*made)


def solvable_blurs(n: int) -> StackedPhysics:
    """A stack of mild blurs in all directions, on which conjugate gradients converge in about a hundred steps."""
    return stack(*[Blur(gaussian_blur(sigma=(0.6, 1.2), angle=180 * i / n)) for i in range(n)])


def kernels(A: StackedPhysics) -> list[np.ndarray]:
    """The sensors' kernels, for a peer."""
    return [np.asarray(sensor.filter) for sensor in A]


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """How far `a` is from `b`, relative to the largest entry of `b`."""
    return float(np.max(np.abs(a - b)) / (np.max(np.abs(b)) or math.inf))
