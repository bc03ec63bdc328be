"""LSQR (Paige and Saunders 1982)."""

from __future__ import annotations

from dataclasses import dataclass

from daskphys.krylov.golub_kahan import Pair, Update, rotation, solve
from daskphys.krylov.regularised import regularised
from daskphys.krylov.system import Progress, Solution, System, Vector
from daskphys.krylov.vectors import plus, ratio


@dataclass(frozen=True)
class LSQR:
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

    rtol: float = 1e-6
    max_iter: int = 1000
    lam: float = 0.0

    @property
    def vectors(self) -> int:
        """How many vectors of the image's size there are at most at a time, with a product's argument and result."""
        return 9 + (self.lam > 0)

    def __call__(
        self, system: System, x0: Vector | None = None, progress: Progress | None = None
    ) -> Solution:
        system = regularised(system, self.lam)
        return solve(_Recursion, system, x0, self.rtol, self.max_iter, progress)


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
