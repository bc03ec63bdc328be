"""Conjugate gradients on the normal equations (Hestenes and Stiefel 1952)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daskphys.krylov.regularised import regularised
from daskphys.krylov.system import Progress, Scalars, Solution, System, Vector
from daskphys.krylov.vectors import inner, norm, plus, ratio, zeros_like

_GAIN = 0.5  # a cycle that leaves more than this of the residual has come to the rounding level


@dataclass(frozen=True)
class CG:
    """Solves (AᴴA + lam I) x = Aᴴy, with one product `normal` an iteration.

    The residual is ‖Aᴴ(y − A x) − lam x‖ relative to ‖Aᴴ y‖, or to the same of `x0` where that is larger: of y = 0 no
    solution but 0 itself would be near enough.  The recursion that the iteration carries for it drifts from
    the true one in finite precision, so a solution that seems to be within `rtol` is checked by one more
    product.  Where it is not, the iteration goes on from there with the true residual, until it is, or until
    rounding lets it come no nearer.

    Parameters
    ----------
    rtol
        The residual to stop at.
    max_iter
        How many iterations at most.
    lam
        The weight of ‖x‖²: λ ≥ 0.

    References
    ----------
    M. R. Hestenes and E. Stiefel, "Methods of conjugate gradients for solving linear systems", J. Res. Nat.
    Bur. Standards 49 (1952); its § 10 is the form for AᴴA.
    """

    rtol: float = 1e-6
    max_iter: int = 1000
    lam: float = 0.0

    @property
    def vectors(self) -> int:
        """How many vectors of the image's size there are at most at a time, with a product's argument and result."""
        return 8 + (self.lam > 0)

    def __call__(
        self, system: System, x0: Vector | None = None, progress: Progress | None = None
    ) -> Solution:
        system = regularised(system, self.lam)
        squared, back = system.start(None)
        shape, whole = squared.shape, norm(back, squared.shape)
        x = zeros_like(back) if x0 is None else x0
        r = back if x0 is None else _residual(system, back, x)
        size = began = norm(r, shape)
        whole = np.maximum(whole, size)
        stalled = np.zeros(shape, bool)
        residuals: list[float] = []
        p = r
        while True:
            active = (size > self.rtol * whole) & np.isfinite(size) & ~stalled
            if not active.any():
                if not residuals:
                    break
                r = p = _residual(system, back, x)
                size = norm(r, shape)
                stalled |= (size > self.rtol * whole) & (size > _GAIN * began)
                began = size
                residuals[-1] = _largest(size, whole)
                active = (size > self.rtol * whole) & np.isfinite(size) & ~stalled
            if not active.any() or len(residuals) == self.max_iter:
                break
            q = system.normal(p)
            length = np.where(active, ratio(size**2, inner(p, q, shape)), 0.0)
            x, r = plus(x, length, p), plus(r, -length, q)
            new = np.where(active, norm(r, shape), size)
            p = plus(r, ratio(new, size) ** 2, p)
            size = new
            residuals.append(_largest(size, whole))
            if progress is not None:
                progress(len(residuals), residuals[-1])
        return Solution(x, len(residuals), tuple(residuals), bool((size <= self.rtol * whole).all()))


def _residual(system: System, back: Vector, x: Vector) -> Vector:
    """Aᴴ(y − A x) − lam x, by one product."""
    product = system.normal(x)
    return plus(back, -np.ones(()), product)


def _largest(size: Scalars, whole: Scalars) -> float:
    """The largest residual over the right-hand sides."""
    return float(ratio(size, whole).max())
