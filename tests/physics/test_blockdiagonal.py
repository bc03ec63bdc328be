"""`block_diagonal` and `hstack`: what SciPy's are on flat vectors."""

import dask.array as da
import numpy as np
import pytest
import scipy.sparse

from daskphys import optim
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics import (
    Blur,
    Diagonal,
    GaussianNoise,
    MatrixOperator,
    Measurements,
    block_diagonal,
    gaussian_blur,
    hstack,
    stack,
)
from daskphys.physics.blockdiagonal import BlockDiagonal
from tests.cases import raises

_rng = np.random.default_rng(3)
M, N, K = _rng.standard_normal((4, 3)), _rng.standard_normal((5, 5)), _rng.standard_normal((2, 6))
BLOCKS = block_diagonal(MatrixOperator(M), MatrixOperator(N), MatrixOperator(K, (2, 3)))
WHOLE = scipy.sparse.block_diag([M, N, K]).toarray()


def flat(measurements):
    return np.concatenate([a.ravel() for a in measurements])


def inputs():
    return Measurements(_rng.standard_normal(shape) for shape in ((3,), (5,), (2, 3)))


def test_block_diagonal_is_scipys():
    x, y = inputs(), Measurements(_rng.standard_normal(n) for n in (4, 5, 2))
    np.testing.assert_allclose(flat(BLOCKS(x)), WHOLE @ flat(x))
    np.testing.assert_allclose(flat(BLOCKS.A_adjoint(y)), WHOLE.T @ flat(y))
    np.testing.assert_allclose(flat(BLOCKS.A_adjoint_A(x)), WHOLE.T @ WHOLE @ flat(x))
    np.testing.assert_allclose(flat(BLOCKS.A_dagger(y)), np.linalg.pinv(WHOLE) @ flat(y), rtol=1e-8)
    assert BLOCKS.compute_norm(x) == pytest.approx(np.linalg.norm(WHOLE, 2))
    np.testing.assert_allclose(flat(BLOCKS[1:](x[1:])), flat(BLOCKS(x)[1:]))


def test_hstack_is_scipys_and_the_adjoint_of_a_stack():
    R = _rng.standard_normal((4, 5))
    A, B = MatrixOperator(M), MatrixOperator(R)
    whole, made = np.hstack([M, R]), hstack(A, B)
    x, y = inputs()[:2], _rng.standard_normal(4)
    np.testing.assert_allclose(made(x), whole @ flat(x))
    np.testing.assert_allclose(flat(made.A_adjoint(y)), whole.T @ y)
    assert made == stack(A.H, B.H).H
    assert stack(A.H, B.H) == made.H
    np.testing.assert_allclose(flat(made.A_dagger(y)), np.linalg.pinv(whole) @ y, rtol=1e-8)


def test_the_algebra_stays_block_by_block():
    x, y = inputs(), _rng.standard_normal(3)
    other = block_diagonal(*[2 * block for block in BLOCKS])
    assert other == 2 * BLOCKS
    np.testing.assert_allclose(flat((BLOCKS + other)(x)), 3 * flat(BLOCKS(x)))
    square = block_diagonal(*[block.H for block in BLOCKS]) @ BLOCKS
    assert len(square) == 3
    np.testing.assert_allclose(flat(square(x)), flat(BLOCKS.A_adjoint_A(x)))
    sensors = stack(Diagonal(2.0), MatrixOperator(np.ones((5, 3))))
    made = BLOCKS[:2] @ sensors
    assert made == stack(MatrixOperator(M) @ sensors[0], MatrixOperator(N) @ sensors[1])
    np.testing.assert_allclose(flat(made(y)), flat(BLOCKS[:2](sensors(y))))
    assert block_diagonal(BLOCKS[:1], BLOCKS[1:]) == BLOCKS


