"""What a solver needs of a least-squares problem, and what it returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Vector = Any  # an image: one array of the core, or a sequence of them (one a sensor)
Scalars = np.ndarray  # one float64 a right-hand side, on the host: shape (*leading axes, 1, …, 1)
Progress = Callable[[int, float], Any]  # iteration (from 1), residual as the solver measures it


class System(Protocol):
    """min ‖A x − y‖² over images x; y, and all that is as large as y, stays with the sensors.

    Leading axes of an image are right-hand sides, independent of one another.  What a method returns for each of
    them, and the `scale` that it takes, is a NumPy array of float64 whose shape is that of the leading axes
    with a 1 for each axis that belongs to the operator.  It broadcasts against an image; against arrays of other
    numbers of axes (an image that is one array a sensor) it is aligned at the left (`vectors.fitted`).

    One call is one round trip to the sensors.
    """

    def start(self, x0: Vector | None) -> tuple[Scalars, Vector]:
        """U ← y − A x0 (y where x0 is None); ‖U‖² and AᴴU.  May be called again."""

    def step(self, v: Vector, scale: Scalars) -> tuple[Scalars, Vector]:
        """U ← A v − scale · U; ‖U‖² and AᴴU."""

    def normal(self, p: Vector) -> Vector:
        """AᴴA p; leaves U as it is."""


@dataclass(frozen=True)
class Solution:
    """What a solver reached.

    Parameters
    ----------
    x
        The solution (of `Lanczos`: the eigenvector).
    iterations
        How many iterations were made.
    residuals
        The residual after each of them, as the solver measures it: the largest over the right-hand sides.
    converged
        Whether every right-hand side is within the tolerance.
    value
        Of `Lanczos` alone: the eigenvalue.
    """

    x: Vector
    iterations: int
    residuals: tuple[float, ...]
    converged: bool
    value: float | None = None

    @property
    def residual(self) -> float:
        """The last residual; before an iteration 0 where none was needed, NaN where none was possible."""
        if self.residuals:
            return self.residuals[-1]
        return 0.0 if self.converged else math.nan
