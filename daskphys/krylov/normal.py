"""Solvers on AᴴA x = y, beside the system of A: what is as large as y is an image then, and lives with the solver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from daskphys.krylov.system import Progress, Scalars, Solution, Vector
from daskphys.krylov.vectors import inner, plus


class NormalSystem:
    """The system of ``G x = y`` for ``G = Σᵢ wᵢ Aᵢᴴ Aᵢ``, where `system` is that of A and has `normal` with weights."""

    def __init__(
        self, system: Any, y: Vector, scalars: tuple[int, ...], weights: tuple[float, ...] | None
    ) -> None:
        self._system, self._y, self._scalars, self._weights = system, y, scalars, weights
        self._u = y

    def _applied(self, x: Vector) -> Vector:
        return self._system.normal(x) if self._weights is None else self._system.normal(x, self._weights)

    def start(self, x0: Vector | None) -> tuple[Scalars, Vector]:
        self._u = self._y if x0 is None else self._y - self._applied(x0)
        return self._seen()

    def step(self, v: Vector, scale: Scalars) -> tuple[Scalars, Vector]:
        self._u = plus(self._applied(v), -scale, self._u)
        return self._seen()

    def _seen(self) -> tuple[Scalars, Vector]:
        return inner(self._u, self._u, self._scalars), self._applied(self._u)

    def normal(self, p: Vector) -> Vector:
        return self._applied(self._applied(p))


@dataclass(frozen=True)
class OfNormal:
    """`solver` on AᴴA x = y, as a solver of A's system that takes one array of y and x0 in the place of x0.

    Parameters
    ----------
    solver
        One of this room.
    scalars
        The shape of one number a right-hand side.
    measured
        Whether there is a y, the first entry of the array.  (`Lanczos` has none.)
    weights
        One a sensor; None: without.
    """

    solver: Callable[..., Solution]
    scalars: tuple[int, ...]
    measured: bool
    weights: tuple[float, ...] | None = None

    @property
    def __name__(self) -> str:
        return f"{type(self.solver).__name__} of AᴴA"

    def __call__(self, system: Any, given: np.ndarray, progress: Progress | None = None) -> Solution:
        y = given[0] if self.measured else None
        starts = given[1:] if self.measured else given
        x0 = starts[0] if starts.shape[0] else None
        return self.solver(NormalSystem(system, y, self.scalars, self.weights), x0, progress)
