"""cg, lsqr, lsmr and tikhonov on operators, against dense solutions."""

import sys
import threading
import warnings

import array_api_strict
import numpy as np
import pytest
import torch
from cases import CIRCULAR, MIXED, RAGGED, blur
from hypothesis import given, settings
from hypothesis import strategies as st

from daskphys import backend, optim
from daskphys.errors import ConvergenceWarning
from daskphys.physics import Blur, Diagonal, LinearPhysics, Measurements, gaussian_blur, stack, value

SHAPE = (7, 6)
SOLVERS = [optim.cg, optim.lsqr, optim.lsmr]
EVERY = [*SOLVERS, lambda A, y, lam=0.0, **others: optim.tikhonov(A, y, lam, **others)]
solvers = pytest.mark.parametrize("solve", EVERY, ids=["cg", "lsqr", "lsmr", "tikhonov"])

OPERATORS = {
    "circular stack": CIRCULAR,
    "ragged stack": RAGGED,
    "mixed stack": MIXED,
    "one": blur("reflect", 3, 4),
    "valid": blur("valid", 3, 4),
    "adjoint": blur("valid", 3, 4).H,
    "product": RAGGED @ blur("circular", 3, 4),
    "sum": blur("reflect", 3, 4) + blur("circular", 2, 2),
    "complex": stack((1 + 2j) * blur("valid", 3, 4), 1j * blur("reflect", 2, 2)),
    "AᴴA": blur("reflect", 3, 4).normal(SHAPE),
}


def flat(value):
    return np.concatenate([np.ravel(a) for a in (value if isinstance(value, Measurements) else [value])])


def dense(A):
    unit = np.eye(np.prod(SHAPE)).reshape(-1, *SHAPE)
    return np.stack([flat(A(u)) for u in unit], axis=1)


def measurement(A, rng, dtype="float64", lead=()):
    def one(shape):
        made = rng.standard_normal(shape)
        return (made + 1j * rng.standard_normal(shape) if "complex" in dtype else made).astype(dtype)

    shapes = A.range_shape((*lead, *SHAPE))
    return Measurements(map(one, shapes)) if isinstance(shapes[0], tuple) else one(shapes)


def exact(A, y, lam):
    matrix = dense(A)
    normal = matrix.conj().T @ matrix + lam * np.eye(matrix.shape[1])
    return (np.linalg.pinv(normal, rtol=1e-13, hermitian=True) @ matrix.conj().T @ flat(y)).reshape(SHAPE)


@solvers
@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(("dtype", "lam"), [("complex128", 0.0), ("float64", 0.2)])
def test_equals_the_dense_solution(solve, name, dtype, lam, rng):
    A = OPERATORS[name]
    y = measurement(A, rng, dtype)
    x = solve(A, y, lam=lam, rtol=1e-13)
    assert x.dtype == ("complex128" if name == "complex" else dtype)
    np.testing.assert_allclose(x, exact(A, y, lam), rtol=1e-8, atol=1e-9)


