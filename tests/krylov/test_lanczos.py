"""The largest eigenvalue against dense ones and ARPACK's."""

import tracemalloc

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from krylov.dense import Dense, matrix, random
from scipy.sparse.linalg import eigsh

from daskphys.krylov.lanczos import Lanczos


def largest(A, seed=1, **settings):
    start = random(np.random.default_rng(seed), (A.shape[1],), A.dtype.name)
    return Lanczos(**settings)(Dense(A, None), start)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (3, 5), (60, 40), (40, 60)])
def test_equals_the_dense_norm(dtype, shape, rng):
    A = random(rng, shape, dtype)
    solution = largest(A)
    assert solution.converged
    assert solution.value == pytest.approx(np.linalg.norm(A, 2) ** 2, rel=1e-12)
    normal = A.conj().T @ A
    np.testing.assert_allclose(normal @ solution.x, solution.value * solution.x, atol=1e-7 * solution.value)


def test_equals_arpack_through_restarts(rng):
    A = random(rng, (300, 200))
    solution = largest(A, kept=8)
    assert solution.iterations > 8
    assert solution.value == pytest.approx(eigsh(A.T @ A, k=1, return_eigenvectors=False)[0], rel=1e-12)


@pytest.mark.parametrize("rtol", [1e-2, 1e-6, 1e-10])
def test_the_error_is_within_the_residual(rtol, rng):
    """Close eigenvalues below the largest one: the residual is a bound all the same."""
    values = np.sqrt(np.append(np.linspace(0, 1, 200), 1.001))
    A = np.diag(values)
    solution = largest(A, rtol=rtol, max_iter=3000)
    assert solution.converged
    assert solution.residual <= rtol
    error = np.min(abs(solution.value - values**2)) / solution.value
    assert error <= max(solution.residual, 1e-14)
    true = np.linalg.norm(A.T @ A @ solution.x - solution.value * solution.x) / solution.value
    assert true <= 1.01 * solution.residual + 1e-13
    if rtol < 1e-3:
        assert solution.value == pytest.approx(1.001, rel=rtol)


def test_memory_is_bounded(rng, monkeypatch):
    """At most `kept` vectors are orthogonalised against."""
    A = np.diag(np.sqrt(np.linspace(0, 1, 400)))
    seen = []
    import daskphys.krylov.lanczos as module

    whole = module._combined
    monkeypatch.setattr(module, "_combined", lambda basis, w: seen.append(len(basis)) or whole(basis, w))
    solution = largest(A, kept=10, max_iter=2000, rtol=1e-6)
    assert solution.converged
    assert max(seen) == 10
    assert len(seen) > 10


def test_zero_and_multiples_of_one():
    assert largest(np.zeros((4, 4))).value == 0.0
    solution = largest(3.0 * np.eye(5))
    assert (solution.value, solution.iterations) == (pytest.approx(9.0, rel=1e-15), 1)


def test_it_stops_at_max_iter_and_says_so(rng):
    solution = largest(np.diag(np.linspace(0, 1, 500)), max_iter=4)
    assert (solution.iterations, solution.converged) == (4, False)
    assert solution.residual > 1e-10


def test_progress_hears_each_iteration(rng):
    heard = []
    A = random(rng, (30, 20))
    solution = Lanczos()(Dense(A, None), random(rng, (20,)), lambda *said: heard.append(said))
    assert heard == list(enumerate(solution.residuals, 1))


def test_arrays_of_the_array_api(rng):
    A = random(rng, (30, 20), "complex128")
    strict = Dense(array_api_strict.asarray(A), None)
    value = Lanczos()(strict, array_api_strict.asarray(random(rng, (20,), "complex128"))).value
    assert value == pytest.approx(np.linalg.norm(A, 2) ** 2, rel=1e-12)


@given(seed=st.integers(0, 500), n=st.integers(1, 30), kept=st.sampled_from([3, 4, 9, 24]))
def test_any_matrix(seed, n, kept):
    rng = np.random.default_rng(seed)
    A = matrix(rng, n + 3, n, rank=int(rng.integers(1, n + 1)), condition=5)
    assert largest(A, kept=kept).value == pytest.approx(np.linalg.norm(A, 2) ** 2, rel=1e-9)


@pytest.mark.parametrize("kept", [12, 24])
def test_memory_is_what_the_docstring_says(kept, rng):
    class Weights:
        def normal(self, p):
            return p * weights

    weights, start = rng.random(100_000), rng.standard_normal(100_000)
    tracemalloc.start()
    try:
        Lanczos(rtol=0.0, max_iter=kept + 5, kept=kept)(Weights(), start)
        vectors = tracemalloc.get_traced_memory()[1] / start.nbytes
    finally:
        tracemalloc.stop()
    bound = kept + kept // 3 + 2
    assert bound - 1 < vectors < bound + 0.5
