"""`MatrixOperator`: its numbers are NumPy's and SciPy's, its bits its own."""

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st

from daskphys import backend
from daskphys.errors import DtypeError, ParameterError, ShapeError
from daskphys.physics import Blur, MatrixOperator, gaussian_blur, matrix, stack
from tests.cases import raises

DTYPES = ("float32", "float64", "complex64", "complex128")


def numbers(rng, shape, dtype="float64"):
    made = rng.standard_normal(shape)
    return (made + 1j * rng.standard_normal(shape) if "complex" in dtype else made).astype(dtype)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("own", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_numbers_are_numpys(own, dtype, sparse, rng):
    M = numbers(rng, (7, 12), own)
    M[rng.random(M.shape) < 0.4] = 0
    x, y = numbers(rng, (2, 5, 3, 4), dtype), numbers(rng, (2, 5, 7), dtype)
    A = MatrixOperator(scipy.sparse.csc_array(M) if sparse else M, domain_shape=(3, 4))
    wide = np.result_type(dtype, "complex64") if "complex" in own else np.dtype(dtype)
    rtol = 100 * np.finfo(dtype).eps
    seen, back = A(x), A.A_adjoint(y)
    assert seen.dtype == back.dtype == wide
    np.testing.assert_allclose(seen, np.einsum("ij,abj->abi", M, x.reshape(2, 5, 12)), rtol=rtol, atol=rtol)
    expected = np.einsum("ij,abi->abj", M.conj(), y).reshape(x.shape)
    np.testing.assert_allclose(back, expected, rtol=rtol, atol=rtol)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_any_size(rows, columns, part, seed):
    M = np.random.default_rng(seed).standard_normal((rows, columns))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix, "_PART", part * columns)
        A = MatrixOperator(M)
        assert max(A.counts) == min(part, rows)
        np.testing.assert_allclose(A(np.ones(columns)), M.sum(1), atol=1e-12)
        np.testing.assert_allclose(A.A_adjoint(np.ones(rows)), M.sum(0), atol=1e-12)


@pytest.mark.parametrize("kind", ["dense", "complex", "sparse"])
def test_the_same_bits_alone_in_a_batch_and_on_any_threads(kind, rng, monkeypatch):
    """Of a matrix in several parts, each of several pieces."""
    M = numbers(rng, (1200, 700), "complex64" if kind == "complex" else "float32")
    monkeypatch.setattr(matrix, "_PART", 1 << (13 if kind == "sparse" else 19))
    A = MatrixOperator(scipy.sparse.csr_array(M * (rng.random(M.shape) < 0.05)) if kind == "sparse" else M)
    assert len(A.parts) > 1
    x, y = rng.random((5, 700), dtype=np.float32), rng.random((5, 1200), dtype=np.float32)
    seen, back = A(x), A.A_adjoint(y)
    for threads in (1, 2, 3):
        with backend.fft_threads(threads):
            np.testing.assert_array_equal(A(x[3]), seen[3])
            np.testing.assert_array_equal(A.A_adjoint(y[1:2])[0], back[1])


@pytest.mark.parametrize("sparse", [False, True])
def test_rows_are_the_sensors(sparse, rng):
    M, x = rng.standard_normal((6, 4)), rng.standard_normal((3, 4))
    A = MatrixOperator(scipy.sparse.coo_array(M) if sparse else M)
    y = A(x)
    assert len(A) == 6
    for index in (slice(1, 4), slice(None, None, 2), slice(5, 1, -2), slice(-1, None)):
        np.testing.assert_array_equal(A[index](x), y[:, index])
    np.testing.assert_array_equal(A[-2](x), y[:, -2])
    np.testing.assert_allclose(A.normal((4,))(x), x @ M.T @ M)
    np.testing.assert_allclose(A.A_dagger(y), x, rtol=1e-9)


