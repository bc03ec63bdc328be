"""LSQR (Paige and Saunders 1982)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from daskphys.krylov.golub_kahan import Bidiagonal, Pair, Recursion, Update, rotation
from daskphys.krylov.vectors import plus, ratio


@dataclass(frozen=True)
class LSQR(Bidiagonal):
    """min ‖A x − y‖² + lam ‖x‖², with one `step` an iteration; ‖y − A x‖ falls at each.

    From x0 = 0 it finds the solution of smallest norm.

    Parameters
    ----------
    rtol
        The residual to stop at, as `daskphys.krylov.golub_kahan.solve` measures it.
    max_iter
        How many iterations at most.
    lam
        The weight of ‖x‖²: λ ≥ 0.

    References
    ----------
    C. C. Paige and M. A. Saunders, "LSQR: an algorithm for sparse linear equations and sparse least squares",
    ACM Trans. Math. Software 8 (1982).
    """

    @property
    def _begin(self) -> Callable[[Pair], Recursion]:
        return _Recursion


class _Recursion:
    """The QR factorisation of the bidiagonal matrix, in the names of the paper (its § 4.1)."""

    def __init__(self, first: Pair) -> None:
        self.rhobar, self.phibar, self.w = first.alpha, first.beta, first.v

    def update(self, pair: Pair) -> Update:
        c, s, rho = rotation(self.rhobar, pair.beta)
        theta, self.rhobar = s * pair.alpha, -c * pair.alpha
        phi, self.phibar = c * self.phibar, s * self.phibar
        direction, self.w = self.w, plus(pair.v, -ratio(theta, rho), self.w)
        return Update(ratio(phi, rho), direction, abs(self.phibar), abs(self.phibar * pair.alpha * c))
