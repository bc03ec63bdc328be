"""Operators as SciPy's, PyLops's and SigPy's, and those as operators."""

import pickle

import dask.array as da
import numpy as np
import pytest
import torch
from cases import LINEAR, raises
from scipy import sparse
from scipy.sparse import linalg

from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import DtypeError, ParameterError, ShapeError
from daskphys.interop.pylops import from_pylops, to_pylops
from daskphys.interop.scipy import from_linear_operator
from daskphys.interop.sigpy import from_sigpy
from daskphys.physics import Blur, Crop, FunctionOperator, gaussian_blur, stack
from daskphys.testing import check_physics

rng = np.random.default_rng(0)
RAGGED = stack(Blur(gaussian_blur(0.4)), Blur(rng.random((3, 3)), "valid"), Crop((1, 2), (7, 8), (8, 9)))
ON_ONE_IMAGE = [case for case in LINEAR if not isinstance(case.shapes[0][0], tuple)]


@pytest.mark.parametrize("case", ON_ONE_IMAGE, ids=lambda case: case.name)
def test_the_matrix_of_every_operator_and_its_transpose(case):
    shape = case.shapes[0]
    L = case.operator.as_linear_operator(shape)
    if backend_complex := L.dtype.kind == "c":
        assert not case.operator.of_real_images
    columns = rng.standard_normal((L.shape[1], 2)) + (1j if backend_complex else 0)
    rows = rng.standard_normal((L.shape[0], 2)) + (1j if backend_complex else 0)
    right, left = L @ columns, L.H @ rows
    assert right.shape == (L.shape[0], 2)
    assert np.allclose(L @ columns[:, 0], right[:, 0], atol=1e-9)
    assert np.allclose(L.rmatvec(rows[:, 1]), left[:, 1], atol=1e-9)
    assert np.allclose(rows.conj().T @ right, left.conj().T @ columns)
    made = case.operator.A(columns[:, 0].reshape(shape))
    made = np.concatenate(
        [np.ravel(a) for a in (made if isinstance(case.operator.range_shape(shape)[0], tuple) else [made])]
    )
    assert np.allclose(right[:, 0], made.view(made.real.dtype) if L.as_pairs else made)


def test_scipys_solvers_find_what_a_dense_matrix_gives():
    L = RAGGED.as_linear_operator((8, 9))
    dense = L @ np.eye(72)
    y = rng.standard_normal(L.shape[0])
    exact = np.linalg.lstsq(dense, y)[0]
    for solve in (linalg.lsqr, linalg.lsmr):
        assert np.allclose(solve(L, y, 0.0, 1e-12, 1e-12)[0], exact, atol=1e-6)
    found, left = linalg.cg(L.H @ L, L.H @ y, rtol=1e-12)
    assert left == 0
    assert np.allclose(found, exact)
    largest = linalg.svds(L, k=1, return_singular_vectors=False)
    assert np.allclose(largest, np.linalg.svd(dense)[1][0])
    assert np.allclose(L.image(exact), RAGGED.A_dagger(L.measurements(y)))
    assert np.array_equal(L.image(exact.tolist()), L.image(exact))
    with raises(ShapeError, "length 72", "shape (3,)"):
        L.image(np.ones(3))


def test_a_distributed_operator_has_the_same_matrix():
    x = rng.standard_normal(72)
    with DistributedContext(n_workers=2) as ctx:
        L = distribute(RAGGED, ctx).as_linear_operator((8, 9))
        assert np.array_equal(L @ x, RAGGED.as_linear_operator((8, 9)) @ x)
        y = L @ x
        assert np.array_equal(L.H @ y, RAGGED.as_linear_operator((8, 9)).H @ y)


def test_single_precision():
    L = RAGGED.as_linear_operator((8, 9), "float32")
    assert (L @ np.ones(72, np.float32)).dtype == np.float32


def test_an_operator_times_an_array():
    x = rng.standard_normal((8, 9))
    y = RAGGED.A(x)
    for kind in (np.asarray, torch.from_numpy, da.from_array):
        assert type((RAGGED @ kind(x))[0]) is type(kind(x))
        assert np.array_equal(np.asarray((RAGGED @ kind(x))[1]), y[1])
    assert np.array_equal(RAGGED.H @ y, RAGGED.A_adjoint(y))
    with pytest.raises(TypeError, match="@"):
        x @ RAGGED