def test_what_a_sparse_matrix_may_be(rng):
    """Duplicates add up, in any format; zeros that are kept stay; the caller's is not changed."""
    given = scipy.sparse.coo_matrix(([1.0, 2.0, 3.0], ([0, 0, 1], [2, 2, 0])), shape=(2, 3))
    A = MatrixOperator(given)
    np.testing.assert_array_equal(A(np.eye(3)), [[0, 3], [0, 0], [3, 0]])
    assert given.nnz == 3
    unsorted = scipy.sparse.csr_array(([1.0, 2.0], [2, 0], [0, 2]), shape=(1, 3))
    np.testing.assert_array_equal(MatrixOperator(unsorted)(np.ones(3)), [3])
    assert unsorted.indices.tolist() == [2, 0]
    assert MatrixOperator(given.tocsc()) == A
    assert MatrixOperator(2 * given) != A
    A = MatrixOperator(scipy.sparse.csr_array((4, 3), dtype="float32"))
    np.testing.assert_array_equal(A(np.ones(3)), np.zeros(4))
    integers = MatrixOperator(scipy.sparse.eye_array(3, dtype=int))
    np.testing.assert_array_equal(integers(np.ones(3)), np.ones(3))


def test_precision_and_torch(rng):
    M = rng.standard_normal((3, 4)).astype("float32")
    assert MatrixOperator(M).nbytes == M.nbytes
    A = MatrixOperator(torch.tensor(M))
    assert MatrixOperator(M) == A
    assert A(torch.ones(4)).dtype == torch.float32
    assert MatrixOperator([[1, 2], [3, 4]])(np.ones(2)).tolist() == [3, 7]


def test_in_the_algebra(rng):
    M, N = rng.standard_normal((4, 6)), rng.standard_normal((4, 6))
    x = rng.standard_normal((2, 2, 3))
    A, B = MatrixOperator(M, (2, 3)), MatrixOperator(N, (2, 3))
    np.testing.assert_allclose((2 * A - B)(x), x.reshape(2, 6) @ (2 * M - N).T)
    np.testing.assert_allclose((A.H @ B)(x), (x.reshape(2, 6) @ N.T @ M).reshape(x.shape))
    blurred = MatrixOperator(rng.standard_normal((4, 30)), (5, 6)) @ Blur(gaussian_blur(0.5))
    assert blurred(np.ones((5, 6))).shape == (4,)
    assert stack(A, B)(x).shapes == ((2, 4), (2, 4))


def test_a_dask_array_is_not_computed_here():
    A = MatrixOperator(da.zeros((4, 3)))
    assert len(A) == 4
    assert len(A[1:3]) == 2
    with raises(ParameterError, "MatrixOperator(4×3)", "Dask array", "distribute it"):
        A(np.ones(3))


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: MatrixOperator(np.ones(3)), ShapeError, ("matrix of shape (M, N)", "(3,)")),
        (lambda: MatrixOperator(np.ones((0, 3))), ShapeError, ("one row at least", "(0, 3)")),
        (lambda: MatrixOperator(da.ones((2, 3, 4))), ShapeError, ("(M, N)", "(2, 3, 4)")),
        (
            lambda: MatrixOperator(da.ones((4, 3))[da.ones(4) > 0]),
            ShapeError,
            ("one row at least", "(nan, 3)"),
        ),
        (lambda: MatrixOperator([[1.0, np.nan]]), ParameterError, ("finite", "NaN")),
        (lambda: MatrixOperator(scipy.sparse.csr_array([[np.inf]])), ParameterError, ("finite",)),
        (lambda: MatrixOperator(np.ones((2, 6)), (2, 2)), ShapeError, ("6 numbers", "(2, 2)")),
        (lambda: MatrixOperator(np.ones((2, 6)), (-2, -3)), ShapeError, ("6 numbers", "(-2, -3)")),
        (lambda: MatrixOperator(np.ones((2, 6)), (2, 3.5)), ShapeError, ("6 numbers", "(2, 3.5)")),
        (lambda: MatrixOperator(np.ones((2, 6)), "6"), ShapeError, ("6 numbers", "'6'")),
        (
            lambda: MatrixOperator(np.ones((2, 3)))(np.ones(4)),
            ShapeError,
            ("MatrixOperator(2×3): Rows(2×3)", "(4,)"),
        ),
        (lambda: MatrixOperator([["a"]]), DtypeError, ("MatrixOperator: matrix", "numbers")),
        (lambda: MatrixOperator(np.ones((2, 3)))(np.ones(4)), ShapeError, ("(3,)", "columns", "(4,)")),
        (lambda: MatrixOperator(np.ones((2, 3))).A_adjoint(np.ones(3)), ShapeError, ("2 sensors", "(3,)")),
        (lambda: MatrixOperator(np.ones((2, 3)))(np.ones(3, int)), DtypeError, ("float32", "int64")),
        (lambda: MatrixOperator(matrix=np.ones((2, 3)), shape=3), TypeError, ("shape",)),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()
