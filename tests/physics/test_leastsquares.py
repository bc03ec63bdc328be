"""Iterative forms, for operators whose AᴴA has no closed form, against dense solutions."""

import warnings

import numpy as np
import pytest
from cases import MIXED, RAGGED, blur, kernel, raises

from daskphys import backend, optim
from daskphys.errors import ConvergenceWarning, ParameterError
from daskphys.physics import Blur, LinearPhysics, Measurements, block_diagonal, gaussian_blur, stack, value
from daskphys.physics.base import PseudoInverse

SHAPE = (7, 6)


def matrix(operator, shape=SHAPE):
    """The dense matrix on real images of `shape`, column by column; stacks have their sensors' rows one after another."""
    columns = []
    for i in range(int(np.prod(shape))):
        unit = np.zeros(shape)
        unit.flat[i] = 1.0
        columns.append(flat(operator(unit)))
    return np.stack(columns, axis=1)


def flat(value):
    return np.concatenate([np.ravel(a) for a in (value if isinstance(value, Measurements) else [value])])


def random_output(operator, rng, dtype=np.float64, shape=SHAPE):
    def one(s):
        a = rng.standard_normal(s)
        return (a + 1j * rng.standard_normal(s) if np.dtype(dtype).kind == "c" else a).astype(dtype)

    made = operator.range_shape(shape)
    return Measurements(one(s) for s in made) if isinstance(made[0], tuple) else one(made)