def test_imaginary_parts_are_not_lost():
    B = Blur(np.ones((2, 2)))
    vector = np.arange(12.0) * 1j
    assert np.array_equal(B.as_linear_operator((3, 4), complex) @ vector, B(vector.reshape(3, 4)).ravel())
    L = B.as_linear_operator((3, 4))
    with raises(DtypeError, "real vectors", "complex128", "dtype=np.complex128"):
        L @ vector
    with raises(DtypeError, "real vectors"):
        L.H @ vector
    assert np.array_equal(L @ vector.imag, B(vector.imag.reshape(3, 4)).ravel())


def test_bad_input():
    with raises(DtypeError, "as_linear_operator", "int64"):
        RAGGED.as_linear_operator((8, 9), int)
    with raises(ShapeError, "as_linear_operator", ".H"):
        RAGGED.H.as_linear_operator(((8, 9), (6, 7), (6, 6)))
    with raises(ParameterError, "from_linear_operator", "str"):
        from_linear_operator("A")
    with raises(ShapeError, "domain", "12 entries", "(3, 5)"):
        from_linear_operator(np.ones((2, 12)), domain=(3, 5))
    with raises(ParameterError, "from_pylops", "ndarray"):
        from_pylops(np.ones((2, 2)))
    with raises(ParameterError, "from_sigpy", "ndarray"):
        from_sigpy(np.ones((2, 2)))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_scipys_operators_keep_the_laws(dtype):
    matrix = sparse.random(6, 12, 0.5, random_state=0).toarray().astype(dtype)
    matrix = matrix * (1 + 2j) if dtype == "complex128" else matrix
    A = from_linear_operator(linalg.aslinearoperator(matrix), (3, 4))
    check_physics(A, [(3, 4)])
    x = rng.standard_normal((3, 4))
    assert np.allclose(A(x), matrix @ x.ravel())
    assert pickle.loads(pickle.dumps(A)) == A


def test_pylops_operators_keep_the_laws_and_are_distributed():
    pylops = pytest.importorskip("pylops")
    blurs = [pylops.FirstDerivative((6, 7), axis=axis, kind="forward", dtype="float64") for axis in (0, 1)]
    A = from_pylops(pylops.VStack(blurs))
    check_physics(A, [(6, 7)])
    x = rng.standard_normal((6, 7))
    assert np.allclose(A(x)[1], blurs[1] @ x)
    with DistributedContext(n_workers=2) as ctx:
        assert np.array_equal(distribute(A, ctx).A_adjoint(A(x)), A.A_adjoint(A(x)))


@pytest.mark.parametrize("A", [RAGGED, Blur(rng.random((3, 3)), "valid")])
def test_operators_as_those_of_pylops(A):
    pylops = pytest.importorskip("pylops")
    Op = to_pylops(A, (8, 9))
    assert pylops.utils.dottest(Op, rtol=1e-10)
    back = from_pylops(Op)
    x = rng.standard_normal((8, 9))
    assert np.allclose(back.A_adjoint(back(x)), A.A_adjoint(A(x)))


def test_sigpys_operators_keep_the_laws():
    linop = pytest.importorskip("sigpy").linop
    A = from_sigpy(linop.Vstack([linop.FiniteDifference((6, 7), axes=[axis]) for axis in (0, 1)], axis=0))
    check_physics(A, [(6, 7)])
    F = from_sigpy(linop.FFT((6, 7)), makes_complex=True)
    check_physics(F, [(6, 7)])
    x = rng.standard_normal((6, 7))
    assert np.allclose(np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(x), norm="ortho")), F(x))


def test_a_linop_is_known_by_what_it_has():
    """What SigPy's class offers, without SigPy, whose numba wants an older NumPy."""

    class Doubled:
        ishape = oshape = (3,)

        def apply(self, x):
            x *= 2  # as some of SigPy's do
            return x

        @property
        def H(self):
            return self

    A = from_sigpy(Doubled())
    x = np.ones(3)
    assert isinstance(A, FunctionOperator)
    assert np.array_equal(A(x), [2, 2, 2])
    assert np.array_equal(x, [1, 1, 1])
