"""How many vectors of an image's size a solver holds: what it says, against what NumPy allocates."""

import tracemalloc

import numpy as np
import pytest

from daskphys.krylov.cg import CG
from daskphys.krylov.lanczos import Lanczos
from daskphys.krylov.lsmr import LSMR
from daskphys.krylov.lsqr import LSQR

N = 1 << 16


class Spread:
    """A diagonal system whose products make their result alone; U is in place of measurements."""

    def __init__(self):
        self.entries = np.linspace(0.01, 1.0, N)
        self.y = np.ones(N)
        self.u = np.empty(N)

    def start(self, x0):
        np.copyto(self.u, self.y)
        if x0 is not None:
            self.u -= self.entries * x0
        return self._seen()

    def step(self, v, scale):
        self.u *= -scale
        for left in range(0, N, 1024):
            part = slice(left, left + 1024)
            self.u[part] += self.entries[part] * v[part]
        return self._seen()

    def _seen(self):
        return np.array([self.u @ self.u]), self.entries * self.u

    def normal(self, p):
        product = self.entries * p
        product *= self.entries
        return product


SOLVERS = [solver(0, 12, lam) for solver in (CG, LSQR, LSMR) for lam in (0.0, 0.1)]


@pytest.mark.parametrize("solver", [*SOLVERS, Lanczos(0, 40), Lanczos(0, 40, 9)], ids=str)
def test_a_solver_holds_as_many_vectors_as_it_says(solver):
    system, x0 = Spread(), np.ones(N)
    tracemalloc.start()
    try:
        solver(system, x0.copy())
        held = tracemalloc.get_traced_memory()[1] / x0.nbytes
    finally:
        tracemalloc.stop()
    assert held - 0.5 <= solver.vectors <= held + 2
