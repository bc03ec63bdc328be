"""The largest eigenvalue of AᴴA (Lanczos 1950), by thick restarts (Wu and Simon 2000)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daskphys.krylov.system import Progress, Solution, System, Vector
from daskphys.krylov.vectors import divided, inner, norm, plus, scaled

_ONE = ()  # all of an image is one vector here, leading axes too


@dataclass(frozen=True)
class Lanczos:
    """The largest eigenvalue of AᴴA, as `Solution.value`, from a start vector `x0`; uses `normal` alone.

    Each new vector is orthogonalised against the last two, of which it has the most, and then against all that are
    kept.  When there are `kept` of them, a third, the Ritz vectors of the largest eigenvalues, go on.  The residual
    is ‖AᴴA q − θ q‖ / θ of the Ritz pair (θ, q), which comes from the small matrix as |β s|: there is an eigenvalue
    within that relative distance of θ.  (The distance to it is about the square of that, once the gap to the next is wider.)

    Parameters
    ----------
    rtol
        The residual to stop at.
    max_iter
        How many products at most.
    kept
        How many vectors the basis has at most.  At a restart the old and the new one exist together: with the product
        and a temporary ``kept + kept // 3 + 2`` vectors of the image's size, in the precision of `x0`.

    References
    ----------
    C. Lanczos, J. Res. Nat. Bur. Standards 45 (1950); K. Wu and H. Simon, SIAM J. Matrix Anal. Appl. 22 (2000);
    B. N. Parlett, The Symmetric Eigenvalue Problem (1980), § 4.5 (the bound).
    """

    rtol: float = 1e-10
    max_iter: int = 1000
    kept: int = 24

    @property
    def vectors(self) -> int:
        """How many vectors of the image's size there are at most at a time, with a product's argument and result."""
        return self.kept + self.kept // 3 + 4

    def __call__(self, system: System, x0: Vector, progress: Progress | None = None) -> Solution:
        basis = [divided(x0, norm(x0, _ONE))]
        projected = np.zeros((self.kept, self.kept))
        residuals: list[float] = []
        while True:
            n = len(basis)
            product = system.normal(basis[-1])
            overlaps = np.zeros(n)
            for i in [*range(max(0, n - 2), n), *range(n)]:
                overlap = inner(basis[i], product, _ONE)
                product = plus(product, -overlap, basis[i])
                overlaps[i] += overlap
            projected[:n, n - 1] = projected[n - 1, :n] = overlaps
            beta = norm(product, _ONE)
            values, small = np.linalg.eigh(projected[:n, :n])
            bound = float(beta * abs(small[-1, -1]))
            residuals.append(bound / values[-1] if bound else 0.0)
            if progress is not None:
                progress(len(residuals), residuals[-1])
            if residuals[-1] <= self.rtol or len(residuals) == self.max_iter:
                break
            if n == self.kept:
                chosen = range(n - self.kept // 3, n)
                basis = [_combined(basis, small[:, i]) for i in chosen]
                projected[:] = 0.0
                np.fill_diagonal(projected, np.append(values[chosen], np.zeros(n - len(chosen))))
            basis.append(divided(product, beta))
        converged = residuals[-1] <= self.rtol
        q = _combined(basis, small[:, -1])
        return Solution(q, len(residuals), tuple(residuals), converged, float(values[-1]))


def _combined(basis: list[Vector], weights: np.ndarray) -> Vector:
    total = scaled(float(weights[0]), basis[0])
    for weight, vector in zip(weights[1:], basis[1:], strict=True):
        total = plus(total, np.array(weight), vector)
    return total