@solvers
def test_an_image_that_is_one_array_a_sensor(solve, rng):
    """The adjoint of a stack takes measurements for images; a warm start is one too."""
    A, x = RAGGED.H, rng.standard_normal(SHAPE)
    matrix = dense(RAGGED).T
    x0 = measurement(RAGGED, rng)
    for lam in (0.0, 0.2):
        expected = matrix.T @ np.linalg.solve(matrix @ matrix.T + lam * np.eye(42), x.ravel())
        np.testing.assert_allclose(flat(solve(A, x, lam=lam, rtol=1e-13)), expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(flat(solve(A, x, lam=0.2, rtol=1e-13, x0=x0)), expected, rtol=1e-7, atol=1e-9)


@solvers
@pytest.mark.parametrize(("dtype", "lam"), [("complex64", 0.0), ("float32", 0.2)])
def test_leading_axes_are_solved_one_by_one(solve, lam, dtype, rng):
    y = measurement(RAGGED, rng, dtype, lead=(2, 3))
    y = y.map(lambda a: a * np.array([1.0, 1e-3, 0.0]).astype(a.real.dtype)[:, None, None])
    together = solve(RAGGED, y, lam=lam, rtol=1e-4)
    assert together.dtype == dtype
    for i in range(2):
        for j in range(3):
            alone = solve(RAGGED, y.map(lambda a, i=i, j=j: a[i, j]), lam=lam, rtol=1e-4)
            np.testing.assert_array_equal(together[i, j], alone)


def test_axes_that_an_inner_operator_mixes_are_one_problem(rng):
    """A product's leading axes are those that neither factor acts on."""

    @value
    class Mix(LinearPhysics):
        domain_ndim = 3

        def _forward(self, x):
            return np.einsum("ij,...jkl->...ikl", np.array([[1.0, 0.9], [0.3, 1.0]]), x)

        def _adjoint(self, y, shape):
            return np.einsum("ji,...jkl->...ikl", np.array([[1.0, 0.9], [0.3, 1.0]]), y)

    B = blur("reflect", 3, 3)
    x = rng.standard_normal((3, 2, *SHAPE))
    for A in (Mix() @ B, B @ Mix(), B @ Mix() @ B, stack(B, B @ Mix() @ B)):
        assert A.domain.ndim == 3
        for solve in SOLVERS:
            np.testing.assert_allclose(solve(A, A(x), rtol=1e-12), x, atol=1e-8)
        np.testing.assert_allclose(A.A_dagger(A(x)), x, atol=1e-10)


@solvers
@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_a_warm_start_has_the_same_solution_and_is_not_written_to(solve, lam, rng):
    y, x0 = measurement(MIXED, rng), 5 * rng.standard_normal(SHAPE)
    x0.flags.writeable = False
    for array in y:
        array.flags.writeable = False
    np.testing.assert_allclose(
        solve(MIXED, y, lam=lam, x0=x0, rtol=1e-13), exact(MIXED, y, lam), rtol=1e-8, atol=1e-9
    )
    start = exact(MIXED, y, lam)
    result = solve(MIXED, y, lam=lam, x0=start, rtol=1e-6)
    assert not np.shares_memory(result, start)


@pytest.mark.parametrize("solve", SOLVERS)
def test_a_warm_start_saves_iterations(solve, rng):
    y = measurement(MIXED, rng)

    def count(**others):
        heard = []
        solve(MIXED, y, lam=0.01, rtol=1e-6, callback=lambda i, r: heard.append(i), **others)
        assert heard == list(range(1, len(heard) + 1))
        return len(heard)

    assert 0 < count(x0=exact(MIXED, y, 0.01) + 1e-5) < count()
    # LSQR and LSMR know ‖A‖ after one iteration, and before it not what is small.
    assert count(x0=exact(MIXED, y, 0.01)) <= (0 if solve is optim.cg else 1)


@settings(max_examples=15)
@given(
    lam=st.floats(1e-4, 10),
    power=st.integers(-6, 6),
    seed=st.integers(0, 99),
    name=st.sampled_from(["one", "ragged stack"]),
)
def test_the_minimum_is_where_the_gradient_is_zero(lam, power, seed, name):
    A = OPERATORS[name]
    y = measurement(A, np.random.default_rng(seed)) * 10.0**power
    back = A.A_adjoint(y)
    for solve in EVERY:
        x = solve(A, y, lam=lam, rtol=1e-10)
        gradient = A.A_adjoint_A(x) + lam * x - back
        assert np.linalg.norm(gradient) <= 1e-8 * np.linalg.norm(back)


# -- what it costs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sensors", [1, 8])
def test_cg_with_a_merged_operator_is_one_fft_pair_an_iteration(sensors, rng):
    A = stack(*[blur("circular", 3, 4, seed=i) for i in range(sensors)])
    y, iterations = A(rng.standard_normal((16, 16))), []
    A.normal((16, 16)), A(y[0])
    with backend.count_transforms() as count:
        optim.cg(A, y, lam=1e-3, callback=lambda i, r: iterations.append(i))
    assert count.total == sensors + 1 + 2 * (len(iterations) + 1)


def test_tikhonov_with_a_merged_operator_does_not_iterate(rng):
    A = CIRCULAR
    y = A(rng.standard_normal(SHAPE))
    A.normal(SHAPE)
    with backend.count_transforms() as count:
        x = optim.tikhonov(A, y, 0.3, callback=lambda i, r: pytest.fail("it iterated"))
    assert count.total == len(A) + 1
    np.testing.assert_allclose(x, exact(A, y, 0.3), rtol=1e-12)


@pytest.mark.parametrize("lam", [0.0, 0.3])
def test_tikhonov_iterates_where_what_merges_has_no_closed_inverse(lam, rng):
    A = stack(blur("circular", 3, 4), Diagonal(1 + rng.random(SHAPE)))
    y, heard = A(rng.standard_normal(SHAPE)), []
    x = optim.tikhonov(A, y, lam, rtol=1e-13, callback=lambda i, r: heard.append(i))
    assert heard
    np.testing.assert_allclose(x, exact(A, y, lam), rtol=1e-9, atol=1e-10)


def test_tikhonov_in_single_precision_divides_in_the_fourier_domain(rng):
    """(AᴴA + lam I)⁻¹ of the image Aᴴy would lose what 1 / (σ² + lam) amplifies."""
    A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
    x = rng.random((64, 64))
    y = A(x)
    expected = optim.tikhonov(A, y, 1e-5)
    got = optim.tikhonov(A, y.map(lambda a: a.astype(np.float32)), 1e-5)
    assert got.dtype == np.float32
    assert np.linalg.norm(got - expected) <= 3e-5 * np.linalg.norm(expected)


# -- what it says ---------------------------------------------------------------------------------------------


@solvers
def test_what_does_not_converge_warns_with_its_residual(solve, rng):
    A = Blur(gaussian_blur(3.0), "reflect")
    heard = []
    with pytest.warns(
        ConvergenceWarning, match=r"optim.\w+\(Blur\(23×23, reflect\)\) stopped after 7 iter"
    ) as seen:
        solve(A, rng.standard_normal((40, 40)), max_iter=7, callback=lambda i, r: heard.append(r))
    assert f"residual of {heard[-1]:.2e} (asked for 1.0e-06)" in str(seen[0].message)
    assert seen[0].filename == __file__  # and not a line of the package


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("solve", SOLVERS)
def test_what_overflows_says_so(solve):
    y = RAGGED(np.ones(SHAPE, np.float32)).map(lambda a: np.full_like(a, 3e38))
    with pytest.warns(ConvergenceWarning, match="overflowed float32"):
        solve(8.0 * RAGGED, y)


def test_cg_says_when_rounding_keeps_it_away(rng):
    y = MIXED(rng.standard_normal(SHAPE).astype(np.float32))
    with pytest.warns(ConvergenceWarning, match="came no nearer by rounding"):
        x = optim.cg(MIXED, y, rtol=1e-12)
    assert np.all(np.isfinite(x))


@pytest.mark.parametrize("solve", SOLVERS)
def test_what_a_callback_raises_comes_out(solve, rng):
    heard = []

    def stop(iteration, residual):
        heard.append(iteration)
        if iteration == 2:
            raise StopAsyncIteration("enough")

    with pytest.raises(StopAsyncIteration, match="enough"):
        solve(MIXED, measurement(MIXED, rng), callback=stop)
    assert heard == [1, 2]


@pytest.fixture
def without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


@pytest.mark.parametrize("solve", SOLVERS)
def test_tqdms_bar_fills_up(solve, rng, capsys):
    before = set(threading.enumerate())
    solve(MIXED, measurement(MIXED, rng), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    first, *_, last = [line for line in err.replace("\n", "\r").split("\r") if line.strip()]
    assert first.startswith(f"  0%|{' ' * 20}| {solve.__name__}: iteration 1, residual")
    assert last.startswith(f"100%|{'█' * 20}| {solve.__name__}: iteration")
    assert err.endswith("\n")
    assert set(threading.enumerate()) <= before  # tqdm's watchman among them


@pytest.mark.usefixtures("without_tqdm")
@pytest.mark.parametrize("solve", SOLVERS)
def test_the_bar_fills_up(solve, rng, capsys):
    solve(MIXED, measurement(MIXED, rng), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    first, *_, last = [line for line in err.replace("\n", "\r").split("\r") if line]
    assert f"[{' ' * 20}] {solve.__name__}: iteration 1, residual" in first
    assert last.startswith(f"[{'#' * 20}] {solve.__name__}: iteration")
    assert err.endswith("\n")


@pytest.mark.parametrize("module", ["tqdm.auto", "tqdm.none"])
def test_the_bar_ends_its_line_when_the_iteration_is_interrupted(module, rng, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)

    def stop(iteration, residual):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optim.cg(MIXED, measurement(MIXED, rng), progress=True, callback=stop)
    assert capsys.readouterr().err.endswith("\n")


# -- kinds of arrays ------------------------------------------------------------------------------------------


@solvers
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_tensors_come_back_as_tensors(solve, dtype, rng):
    for A in (RAGGED, CIRCULAR, blur("reflect", 3, 4)):
        y, x0 = measurement(A, rng, dtype), rng.standard_normal(SHAPE).astype(dtype)
        many = isinstance(y, Measurements)
        tensors = y.map(torch.from_numpy) if many else torch.from_numpy(y)
        x = solve(A, tensors, lam=0.1, x0=torch.from_numpy(x0))
        assert isinstance(x, torch.Tensor)
        np.testing.assert_array_equal(x.numpy(), solve(A, y, lam=0.1, x0=x0))


@solvers
def test_arrays_of_the_array_api_stay(solve, rng):
    y = measurement(RAGGED, rng, "float32")
    x = solve(RAGGED, y.map(array_api_strict.asarray), lam=0.1, x0=np.ones(SHAPE, np.float32))
    assert x.dtype == array_api_strict.float32
    expected = solve(RAGGED, y, lam=0.1, x0=np.ones(SHAPE, np.float32))
    np.testing.assert_allclose(np.asarray(x), expected, rtol=1e-4, atol=1e-5)


def test_real_measurements_of_a_complex_operator(rng):
    A = OPERATORS["complex"]
    y = measurement(A, rng)
    x = optim.lsqr(A, y, lam=0.1, rtol=1e-13, x0=np.ones(SHAPE))
    assert x.dtype == np.complex128
    np.testing.assert_allclose(x, exact(A, y, 0.1), atol=1e-10)


def test_nothing_warns_that_converges(rng):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for solve in EVERY:
            solve(MIXED, measurement(MIXED, rng, "float32"))
