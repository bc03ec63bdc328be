"""Least squares and Tikhonov's regularisation with any operator."""

from __future__ import annotations

import numbers
from typing import Any

from daskphys.errors import ParameterError, UnsupportedArrayError, checks_keywords, describe
from daskphys.krylov.cg import CG
from daskphys.krylov.lsmr import LSMR
from daskphys.krylov.lsqr import LSQR
from daskphys.optim.problem import Callback, Problem
from daskphys.physics.base import LinearPhysics
from daskphys.physics.checks import check_iteration, check_rtol
from daskphys.physics.physics import Physics


@checks_keywords
def cg(
    A: LinearPhysics,
    y: Any,
    *,
    lam: float = 0.0,
    x0: Any = None,
    rtol: float = 1e-6,
    max_iter: int = 1000,
    callback: Callback | None = None,
    progress: bool = False,
) -> Any:
    """The minimum of ‖A x − y‖² + lam ‖x‖², by conjugate gradients on the normal equations.

    One product AᴴA an iteration, which is one FFT pair where it merges (circular blurs, however many).  Leading
    axes are problems of their own, with step lengths of their own; one that has converged stays as it is.

    Parameters
    ----------
    A : LinearPhysics
        Any operator: plain, distributed, an adjoint, a product.
    y : array or Measurements
        A measurement, of the shape of A x: NumPy, CuPy or torch.
    lam : float
        The weight of ‖x‖²: 0 or more.
    x0 : array, optional
        Where to start, of the shape of x; by default 0.  It is cast to the precision of `y` and not written to.
    rtol : float
        Stops when ‖Aᴴ(y − A x) − lam x‖ ≤ rtol ‖Aᴴ y‖ (of the left side at `x0`, where that is larger): 0 or more,
        less than 1.  It is checked once more with the true residual.
    max_iter : int
        Stops after that many iterations: 1 or more.
    callback : callable, optional
        ``callback(iteration, residual)`` after each iteration, counted from 1, with the relative residual (the
        largest of all problems).  What it raises ends the iteration and comes out here.
    progress : bool
        Whether to draw a bar: tqdm's, a widget in a notebook, or on stderr where tqdm is not installed.

    Returns
    -------
    array
        The estimate x, of the kind and the dtype of `y` (complex for a complex operator).  Tensors come back without a gradient.

    Raises
    ------
    ShapeError, DtypeError, UnsupportedArrayError
        `y` or `x0` does not fit; Dask arrays have to be computed first.
    ParameterError
        `lam`, `rtol`, `max_iter`, `callback` or `progress` is out of its domain; `y` or `x0` has NaN or infinity.

    Warns
    -----
    ConvergenceWarning
        The iteration stopped before its tolerance; the message gives the residual that it reached.

    References
    ----------
    M. R. Hestenes and E. Stiefel, J. Res. Nat. Bur. Standards 49 (1952).

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys import optim
    >>> from daskphys.physics import Blur, gaussian_blur, stack
    >>> A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0), padding="valid"))
    >>> x = np.random.default_rng(0).random((32, 32))
    >>> seen = []
    >>> estimate = optim.cg(A, A(x), lam=0.1, callback=lambda i, residual: seen.append(residual))
    >>> estimate.shape, seen[-1] <= 1e-6
    ((32, 32), True)
    """
    return _problem("cg", CG, A, lam, x0, rtol, max_iter, callback, progress).solve(y)


@checks_keywords
def lsqr(
    A: LinearPhysics,
    y: Any,
    *,
    lam: float = 0.0,
    x0: Any = None,
    rtol: float = 1e-6,
    max_iter: int = 1000,
    callback: Callback | None = None,
    progress: bool = False,
) -> Any:
    """The minimum of ‖A x − y‖² + lam ‖x‖², by LSQR (Paige and Saunders 1982).

    As `cg`, but it does not square the condition number: for ill-conditioned operators.
    One product A and one Aᴴ an iteration, in one round trip to the workers.

    It stops when, of [A; √lam I] and [y; 0], ‖r‖ ≤ rtol (‖y‖ + ‖A‖ ‖x‖) or ‖Aᴴr‖ ≤ rtol ‖A‖ ‖r‖; `callback` gets the
    smaller of the two ratios.  From x0 = 0 and with lam = 0 it finds the solution of smallest norm.

    Parameters
    ----------
    A : LinearPhysics
        Any operator: plain, distributed, an adjoint, a product.
    y : array or Measurements
        A measurement, of the shape of A x: NumPy, CuPy or torch.
    lam : float
        The weight of ‖x‖²: 0 or more.
    x0 : array, optional
        Where to start, of the shape of x; by default 0.
    rtol : float
        Where it stops, as said above: 0 or more, less than 1.
    max_iter : int
        Stops after that many iterations: 1 or more.
    callback : callable, optional
        ``callback(iteration, residual)`` after each iteration, as that of `cg`.
    progress : bool
        Whether to draw a bar.

    Returns
    -------
    array
        The estimate x, of the kind and the dtype of `y` (complex for a complex operator).

    Raises
    ------
    ShapeError, DtypeError, UnsupportedArrayError
        `y` or `x0` does not fit; Dask arrays have to be computed first.
    ParameterError
        `lam`, `rtol`, `max_iter`, `callback` or `progress` is out of its domain; `y` or `x0` has NaN or infinity.

    Warns
    -----
    ConvergenceWarning
        The iteration stopped before its tolerance; the message gives the residual that it reached.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys import optim
    >>> from daskphys.physics import Blur
    >>> A = Blur(np.array([[0.1, 1.0, 0.2]]), padding="reflect")
    >>> x = np.random.default_rng(0).random((16, 16))
    >>> bool(np.allclose(optim.lsqr(A, A(x), rtol=1e-12), x))
    True
    """
    return _problem("lsqr", LSQR, A, lam, x0, rtol, max_iter, callback, progress).solve(y)


