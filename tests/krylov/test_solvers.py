"""CG, LSQR and LSMR against exact solutions, on dense systems that count their products."""

import pickle

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from krylov.dense import Dense, exact, matrix, random

from daskphys.krylov.cg import CG
from daskphys.krylov.lsmr import LSMR
from daskphys.krylov.lsqr import LSQR

SOLVERS = [CG, LSQR, LSMR]
solvers = pytest.mark.parametrize("solver", SOLVERS)

#: Rows, columns, rank.
SHAPES = [(12, 8, None), (8, 12, None), (9, 9, None), (12, 8, 5), (8, 12, 5), (1, 1, None)]


def relative(got, expected):
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


@solvers
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lam", [0.0, 0.3, 50.0])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_equals_the_exact_solution(solver, shape, lam, dtype, rng):
    A, y = matrix(rng, *shape, dtype=dtype), random(rng, (shape[0],), dtype)
    solution = solver(1e-13, 400, lam)(Dense(A, y))
    assert solution.x.dtype == dtype
    assert relative(solution.x, exact(A, y, lam)) < 1e-10


@solvers
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lam", [0.0, 0.3])
def test_single_precision_stays(solver, shape, lam, rng):
    A, y = matrix(rng, *shape, dtype="float32"), random(rng, (shape[0],), "float32")
    solution = solver(1e-6, 200, lam)(Dense(A, y))
    assert solution.x.dtype == np.float32
    assert relative(solution.x, exact(A, y, lam)) < 1e-4


@solvers
@pytest.mark.parametrize("lam", [0.0, 0.7])
def test_a_warm_start_has_the_same_solution(solver, lam, rng):
    """The damping holds the solution, not the correction: it must not depend on where it starts."""
    A, y = matrix(rng, 12, 8), random(rng, (12,))
    x0 = 10 * random(rng, (8,))
    copy = x0.copy()
    solution = solver(1e-13, 200, lam)(Dense(A, y), x0)
    assert relative(solution.x, exact(A, y, lam)) < 1e-10
    np.testing.assert_array_equal(x0, copy)


@solvers
@pytest.mark.parametrize("lam", [0.0, 0.1])
def test_a_warm_start_saves_iterations(solver, lam, rng):
    A, y = matrix(rng, 60, 40, condition=30), random(rng, (60,))
    cold = solver(1e-8, 500, lam)(Dense(A, y))
    near = exact(A, y, lam) * (1 + 1e-6 * rng.standard_normal(40))
    warm = solver(1e-8, 500, lam)(Dense(A, y), near)
    assert cold.converged
    assert warm.converged
    assert warm.iterations < 0.6 * cold.iterations


@solvers
def test_a_rank_deficient_warm_start_keeps_its_part_in_the_null_space(solver, rng):
    A, y, x0 = matrix(rng, 12, 8, 5), random(rng, (12,)), random(rng, (8,))
    null = np.eye(8) - np.linalg.pinv(A, rtol=1e-12) @ A
    solution = solver(1e-13, 200)(Dense(A, y), x0)
    np.testing.assert_allclose(solution.x, exact(A, y) + null @ x0, atol=1e-10)


@solvers
@given(
    seed=st.integers(0, 1000),
    m=st.integers(1, 12),
    n=st.integers(1, 12),
    lam=st.sampled_from([0.0, 1e-3, 2.0]),
    scale=st.sampled_from([1e-12, 1.0, 1e12]),
    dtype=st.sampled_from(["float64", "complex128"]),
)
def test_any_size_rank_and_scale(solver, seed, m, n, lam, scale, dtype):
    rng = np.random.default_rng(seed)
    A = matrix(rng, m, n, int(rng.integers(1, min(m, n) + 1)), dtype)
    y = scale * random(rng, (2, m), dtype)
    solution = solver(1e-13, 400, lam)(Dense(A, y), progress=lambda i, r: None)
    expected = exact(A, y, lam)
    for got, row in zip(solution.x, expected, strict=True):
        assert relative(got, row) < 1e-8


# -- right-hand sides ----------------------------------------------------------------------------------------


