"""Tikhonov's regularisation as a system like any other."""

from __future__ import annotations

import math

import numpy as np

from daskphys.krylov.system import Scalars, System, Vector
from daskphys.krylov.vectors import inner, plus, scaled, zeros_like


class Regularised:
    """min ‖A x − y‖² + lam ‖x‖² as the least-squares problem of [A; √lam I] and [y; 0].

    The lower part of U, an image, lives here beside the solver; the sensors keep the upper one.  So a warm start
    is exact: its lower right-hand side is −√lam x0, which the damping term of LSQR and LSMR could not say.
    """

    def __init__(self, system: System, lam: float) -> None:
        self._system, self._lam, self._root = system, lam, math.sqrt(lam)
        self._lower: Vector = None

    def start(self, x0: Vector | None) -> tuple[Scalars, Vector]:
        squared, back = self._system.start(x0)
        if x0 is None:
            self._lower = zeros_like(back)
            return squared, back
        self._lower = scaled(-self._root, x0)
        return self._joined(squared, back)

    def step(self, v: Vector, scale: Scalars) -> tuple[Scalars, Vector]:
        squared, back = self._system.step(v, scale)
        self._lower = plus(scaled(self._root, v), -scale, self._lower)
        return self._joined(squared, back)

    def _joined(self, squared: Scalars, back: Vector) -> tuple[Scalars, Vector]:
        """‖U‖² and [A; √lam I]ᴴ U of both parts."""
        root = np.full(squared.shape, self._root)
        return squared + inner(self._lower, self._lower, squared.shape), plus(back, root, self._lower)

    def normal(self, p: Vector) -> Vector:
        return plus(self._system.normal(p), np.array(self._lam), p)


def regularised(system: System, lam: float) -> System:
    """`system` with lam ‖x‖² added to what is minimised."""
    return Regularised(system, lam) if lam else system
