"""Toeplitz operators against dense Toeplitz matrices and non-uniform Fourier transforms."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg
from cases import lags, raises
from hypothesis import given
from hypothesis import strategies as st
from operators import NonUniformFourier, matrix, points

from daskphys import backend
from daskphys.errors import NotClosedFormError, ParameterError, ShapeError
from daskphys.physics import Identity, Toeplitz, stack
from daskphys.physics.base import Sum
from daskphys.testing import check_physics


def dense(kernel):
    """``T[n, m] = t[n − m]`` for any number of axes, entry by entry."""
    sizes = tuple((n + 1) // 2 for n in kernel.shape)
    made = np.empty((*sizes, *sizes), kernel.dtype)
    for n in np.ndindex(*sizes):
        for m in np.ndindex(*sizes):
            made[(*n, *m)] = kernel[tuple(a - b + s - 1 for a, b, s in zip(n, m, sizes, strict=True))]
    return made.reshape(int(np.prod(sizes)), -1)


def test_the_dense_matrix_is_scipys():
    t = lags(6, phase=1)
    np.testing.assert_array_equal(dense(t), scipy.linalg.toeplitz(t[5:], t[5::-1]))


@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    phase=st.sampled_from([0.0, 1.0]),
    dtype=st.sampled_from(["float32", "float64", "complex64", "complex128"]),
    seed=st.integers(0, 99),
)
def test_products_are_those_of_the_dense_matrix(sizes, phase, dtype, seed):
    t = lags(*sizes, seed=seed, phase=phase)
    T = Toeplitz.from_kernel(t)
    assert T.sizes == tuple(sizes)
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((2, *sizes)) + 1j * rng.standard_normal((2, *sizes))).astype(
        dtype if dtype.startswith("c") else "complex128"
    )
    x = x if dtype.startswith("c") else x.real.astype(dtype)
    got = T(x)
    assert got.dtype == (backend.complex_name(dtype) if phase else dtype)
    assert got.base is None  # the longer array is not kept alive
    expected = x.reshape(2, -1).astype("complex128") @ dense(t).T
    bound = 1e-6 if backend.real_name(dtype) == "float32" else 1e-14
    np.testing.assert_allclose(got.reshape(2, -1), expected, atol=bound * max(1.0, abs(expected).max()) * 10)
    np.testing.assert_allclose(T.diagonal(), t[tuple(n - 1 for n in sizes)].real, atol=1e-14)
    assert T.diagonal().shape == (1,) * len(sizes)


@pytest.mark.parametrize("sizes", [(7,), (4, 5), (3, 2, 4)])
def test_it_is_the_gram_matrix_of_a_non_uniform_transform(sizes, rng):
    A = stack(*[NonUniformFourier(points(11 + i, len(sizes), seed=i), sizes) for i in range(3)])
    N = A.normal(sizes)
    assert isinstance(N, Toeplitz)
    F = np.concatenate([matrix(a, sizes) for a in A])
    np.testing.assert_allclose(matrix(N, sizes), F.conj().T @ F, atol=1e-12)
    assert A.compute_norm(sizes) == pytest.approx(np.linalg.norm(F, 2), rel=1e-9)
    assert N.spectrum.max() >= A.compute_sqnorm(sizes)
    x = rng.standard_normal(sizes).astype(np.float32)
    assert A.A_adjoint_A(x).dtype == np.complex64
    with backend.count_transforms() as count:
        A.A_adjoint_A(x)
    assert count.total == 2


@pytest.mark.parametrize("n", [1, 8])
@pytest.mark.parametrize("sizes", [(31,), (12, 17), (5, 8, 6)])
def test_single_precision_is_that_of_the_image(n, sizes, rng):
    """Within 1e-6 of the separate sum in double precision."""
    A = stack(*[NonUniformFourier(points(50, len(sizes), seed=i), sizes) for i in range(n)])
    x = rng.standard_normal((2, *sizes)).astype(np.float32)
    wide = x.astype(np.float64)
    exact = sum(a.A_adjoint(a(wide)) for a in A)
    got = A.A_adjoint_A(x)
    assert got.dtype == np.complex64
    assert np.linalg.norm(got - exact) <= 1e-6 * np.linalg.norm(exact)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_set_up_takes_the_memory_of_a_few_kernels(dtype):
    t = np.zeros((63, 63, 63), dtype)
    t[31, 31, 31] = 1.0
    tracemalloc.start()
    Toeplitz.from_kernel(t)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * t.nbytes


def test_least_squares_of_non_uniform_transforms_iterate(rng):
    sizes = (4, 5)
    A = stack(NonUniformFourier(points(40, 2), sizes), NonUniformFourier(points(30, 2, seed=1), sizes))
    y = A(rng.standard_normal(sizes) + 1j * rng.standard_normal(sizes))
    F = np.concatenate([matrix(a, sizes) for a in A])
    expected = np.linalg.lstsq(F, np.concatenate(y), rcond=None)[0]
    np.testing.assert_allclose(A.A_dagger(y).ravel(), expected, atol=1e-9)


def test_a_non_uniform_transform_keeps_every_law():
    check_physics(NonUniformFourier(points(40, 2), (4, 3)), [(4, 3), (2, 4, 3)], portable=False)


def test_real_and_complex_kernels_add(rng):
    for sizes in ((5,), (6,), (4, 5), (1, 3), (3, 1), (2, 3, 4)):
        t, u = lags(*sizes), lags(*sizes, phase=1, seed=1)
        total = Toeplitz.from_kernel(t) + Toeplitz.from_kernel(u)
        np.testing.assert_allclose(matrix(total, sizes), dense(t) + dense(u), atol=1e-13)
        assert total.kind.makes_complex
        real = Toeplitz.from_kernel(t) + Toeplitz.from_kernel(u.real)
        assert not real.kind.makes_complex
        assert real.spectrum.shape[-1] == Toeplitz.padded(sizes)[-1] // 2 + 1
        shifted = total + 0.5 * Identity()
        np.testing.assert_allclose(
            matrix(shifted, sizes), matrix(total, sizes) + 0.5 * np.eye(int(np.prod(sizes))), atol=1e-13
        )


def test_the_periods_depend_on_the_shape_alone():
    for n in (*range(1, 70), 509, 512, 767):
        (p,) = Toeplitz.padded((n,))
        assert max(2 * n - 1, 3) <= p <= 2 * n + 1 + n // 4
        for prime in (2, 3, 5, 7, 11):
            while p % prime == 0:
                p //= prime
        assert p == 1


def test_where_there_is_no_closed_form_it_says_so():
    T = Toeplitz.from_kernel(lags(4, 5))
    assert not T.closed_form
    for ask in (lambda: T.inv(0.1), lambda: T.pinv(), lambda: T.norm()):
        with pytest.raises(
            NotClosedFormError, match=r"Toeplitz\(4×5\) has no closed form of (inv|pinv|norm)\("
        ):
            ask()
    assert T.compute_norm((4, 5)) == pytest.approx(np.linalg.norm(dense(lags(4, 5)), 2), rel=1e-9)


def test_bad_parameters():
    t = lags(4, 5)
    with raises(ShapeError, "expected axes of 2 n − 1 lags", "(7, 8)"):
        Toeplitz.from_kernel(t[:, :-1])
    with raises(ShapeError, "over 3 spatial axes", "(7, 9)"):
        Toeplitz.from_kernel(t, ndim=3)
    with raises(ParameterError, "expected a Hermitian kernel", "is off by"):
        Toeplitz.from_kernel(t + 0.01 * np.arange(9))
    with raises(ParameterError, "Hermitian"):
        Toeplitz.from_kernel(np.full((3, 3), np.nan))
    with raises(ParameterError, "finite"):
        Toeplitz(np.full((7, 5), np.inf), (4, 5))
    with raises(ShapeError, "(7, 5) (of a real kernel) or (7, 9)", "got (8, 9)"):
        Toeplitz(np.ones((8, 9)), (4, 5))
    with raises(ParameterError, "expected a real spectrum", "give its real part"):
        Toeplitz(1j * np.ones((7, 9)), (4, 5))
    T = Toeplitz.from_kernel(t)
    with raises(ShapeError, "Toeplitz(4×5) expected an image of (4, 5), got (5, 4)"):
        T(np.ones((5, 4)))
    assert isinstance(T + Toeplitz.from_kernel(lags(5, 4)), Sum)
    three = Toeplitz.from_kernel(lags(4, 5, lead=(3,)), ndim=2)
    with raises(ShapeError, "expected spectra of one shape"):
        three + Toeplitz.from_kernel(lags(4, 5, lead=(2,)), ndim=2)
    with raises(
        ShapeError,
        "a leading axis of 3 (axis -3), as its spectrum has",
    ):
        three(np.ones((2, 4, 5)))