OPERATORS = {
    "valid": blur("valid", 3, 4),
    "reflect": blur("reflect", 3, 4),
    "replicate": blur("replicate", 2, 5),
    "composed": blur("valid", 2, 2) @ blur("circular", 3, 4),
    "sum": blur("reflect", 3, 4) + blur("circular", 2, 2),
    "scaled": -2.0 * blur("reflect", 3, 4),
    "ragged stack": RAGGED,
    "mixed stack": MIXED,
    "adjoint": blur("valid", 3, 4).H,
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_equals_the_dense_pseudo_inverse(name, dtype, rng):
    A = OPERATORS[name]
    y = random_output(A, rng, dtype)
    expected = np.linalg.pinv(matrix(A)) @ flat(y)
    got = A.A_dagger(y)
    assert got.dtype == dtype
    np.testing.assert_allclose(got.ravel(), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision(dtype, rng):
    y = random_output(MIXED, rng, dtype)
    got = MIXED.A_dagger(y)
    assert got.dtype == dtype
    expected = np.linalg.pinv(matrix(MIXED)) @ flat(y)
    assert np.linalg.norm(got.ravel() - expected) <= 2e-5 * np.linalg.norm(expected)


def test_complex_operator(rng):
    A = stack((1 + 2j) * blur("valid", 3, 4), 1j * blur("reflect", 2, 2))
    y = random_output(A, rng, np.complex128)
    expected = np.linalg.pinv(matrix(A)) @ flat(y)
    np.testing.assert_allclose(A.A_dagger(y).ravel(), expected, rtol=1e-9, atol=1e-11)


def test_leading_axes(rng):
    A = blur("reflect", 3, 4)
    y = rng.standard_normal((2, 3, *SHAPE))
    x = A.A_dagger(y)
    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(x[i, j], A.A_dagger(y[i, j]), rtol=1e-9, atol=1e-11)


def test_smallest_norm_where_there_are_many_solutions(rng):
    """A valid blur sees fewer pixels than there are: the solution has no part in its null space."""
    A = blur("valid", 3, 4)
    y = random_output(A, rng)
    x = A.A_dagger(y)
    dense = matrix(A)
    assert np.linalg.matrix_rank(dense) < dense.shape[1]
    np.testing.assert_allclose(dense @ x.ravel(), y.ravel(), atol=1e-11)
    null = np.eye(dense.shape[1]) - np.linalg.pinv(dense) @ dense
    np.testing.assert_allclose(null @ x.ravel(), 0, atol=1e-11)


def test_smallest_norm_of_an_inconsistent_singular_system(rng):
    """Both sensors lose the same images, and no image explains both measurements."""
    lose = Blur(np.ones((1, 2)) / 2)  # loses the alternating columns
    A = stack(blur("reflect", 2, 2) @ lose, blur("valid", 2, 3) @ lose)
    y = random_output(A, rng)
    dense = matrix(A)
    assert np.linalg.matrix_rank(dense) == dense.shape[1] - SHAPE[0]
    np.testing.assert_allclose(A.A_dagger(y).ravel(), np.linalg.pinv(dense, rtol=1e-12) @ flat(y), atol=1e-10)


def test_adjoint_of_the_pseudo_inverse(rng):
    x = rng.standard_normal(SHAPE)
    got = PseudoInverse(RAGGED).A_adjoint(x)
    np.testing.assert_allclose(flat(got), np.linalg.pinv(matrix(RAGGED)).T @ x.ravel(), atol=1e-10)


def test_zero_gives_zero():
    y = RAGGED(np.zeros(SHAPE))
    np.testing.assert_array_equal(RAGGED.A_dagger(y), np.zeros(SHAPE))


def test_a_larger_rtol_stops_earlier(rng):
    A, calls = blur("reflect", 3, 4), []
    y = rng.standard_normal((16, 16))
    for rtol in (1e-2, 1e-10):
        with backend.count_transforms() as count:
            A.A_dagger(y, rtol=rtol)
        calls.append(count.total)
    assert calls[0] < calls[1]


def test_what_does_not_converge_warns_with_its_residual(rng):
    A = Blur(gaussian_blur(3.0), "reflect")  # singular values down to 1e-16
    y = rng.standard_normal((40, 40))
    with pytest.warns(
        ConvergenceWarning, match=r"Blur\(23×23, reflect\).*1\d\d\d iterations.*residual of \d\.\d\de-\d+"
    ) as seen:
        x = A.A_dagger(y)
    assert np.all(np.isfinite(x))
    assert seen[0].filename == __file__


def test_what_converges_does_not_warn(rng):
    """To the rounding of the operator itself, which is more than one unit."""
    first = blur("reflect", 2, 2)
    A = stack(*[Blur(kernel(*shape)) for shape in ((3, 4), (5, 5), (2, 3))]) @ first
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(3):
            A.A_dagger(random_output(A, np.random.default_rng(seed), shape=(12, 13)))


def test_iterations_start_the_same_way_every_time(rng):
    y = random_output(MIXED, rng)
    assert MIXED.A_dagger(y).tobytes() == MIXED.A_dagger(y).tobytes()
    assert MIXED.compute_norm(SHAPE) == MIXED.compute_norm(SHAPE)


# -- how far an iteration goes, as it is asked --------------------------------------------------------------------


def test_max_iter_stops_early_and_says_how_to_go_on(rng):
    y = random_output(MIXED, rng)
    with pytest.warns(ConvergenceWarning, match=r"after 3 iterations.*larger max_iter.*optim\.lsmr\(A, y, "):
        x = MIXED.A_dagger(y, max_iter=3)
    with pytest.warns(ConvergenceWarning):
        expected = optim.lsmr(MIXED, y, rtol=np.finfo(float).eps, max_iter=3)
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(MIXED.A_dagger(y, max_iter=1000), MIXED.A_dagger(y))


def test_progress_of_the_iterative_form_alone(rng, capsys):
    MIXED.A_dagger(random_output(MIXED, rng))
    circular = blur("circular", 3, 4)
    circular.A_dagger(random_output(circular, rng), progress=True, max_iter=1)
    assert not capsys.readouterr().err
    MIXED.A_dagger(random_output(MIXED, rng), progress=True)
    assert "A_dagger: iteration" in capsys.readouterr().err


def test_blocks_are_stopped_each(rng):
    A = block_diagonal(blur("reflect", 3, 4), blur("valid", 3, 4))
    y = A(Measurements(rng.standard_normal((2, *SHAPE))))
    with pytest.warns(ConvergenceWarning, match="after 2 iterations"):
        got = A.A_dagger(y, max_iter=2)
    with pytest.warns(ConvergenceWarning):
        np.testing.assert_array_equal(got[1], A[1].A_dagger(y[1], max_iter=2))


@pytest.mark.parametrize("make", [lambda A: A, lambda A: block_diagonal(A, A)], ids=["one", "blocks"])
def test_what_an_iteration_is_asked(make):
    A = make(blur("reflect", 3, 4))
    y = np.ones(SHAPE)  # is not looked at
    for wrong, words in (
        ({"max_iter": 0}, "max_iter >= 1, got 0"),
        ({"max_iter": True}, "max_iter >= 1, got True"),
        ({"progress": 1}, "progress True or False, got 1"),
        ({"rtol": 2.0}, "rtol < 1, got 2.0"),
    ):
        with raises(ParameterError, "A_dagger", words):
            A.A_dagger(y, **wrong)


@value
class Crowded(LinearPhysics):
    """Of very many eigenvalues that lie closely below the largest."""

    def _forward(self, x):
        n = x.shape[-1] * x.shape[-2]
        return x * (1 - (np.arange(n).reshape(x.shape[-2:]) / n) ** 6)

    def _adjoint(self, y, shape):
        return self._forward(y)


def test_a_norm_that_is_out_of_reach_says_what_does():
    A = Crowded()
    with pytest.warns(ConvergenceWarning, match=r"1000 iterations.*compute_norm\(shape, rtol=1e-3\)"):
        norm = A.compute_norm((64, 64))
    assert A.compute_norm((64, 64), rtol=1e-3) == pytest.approx(norm, rel=1e-3)