def test_closed_forms_are_those_of_the_blocks():
    A = block_diagonal(Blur(gaussian_blur(1.0)), Diagonal(np.array([2.0, 3.0])))
    x = Measurements([_rng.standard_normal((16, 16)), _rng.standard_normal(2)])
    normal = A.normal(x.shapes)
    assert normal.closed_form
    assert normal.norm() == pytest.approx(A.compute_sqnorm(x)) == 9.0
    np.testing.assert_allclose(flat(normal.inv(0.5)(normal(x) + 0.5 * x)), flat(x))
    np.testing.assert_allclose(flat(normal.pinv()(normal(x))), flat(x), rtol=1e-4)
    assert not BLOCKS.normal(inputs().shapes).closed_form
    solved = optim.cg(A, A(x), rtol=1e-10)
    np.testing.assert_allclose(flat(A(solved)), flat(A(x)), rtol=1e-4)


def test_each_block_has_its_own_noise():
    x = inputs()
    noisy = BLOCKS.with_noise(GaussianNoise(0.5))
    y = noisy(x, seed=1)
    np.testing.assert_array_equal(flat(noisy(x, seed=1)), flat(y))
    noise = flat(y) - flat(BLOCKS(x))
    assert len(set(noise)) == len(noise)
    assert noisy[1].noise_model == GaussianNoise(0.5)
    np.testing.assert_array_equal(flat(noisy.A(x)), flat(BLOCKS(x)))
    for got, expected in zip(noisy([da.from_array(a) for a in x], seed=1), y, strict=True):
        np.testing.assert_array_equal(got.compute(), expected)
    assert BLOCKS.with_noise(None) is BLOCKS
    with raises(ParameterError, "no noise model", "with_noise(model)"):
        BlockDiagonal(BLOCKS.blocks, noise_model=GaussianNoise(0.5))


def test_lazy_arrays_each_with_its_own_chunks():
    x = Measurements(_rng.standard_normal((4, *shape)) for shape in ((3,), (5,), (2, 3)))
    lazy = [da.from_array(a, chunks=(n, *a.shape[1:])) for n, a in enumerate(x, 1)]
    y = BLOCKS(x)
    for got, expected in zip(BLOCKS(lazy), y, strict=True):
        np.testing.assert_array_equal(got.compute(), expected)
    for product in (BLOCKS.A_adjoint_A, lambda a: BLOCKS.A_adjoint(BLOCKS(a))):
        for got, expected in zip(product(lazy), product(x), strict=True):
            np.testing.assert_array_equal(got.compute(), expected)


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: block_diagonal(), ParameterError, ("block_diagonal()", "none")),
        (lambda: hstack(), ParameterError, ("hstack()", "none")),
        (
            lambda: block_diagonal([BLOCKS[0]]),
            ParameterError,
            ("list", "position 0", "block_diagonal(*operators)"),
        ),
        (lambda: hstack(BLOCKS[0], 3), ParameterError, ("int", "position 1")),
        (lambda: block_diagonal(stack(BLOCKS[0])), ParameterError, ("one array each", "StackedPhysics")),
        (lambda: hstack(BLOCKS), ParameterError, ("one array each", "BlockDiagonal")),
        (lambda: BLOCKS[3:], ParameterError, ("at least one block",)),
        (lambda: BLOCKS @ stack(BLOCKS[0]), ShapeError, ("3 operators", "got 1")),
        (lambda: BLOCKS + BLOCKS[:2], ShapeError, ("3 and 2",)),
        (lambda: BLOCKS(np.ones(3)), ShapeError, ("3 sensors", "one numpy.ndarray")),
        (lambda: BLOCKS([np.ones(3), np.ones(3), np.ones((2, 3))]), ShapeError, ("sensor 1", "(5,)", "(3,)")),
        (lambda: BLOCKS.normal(inputs().shapes, weights=[1, 2, 3]), ParameterError, ("weights",)),
        (lambda: hstack(MatrixOperator(M), MatrixOperator(N))([M[0], N[0]]), ShapeError, ("4", "5")),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()
