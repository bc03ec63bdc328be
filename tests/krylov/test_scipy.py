"""Iterates, norms and iterations of CG, LSQR and LSMR beside SciPy's."""

import numpy as np
import pytest
from krylov.dense import Dense, matrix, random
from scipy.sparse.linalg import cg as scipy_cg
from scipy.sparse.linalg import lsmr as scipy_lsmr
from scipy.sparse.linalg import lsqr as scipy_lsqr

from daskphys.krylov.cg import CG
from daskphys.krylov.lsmr import LSMR
from daskphys.krylov.lsqr import LSQR


@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_iterates_are_those_of_scipy(lam, rng):
    A, y = matrix(rng, 30, 20, condition=50), random(rng, (30,))
    for k in (1, 2, 3, 5, 7):
        x = scipy_cg(A.T @ A + lam * np.eye(20), A.T @ y, rtol=0, maxiter=k)[0]
        np.testing.assert_allclose(CG(0.0, k, lam)(Dense(A, y)).x, x, rtol=1e-7)
        damp = np.sqrt(lam)
        x = scipy_lsqr(A, y, damp, atol=0, btol=0, conlim=0, iter_lim=k)[0]
        np.testing.assert_allclose(LSQR(0.0, k, lam)(Dense(A, y)).x, x, rtol=1e-8)
        x = scipy_lsmr(A, y, damp, atol=0, btol=0, conlim=0, maxiter=k)[0]
        np.testing.assert_allclose(LSMR(0.0, k, lam)(Dense(A, y)).x, x, rtol=1e-8)


def test_norms_are_monotone(rng):
    """LSQR lowers ‖r‖ at each iteration, LSMR ‖Aᴴr‖."""
    A, y = matrix(rng, 60, 40, condition=100), random(rng, (60,))

    def norms(solver, of):
        xs = [solver(0.0, k)(Dense(A, y)).x for k in range(1, 25)]
        return np.array([np.linalg.norm(of(y - A @ x)) for x in xs])

    assert np.all(np.diff(norms(LSQR, lambda r: r)) < 0)
    assert np.all(np.diff(norms(LSMR, lambda r: A.T @ r)) < 0)


def test_no_more_iterations_than_scipy(rng):
    """SciPy's tests are laxer by the root of the number of iterations, so both stop at the same true residual."""
    A, y = matrix(rng, 60, 40, condition=100), random(rng, (60,))

    def reached(x):
        return np.linalg.norm(A.T @ (y - A @ x)) / (np.linalg.norm(A, 2) * np.linalg.norm(y - A @ x))

    ours = LSMR(1e-8, 500)(Dense(A, y))
    x, _, iterations, *_ = scipy_lsmr(A, y, atol=reached(ours.x) / 10, btol=0, conlim=0, maxiter=500)
    assert reached(x) <= reached(ours.x)
    assert ours.iterations <= iterations <= 1.3 * ours.iterations
