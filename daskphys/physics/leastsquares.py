"""Iterative forms, for operators whose AᴴA has no closed form."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ConvergenceWarning, warn
from daskphys.krylov.lanczos import Lanczos
from daskphys.krylov.lsmr import LSMR
from daskphys.krylov.progress import Bar
from daskphys.physics.hooks import Hooks
from daskphys.physics.measurements import Measurements
from daskphys.physics.system import as_result, check_finite, gram_dtype


def solve(
    operator: Hooks,
    y: Any,
    shape: Any,
    rtol: float | None,
    max_iter: int | None = None,
    *,
    progress: bool = False,
) -> Any:
    """The least-squares solution of smallest norm of ``operator x = y`` (LSMR, Fong and Saunders 2011).

    Parameters
    ----------
    operator
        The operator; `shape` is that of x.
    rtol
        The relative accuracy to stop at; by default the rounding unit of the dtype of `y`.
    max_iter
        How many iterations at most.
    progress
        Whether to draw a bar on stderr.

    Raises
    ------
    ParameterError
        `y` has NaN or infinity.

    Warns
    -----
    ConvergenceWarning
        It stopped before that; the message gives the residual ‖Aᴴ(Ax − y)‖ relative to ‖A‖ ‖Ax − y‖.
    """
    y = as_result(operator, y)
    check_finite(y, repr(operator), "a measurement")
    eps = backend.eps(y[0] if isinstance(y, Measurements) else y)
    tol = eps if rtol is None else max(rtol, eps)
    limit = max_iter or max(1000, min(_unknowns(shape), 10_000))
    with Bar("A_dagger", tol) if progress else contextlib.nullcontext() as bar:
        solution = operator._solve(LSMR(tol, limit), y, shape, progress=bar)
    if not solution.converged:
        warn(
            f"{operator!r}: LSMR stopped after {solution.iterations} iterations at a relative residual of "
            f"{solution.residual:.2e} of the normal equations (asked for {tol:.1e}): give a larger rtol to be content "
            f"with less, a larger max_iter to go on, or take optim.lsmr(A, y, rtol=…, max_iter=…, progress=True)",
            ConvergenceWarning,
        )
    return solution.x


def largest_eigenvalue(operator: Hooks, shape: Any, rtol: float) -> float:
    """The largest eigenvalue of AᴴA on images of `shape`, within `rtol` (Lanczos 1950).

    Warns
    -----
    ConvergenceWarning
        It is known less well; the message says how well.
    """
    draw = np.random.default_rng(0).standard_normal
    many = isinstance(shape[0], tuple)
    start: Any = Measurements(map(draw, shape)) if many else draw(shape)
    if gram_dtype(operator, "float64") != "float64":
        # Both parts: where A takes a real part, AᴴA takes a real image to other ones than an imaginary one.
        start = start + 1j * (Measurements(map(draw, shape)) if many else draw(shape))
    if many:  # of arrays some may be real alone
        spaces: Any = operator.domain
        pairs = zip(spaces.spaces, start, strict=True)
        start = Measurements(backend.real_part(own) if space.real else own for space, own in pairs)
    solution = operator._solve(Lanczos(rtol), None, shape, start)
    if not solution.converged:
        warn(
            f"{operator!r}: Lanczos stopped after {solution.iterations} iterations with the largest eigenvalue "
            f"{solution.value:.6g} of AᴴA known to {solution.residual:.1e} (asked for {rtol:.1e}): give a "
            f"larger rtol, as in A.compute_norm(shape, rtol=1e-3), which does for a step length",
            ConvergenceWarning,
        )
    assert solution.value is not None
    return solution.value


def _unknowns(shape: Any) -> int:
    return sum(map(backend.size, shape)) if isinstance(shape[0], tuple) else backend.size(shape)
