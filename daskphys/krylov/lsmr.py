"""LSMR (Fong and Saunders 2011)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from daskphys.krylov.golub_kahan import Bidiagonal, Pair, Recursion, Update, rotation
from daskphys.krylov.system import Scalars
from daskphys.krylov.vectors import plus, ratio, zeros_like


@dataclass(frozen=True)
class LSMR(Bidiagonal):
    """min ‖A x − y‖² + lam ‖x‖², with one `step` an iteration; ‖Aᴴ(y − A x)‖ falls at each.

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
    D. C.-L. Fong and M. A. Saunders, "LSMR: an iterative algorithm for sparse least-squares problems", SIAM J.
    Sci. Comput. 33 (2011).
    """

    @property
    def _begin(self) -> Callable[[Pair], Recursion]:
        return _Recursion


class _Recursion:
    """Two QR factorisations of bidiagonal matrices, in the names of the paper (its § 2.8, without damping)."""

    def __init__(self, first: Pair) -> None:
        one = np.ones(first.beta.shape)
        self.alphabar, self.zetabar = first.alpha, first.alpha * first.beta
        self.rho, self.rhobar, self.cbar, self.sbar, self.zeta = one, one, one, 0 * one, 0 * one
        self.h, self.hbar = first.v, zeros_like(first.v)
        self._norm = _ResidualNorm(first.beta)

    def update(self, pair: Pair) -> Update:
        rho_old, rhobar_old, zeta_old = self.rho, self.rhobar, self.zeta
        c, s, self.rho = rotation(self.alphabar, pair.beta)
        theta, self.alphabar = s * pair.alpha, c * pair.alpha
        thetabar = self.sbar * self.rho
        self.cbar, self.sbar, self.rhobar = rotation(self.cbar * self.rho, theta)
        self.zeta, self.zetabar = self.cbar * self.zetabar, -self.sbar * self.zetabar
        self.hbar = plus(self.h, -ratio(thetabar * self.rho, rho_old * rhobar_old), self.hbar)
        self.h = plus(pair.v, -ratio(theta, self.rho), self.h)
        length = ratio(self.zeta, self.rho * self.rhobar)
        residual = self._norm.update(c, s, thetabar, self.rhobar, self.zeta, zeta_old)
        return Update(length, self.hbar, residual, abs(self.zetabar))


class _ResidualNorm:
    """‖y − A x‖ from the rotations alone (§ 3.2 of the paper)."""

    def __init__(self, beta: Scalars) -> None:
        one = np.ones(beta.shape)
        self.beta_dd, self.beta_d, self.rho_d, self.tau, self.theta = beta, 0 * one, one, 0 * one, 0 * one

    def update(
        self, c: Scalars, s: Scalars, thetabar: Scalars, rhobar: Scalars, zeta: Scalars, zeta_old: Scalars
    ) -> Scalars:
        beta_hat, self.beta_dd = c * self.beta_dd, -s * self.beta_dd
        theta_old = self.theta
        c_tilde, s_tilde, rho_tilde = rotation(self.rho_d, thetabar)
        self.theta, self.rho_d = s_tilde * rhobar, c_tilde * rhobar
        self.beta_d = -s_tilde * self.beta_d + c_tilde * beta_hat
        self.tau = ratio(zeta_old - theta_old * self.tau, rho_tilde)
        value: Scalars = np.hypot(self.beta_d - ratio(zeta - self.theta * self.tau, self.rho_d), self.beta_dd)
        return value