@solvers
@pytest.mark.parametrize("lam", [0.0, 0.2])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_leading_axes_are_problems_of_their_own(solver, lam, dtype, rng):
    """Each stops where it would stop alone, with the same bits; one is zero and one has a far start."""
    A = matrix(rng, 20, 15, dtype=dtype, condition=20)
    y, x0 = random(rng, (2, 3, 20), dtype), np.zeros((2, 3, 15), dtype)
    y[0, 1] = 0
    y[1, 1] *= 1e-6
    x0[1, 2] = 100 * random(rng, (15,), dtype)
    run = solver(1e-4, 100, lam)
    together = run(Dense(A, y), x0)
    alone = {}
    for i in range(2):
        for j in range(3):
            alone[i, j] = run(Dense(A, y[i, j]), x0[i, j])
            assert together.x[i, j].tobytes() == alone[i, j].x.tobytes()
    counts = {one.iterations for one in alone.values()}
    assert len(counts) > 1
    assert together.iterations == max(counts)
    assert together.converged


@solvers
@pytest.mark.parametrize("lam", [0.0, 0.2])
def test_zero_gives_zero_without_an_iteration(solver, lam):
    system = Dense(np.eye(3), np.zeros((2, 3)))
    solution = solver(0.0, 10, lam)(system)
    np.testing.assert_array_equal(solution.x, 0.0)
    assert (solution.iterations, solution.converged, solution.residual) == (0, True, 0.0)
    assert system.steps + system.normals == 0


@solvers
def test_what_the_adjoint_does_not_see_gives_zero(solver):
    A = np.array([[1.0], [0.0]])
    solution = solver()(Dense(A, np.array([0.0, 5.0])))
    np.testing.assert_array_equal(solution.x, 0.0)
    assert solution.converged


@solvers
def test_an_exact_start_stays(solver):
    A, x = np.diag([1.0, 2.0, 4.0]), np.array([1.0, -3.0, 0.5])
    solution = solver()(Dense(A, A @ x), x)
    np.testing.assert_array_equal(solution.x, x)
    assert (solution.iterations, solution.converged) == (0, True)


@solvers
@pytest.mark.parametrize("rtol", [0.0, 1e-15])
def test_no_nan_when_the_krylov_space_is_spent(solver, rtol):
    """Three eigenvalues: three iterations, and a hundred more must do no harm."""
    A = np.diag([1.0, 2.0, 3.0, 3.0, 2.0])
    y = np.array([[1.0, 1.0, 1.0, 2.0, 5.0], [0.0, 0.0, 0.0, 1.0, 0.0]])
    with np.errstate(all="raise", under="ignore"):
        solution = solver(rtol, 100)(Dense(A, y))
    np.testing.assert_allclose(solution.x, y / np.diag(A), rtol=1e-14, atol=1e-15)


# -- what it costs and says -----------------------------------------------------------------------------------


def test_cg_uses_one_normal_product_an_iteration(rng):
    A, y = matrix(rng, 20, 15), random(rng, (20,))
    system = Dense(A, y)
    solution = CG(1e-6, 100)(system)
    assert (system.starts, system.steps, system.normals) == (1, 0, solution.iterations + 1)
    system = Dense(A, y)
    solution = CG(1e-6, 100)(system, np.ones(15))
    assert (system.starts, system.steps, system.normals) == (1, 0, solution.iterations + 2)


@pytest.mark.parametrize("solver", [LSQR, LSMR])
def test_the_others_use_one_step_an_iteration(solver, rng):
    A, y = matrix(rng, 20, 15), random(rng, (20,))
    system = Dense(A, y)
    solution = solver(1e-6, 100, 0.1)(system)
    assert (system.starts, system.steps, system.normals) == (1, solution.iterations, 0)
    system = Dense(A, y)
    solver(1e-6, 100, 0.1)(system, np.ones(15))
    assert system.starts == 2  # once for ‖y‖


@solvers
def test_progress_hears_each_iteration_and_may_stop_it(solver, rng):
    A, y = matrix(rng, 20, 15), random(rng, (20,))
    heard = []
    solution = solver(1e-8, 100)(Dense(A, y), progress=lambda i, residual: heard.append((i, residual)))
    assert [i for i, _ in heard] == list(range(1, solution.iterations + 1))
    assert all(isinstance(residual, float) for _, residual in heard)
    assert tuple(r for _, r in heard[:-1]) == solution.residuals[:-1]
    assert solution.residuals[-1] == solution.residual <= 1e-8

    def stop(i, residual):
        if i == 3:
            raise KeyboardInterrupt

    system = Dense(A, y)
    with pytest.raises(KeyboardInterrupt):
        solver(1e-8, 100)(system, progress=stop)
    assert system.steps + system.normals == 3


