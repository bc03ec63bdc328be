"""What a case of the one list of operators is, and kernels for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from daskphys.backend import FLOATS
from daskphys.physics import Blur, Physics

#: The dtypes of operators of real images.
REALS = ("float32", "float64")
PADDINGS = ("circular", "valid", "replicate", "reflect")


@dataclass(frozen=True)
class Case:
    """An operator, and shapes of its input to try it on."""

    name: str
    operator: Physics
    shapes: tuple[Any, ...]
    dtypes: tuple[str, ...] = FLOATS
    portable: bool = True  # whether its hooks compute by the array API standard


def kernel(*shape: int, seed: int = 0) -> np.ndarray:
    """A random kernel without any symmetry, whose blur is well away from singular, so that solvers converge."""
    made = np.random.default_rng(seed).uniform(-1.5, 1.5, shape) / np.prod(shape[-2:])
    made[(..., *(n // 2 for n in shape[-2:]))] += 1.0
    return made


def blur(padding: str, *shape: int, seed: int = 0, ndim: int | None = None) -> Blur:
    return Blur(kernel(*shape, seed=seed), padding, ndim=ndim)
