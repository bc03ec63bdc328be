"""The bidiagonalisation of Golub and Kahan (1965), and the iteration that LSQR and LSMR drive it by."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from daskphys.krylov.regularised import regularised
from daskphys.krylov.system import Progress, Scalars, Solution, System, Vector
from daskphys.krylov.vectors import divided, norm, plus, ratio, zeros_like


@dataclass(frozen=True)
class Pair:
    """The last α and β of the bidiagonal matrix, and the last right vector."""

    alpha: Scalars
    beta: Scalars
    v: Vector

    @classmethod
    def first(cls, squared: Scalars, back: Vector) -> Pair:
        """From ‖U‖² and AᴴU: β u = U, α v = Aᴴu."""
        beta = np.sqrt(squared)
        w = divided(back, beta)
        alpha = norm(w, beta.shape)
        return cls(alpha, beta, divided(w, alpha))

    def following(self, system: System, active: Scalars) -> Pair:
        """β' u' = A v − α u, α' v' = Aᴴu' − β' v; zero where a right-hand side is not `active`.

        The system keeps U = β u and not u, so that A and Aᴴ are one round trip.
        """
        squared, back = system.step(self.v, np.where(active, ratio(self.alpha, self.beta), 0.0))
        beta = np.where(active, np.sqrt(squared), 0.0)
        w = plus(divided(back, beta), -beta, self.v)
        alpha = norm(w, beta.shape)
        return Pair(alpha, beta, divided(w, alpha))


@dataclass(frozen=True)
class Update:
    """x ← x + length · direction, and the norms of the residuals then."""

    length: Scalars
    direction: Vector
    residual: Scalars  # ‖y − A x‖
    normal_residual: Scalars  # ‖Aᴴ(y − A x)‖


class Recursion(Protocol):
    """How a solver makes updates of x from the bidiagonalisation."""

    def update(self, pair: Pair) -> Update: ...


def solve(
    begin: Callable[[Pair], Recursion],
    system: System,
    x0: Vector | None,
    rtol: float,
    max_iter: int,
    progress: Progress | None,
) -> Solution:
    """Iterate until each right-hand side is within `rtol` by the tests of Paige and Saunders.

    The residual is the smaller of ‖r‖ / (‖y‖ + ‖A‖ ‖x‖), for equations that have a solution, and
    ‖Aᴴr‖ / (‖A‖ ‖r‖), for those that have none, as the recursions carry them.  ‖A‖ is the longest column of the
    bidiagonal matrix so far, ‖A v‖ of one v: a lower bound.  (The Frobenius norm, which Paige and Saunders take,
    grows with the root of the number of iterations, and the test with it: a residual of 1e-6 was truly 2e-5.)
    """
    squared, back = system.start(None)
    whole = np.sqrt(squared)
    if x0 is not None:
        squared, back = system.start(x0)
    pair = Pair.first(squared, back)
    x = zeros_like(back) if x0 is None else x0
    recursion = begin(pair)
    longest = pair.alpha
    measure = _measure(pair.beta, pair.alpha * pair.beta, whole, pair.alpha, norm(x, whole.shape))
    residuals: list[float] = []
    while (active := (measure > rtol) & np.isfinite(measure)).any() and len(residuals) < max_iter:
        alpha, pair = pair.alpha, pair.following(system, active)
        update = recursion.update(pair)
        x = plus(x, np.where(active, update.length, 0.0), update.direction)
        longest = np.maximum(longest, np.hypot(alpha, pair.beta))
        size = norm(x, whole.shape)
        now = _measure(update.residual, update.normal_residual, whole, longest, size)
        measure = np.where(active, now, measure)
        residuals.append(float(measure.max()))
        if progress is not None:
            progress(len(residuals), residuals[-1])
    # Not `not active.any()`: what has overflowed stops, and has not converged.
    return Solution(x, len(residuals), tuple(residuals), bool((measure <= rtol).all()))


@dataclass(frozen=True)
class Bidiagonal(abc.ABC):
    """A solver that is one recursion on the bidiagonalisation."""

    rtol: float = 1e-6
    max_iter: int = 1000
    lam: float = 0.0

    @property
    @abc.abstractmethod
    def _begin(self) -> Callable[[Pair], Recursion]:
        """The recursion, from the first pair."""

    @property
    def vectors(self) -> int:
        """How many vectors of the image's size there are at most at a time, with a product's argument and result."""
        return 9 + (self.lam > 0)

    def __call__(
        self, system: System, x0: Vector | None = None, progress: Progress | None = None
    ) -> Solution:
        system = regularised(system, self.lam)
        return solve(self._begin, system, x0, self.rtol, self.max_iter, progress)


def _measure(
    residual: Scalars, normal_residual: Scalars, whole: Scalars, operator: Scalars, size: Scalars
) -> Scalars:
    solvable = ratio(residual, whole + operator * size)
    value: Scalars = np.minimum(solvable, ratio(normal_residual, operator * residual))
    return value


def rotation(a: Scalars, b: Scalars) -> tuple[Scalars, Scalars, Scalars]:
    """c, s, r of the plane rotation that takes (a, b) to (r, 0); c = 1 where both are 0."""
    r = np.hypot(a, b)
    return np.where(r == 0, 1.0, ratio(a, r)), ratio(b, r), r