@solvers
def test_it_stops_at_max_iter_and_says_so(solver, rng):
    A, y = matrix(rng, 40, 30, condition=1e4), random(rng, (40,))
    solution = solver(1e-10, 5)(Dense(A, y))
    assert (solution.iterations, len(solution.residuals), solution.converged) == (5, 5, False)
    assert solution.residual > 1e-10


def test_the_residual_of_cg_is_the_true_one(rng):
    """In single precision the recursion goes on falling where the true residual cannot."""
    A, y = matrix(rng, 40, 30, dtype="float32", condition=100), random(rng, (40,), "float32")
    solution = CG(1e-9, 2000)(Dense(A, y))
    wide = A.astype(float)
    true = np.linalg.norm(wide.T @ (y - wide @ solution.x)) / np.linalg.norm(wide.T @ y)
    assert not solution.converged
    assert 1e-9 < true < 1e-4
    assert true / 30 < solution.residual < 30 * true
    assert solution.iterations < 2000


@pytest.mark.parametrize("solver", [LSQR, LSMR])
@pytest.mark.parametrize("consistent", [True, False])
def test_the_residual_of_the_others_is_the_true_one(solver, consistent, rng):
    A = matrix(rng, 40, 30, condition=100)
    y = A @ random(rng, (30,)) if consistent else random(rng, (40,))
    for iterations in (1, 2, 5, 12):
        solution = solver(0.0, iterations)(Dense(A, y))
        r = y - A @ solution.x

        def measure(size, x=solution.x, r=r):
            solvable = np.linalg.norm(r) / (np.linalg.norm(y) + size * np.linalg.norm(x))
            return min(solvable, np.linalg.norm(A.T @ r) / (size * np.linalg.norm(r)))

        whole = np.linalg.norm(A, 2)  # of which the solver knows a lower bound
        assert measure(whole) * (1 - 1e-9) <= solution.residual <= measure(whole / 2)


# -- libraries ------------------------------------------------------------------------------------------------


@solvers
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_arrays_of_the_array_api(solver, dtype, rng):
    """Vectors stay arrays of their library."""
    A, y = matrix(rng, 10, 8, dtype=dtype), random(rng, (2, 10), dtype)
    strict = Dense(array_api_strict.asarray(A), array_api_strict.asarray(y))
    run = solver(1e-5, 50, 0.1)
    solution = run(strict)
    assert solution.x.dtype == strict.y.dtype
    np.testing.assert_allclose(np.asarray(solution.x), run(Dense(A, y)).x, rtol=1e-4, atol=1e-5)


@solvers
def test_settings_travel(solver):
    assert pickle.loads(pickle.dumps(solver(1e-3, 7, 0.5))) == solver(1e-3, 7, 0.5)


@solvers
def test_what_is_not_finite_has_not_converged(solver, rng):
    """A bad right-hand side stops, whatever the others do, and leaves them their solutions."""
    A, y = matrix(rng, 12, 8), random(rng, (3, 12))
    y[1, 4] = np.nan
    alone = solver(1e-8, 100)(Dense(A, y[1]))
    assert not alone.converged
    assert np.isnan(alone.residual)
    together = solver(1e-8, 100)(Dense(A, y))
    assert not together.converged
    assert np.isnan(together.residual)
    assert together.iterations < 100
    np.testing.assert_allclose(together.x[[0, 2]], exact(A, y[[0, 2]]), rtol=1e-6)


@solvers
@pytest.mark.parametrize("lam", [0.0, 0.3])
def test_zero_is_reached_from_elsewhere(solver, lam, rng):
    A, x0 = matrix(rng, 12, 8), random(rng, (2, 8))
    y = np.stack([np.zeros(12), random(rng, (12,))])
    solution = solver(1e-6, 300, lam)(Dense(A, y), x0)
    assert solution.converged
    assert solution.iterations < 50
    assert 0 < solution.residual <= 1e-6
    assert np.linalg.norm(solution.x[0]) <= 1e-4 * np.linalg.norm(x0[0])