@checks_keywords
def lsmr(
    A: LinearPhysics,
    y: Any,
    *,
    lam: float = 0.0,
    x0: Any = None,
    rtol: float = 1e-6,
    max_iter: int = 1000,
    callback: Callback | None = None,
    progress: bool = False,
) -> Any:
    """The minimum of ‖A x − y‖² + lam ‖x‖², by LSMR (Fong and Saunders 2011).

    As `lsqr`, but ‖Aᴴr‖ falls at each iteration, so that it may be stopped early.

    Parameters
    ----------
    A : LinearPhysics
        Any operator: plain, distributed, an adjoint, a product.
    y : array or Measurements
        A measurement, of the shape of A x: NumPy, CuPy or torch.
    lam : float
        The weight of ‖x‖²: 0 or more.
    x0 : array, optional
        Where to start, of the shape of x; by default 0.
    rtol : float
        Where it stops, as `lsqr` does: 0 or more, less than 1.
    max_iter : int
        Stops after that many iterations: 1 or more.
    callback : callable, optional
        ``callback(iteration, residual)`` after each iteration, as that of `cg`.
    progress : bool
        Whether to draw a bar.

    Returns
    -------
    array
        The estimate x, of the kind and the dtype of `y` (complex for a complex operator).

    Raises
    ------
    ShapeError, DtypeError, UnsupportedArrayError
        `y` or `x0` does not fit; Dask arrays have to be computed first.
    ParameterError
        `lam`, `rtol`, `max_iter`, `callback` or `progress` is out of its domain; `y` or `x0` has NaN or infinity.

    Warns
    -----
    ConvergenceWarning
        The iteration stopped before its tolerance; the message gives the residual that it reached.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys import optim
    >>> from daskphys.physics import Blur
    >>> A = Blur(np.array([[0.1, 1.0, 0.2]]), padding="reflect")
    >>> x = np.random.default_rng(0).random((16, 16))
    >>> bool(np.allclose(optim.lsmr(A, A(x), rtol=1e-12), x))
    True
    """
    return _problem("lsmr", LSMR, A, lam, x0, rtol, max_iter, callback, progress).solve(y)


@checks_keywords
def tikhonov(
    A: LinearPhysics,
    y: Any,
    lam: float,
    *,
    x0: Any = None,
    rtol: float = 1e-6,
    max_iter: int = 1000,
    callback: Callback | None = None,
    progress: bool = False,
) -> Any:
    """(AᴴA + lam I)⁻¹ Aᴴ y: the minimum of ‖A x − y‖² + lam ‖x‖².

    In closed form where AᴴA merges (circular blurs): exact to rounding, without an iteration, so that `callback` hears
    nothing and `x0` is not needed.  Elsewhere by `lsmr`.  With lam = 0 it is the solution of smallest norm.

    Parameters
    ----------
    A : LinearPhysics
        Any operator: plain, distributed, an adjoint, a product.
    y : array or Measurements
        A measurement, of the shape of A x: NumPy, CuPy or torch.
    lam : float
        λ, the weight of ‖x‖²: 0 or more.
    x0 : array, optional
        Where to start, of the shape of x; by default 0.
    rtol : float
        Where the iteration stops, as `lsqr` does: 0 or more, less than 1.
    max_iter : int
        Stops after that many iterations: 1 or more.
    callback : callable, optional
        ``callback(iteration, residual)`` after each iteration, as that of `cg`.
    progress : bool
        Whether to draw a bar.

    Returns
    -------
    array
        The estimate x, of the kind and the dtype of `y` (complex for a complex operator).

    Raises
    ------
    ShapeError, DtypeError, UnsupportedArrayError
        `y` or `x0` does not fit; Dask arrays have to be computed first.
    ParameterError
        `lam`, `rtol`, `max_iter`, `callback` or `progress` is out of its domain; `y` or `x0` has NaN or infinity.

    Warns
    -----
    ConvergenceWarning
        The iteration stopped before its tolerance; the message gives the residual that it reached.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys import optim
    >>> from daskphys.physics import Blur, gaussian_blur, stack
    >>> A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
    >>> x = np.random.default_rng(0).random((32, 32))
    >>> estimate = optim.tikhonov(A, A(x), 0.01)
    >>> bool(np.allclose(A.A_adjoint_A(estimate) + 0.01 * estimate, A.A_adjoint(A(x))))
    True
    """
    problem = _problem("tikhonov", LSMR, A, lam, x0, rtol, max_iter, callback, progress, closed_form=True)
    return problem.solve(y)


def _problem(
    name: str,
    solver: Any,
    A: Any,
    lam: Any,
    x0: Any,
    rtol: Any,
    max_iter: Any,
    callback: Any,
    progress: Any,
    closed_form: bool = False,
) -> Problem:
    """What the user asked for, with every parameter in its domain."""
    if not isinstance(A, LinearPhysics):
        got = repr(A) if isinstance(A, Physics) else describe(A)
        raise UnsupportedArrayError(f"optim.{name} expected a linear operator, got {got}")
    owner = f"optim.{name}({A!r})"
    if isinstance(lam, bool) or not isinstance(lam, numbers.Real) or not 0 <= float(lam) < float("inf"):
        raise ParameterError(f"{owner} expected lam >= 0, got {lam!r}")
    limit = check_iteration(owner, max_iter, progress)
    if not (callback is None or callable(callback)):
        raise ParameterError(
            f"{owner} expected callback(iteration, residual) or None, got {describe(callback)}"
        )
    settings = solver(check_rtol(owner, rtol), limit, float(lam))
    return Problem(name, A, settings, x0, callback, progress, closed_form)
