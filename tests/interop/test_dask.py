"""Dask arrays through operators: the bits of NumPy, and nothing computed or submitted before they are asked for."""

import dask
import dask.array as da
import numpy as np
import pytest
from interop.products import CHUNKS, COMPLEX, INNER, PRODUCTS, Mirror, check_lazy, source

from daskphys.backend import fft, threads_left
from daskphys.physics import Blur, Downsampling, LinearPhysics, Shift, gaussian_blur, stack, value


@pytest.fixture
def x(image):
    return image


@pytest.fixture
def X(image):
    return da.from_array(image, chunks=CHUNKS)


# -- plain operators ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_bits_of_numpy(operator, name, x, X, never_computes):
    make, argument = PRODUCTS[name]
    product = make(operator)
    with never_computes():
        lazy = product(X) if argument == "x" else product(operator(X))
    check_lazy(lazy, product(x) if argument == "x" else product(operator(x)))


@pytest.mark.parametrize("name", COMPLEX)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_complex_operators(operator, name, x, dtype):
    make, argument = COMPLEX[name]
    product, x = make(operator), x.astype(dtype)
    X = da.from_array(x, chunks=CHUNKS)
    check_lazy(*(product(v) if argument == "x" else product(operator(v)) for v in (X, x)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_dtypes(operator, x, dtype):
    x = x.astype(dtype) * (1 + 1j if dtype.startswith("c") else 1)
    X = da.from_array(x.astype(dtype), chunks=CHUNKS)
    check_lazy(operator.A_adjoint(operator(X)), operator.A_adjoint(operator(x.astype(dtype))))


def test_a_product_of_convolutions_is_one_task_a_chunk(x, X):
    """As it is one step where arrays are in memory; on parts of images it is two."""
    frame = Downsampling("bilinear", 2) @ Blur(gaussian_blur(0.7)) @ Shift((0.5, -0.25))
    even, Even = x[..., :12, :10], X[..., :12, :10]
    for product in (frame, frame.H @ frame, stack(frame, Blur(gaussian_blur(0.5)) @ frame)):
        check_lazy(product(Even), product(even))
    y, Y = frame(even), frame(Even)
    check_lazy(frame.A_adjoint(Y), frame.A_adjoint(y))
    check_lazy(frame.A_dagger(Y), frame.A_dagger(y))
    check_lazy(frame.A_adjoint_A(Even), frame.A_adjoint_A(even))
    small = Blur(gaussian_blur(0.7)) @ Blur(gaussian_blur(0.5))
    np.testing.assert_allclose(small(Even.rechunk({-1: 5})).compute(), small(even), rtol=1e-5)


def test_vjp_and_norm_need_no_element(operator, x, X, never_computes):
    with never_computes():
        lazy = operator.A_vjp(source(), operator(X))
        assert operator.compute_norm(source()) == operator.compute_norm(x.shape)
    check_lazy(lazy, operator.A_vjp(x, operator(x)))


@pytest.mark.parametrize("rtol", [None, 0.3])
@pytest.mark.parametrize("factor", [1, 2, 2j])
def test_pseudo_inverse_in_closed_form(merging, rtol, factor, x, X):
    A = factor * merging if factor != 1 else merging
    y, Y = merging(x), merging(X)
    check_lazy(A.A_dagger(Y, rtol=rtol), A.A_dagger(y, rtol=rtol))


def test_pseudo_inverse_does_not_depend_on_the_batch():
    """A singular value near the default cut-off: it must not fall on one side alone and on the other in a batch."""
    eps = float(np.finfo(np.float32).eps)
    A = stack(
        Blur([[1.0, -1.0 + 15 * eps]])
    )  # the constant image has the singular value 7.5 eps times the largest
    x = np.ones((64, 8, 8), np.float32)
    y, Y = A(x), A(da.from_array(x, chunks=(1, 8, 8)))
    np.testing.assert_array_equal(A.A_dagger(Y).compute(), A.A_dagger(y))


def test_iterative_pseudo_inverse(x):
    """LSMR stops for each chunk on its own, so the solutions agree to its accuracy and not to the bit."""
    x = x.astype(np.float64)
    X = da.from_array(x, chunks=CHUNKS)
    for A in (stack(INNER, Blur([[0.1, 1.0, 0.3]], "reflect")), stack(Blur([[0.1, 1.0, 0.3]], "reflect"))):
        lazy = A.A_dagger(A(X))
        check_lazy(lazy, A.A_dagger(A(x)), bits=False)
        np.testing.assert_allclose(lazy.compute(), x, rtol=1e-7, atol=1e-9)
    lazy = (2j * A).A_dagger(A(X))  # real measurements of a complex operator
    check_lazy(lazy, (2j * A).A_dagger(A(x)), bits=False)
    np.testing.assert_allclose(lazy.compute(), x / 2j, rtol=1e-7, atol=1e-9)
    lazy = A.H.A_dagger(X)  # a stack's range comes out of an operator that is no stack
    np.testing.assert_allclose(lazy[0].compute(), A.H.A_dagger(x)[0], rtol=1e-7, atol=1e-9)


def test_what_an_author_writes(x, X):
    check_lazy(Total()(X[:, 0, 0, :]), x[:, 0, 0].sum(-1))
    check_lazy(Total().H(X[:, 0, 0, 0]), np.repeat(x[:, 0, 0, :1], 7, axis=-1))


@value
class Total(LinearPhysics):
    """The sum over one axis: its measurements have an axis less than its images."""

    range_ndim = 0

    def _forward(self, x):
        return x.sum(-1)

    def _adjoint(self, y, shape):
        return np.broadcast_to(y[..., None], shape)

    def _range_shape(self, shape):
        return shape[:-1]

    def _domain_shape(self, shape):
        return (*shape, 7)


def test_leading_axes_have_any_chunks(x, circular):
    X = da.from_array(x, chunks=((1, 3), (2, 1), 12, 10))
    for lazy, eager in ((circular(X)[1], circular(x)[1]), (circular.A_adjoint_A(X), circular.A_adjoint_A(x))):
        assert lazy.chunks == ((1, 3), (2, 1), (12,), (10,))
        np.testing.assert_array_equal(lazy.compute(), eager)
    single = circular(da.from_array(x[0, 0], chunks=-1))
    assert single[0].chunks == ((12,), (10,))
    np.testing.assert_array_equal(single[2].compute(), circular(x[0, 0])[2])


def test_chunks_without_elements(operator, x, X):
    empty = X.rechunk(CHUNKS).map_blocks(
        lambda block, block_info: block[: (0, 1, 1)[block_info[0]["chunk-location"][0]]],
        chunks=((0, 1, 1), *CHUNKS[1:]),
        dtype=x.dtype,
    )
    got = operator.A_adjoint(operator(empty)).compute()
    np.testing.assert_array_equal(got, operator.A_adjoint(operator(x[2:])))


def test_measurements_with_other_chunks_are_aligned(stacked, x, X, never_computes):
    y, Y = stacked(x), list(stacked(X))
    Y[1] = Y[1].rechunk({0: 3})
    with never_computes():
        lazy = stacked.A_adjoint(Y)
    check_lazy(lazy, stacked.A_adjoint(y))


def test_byte_order_is_native_beforehand(operator, x):
    X = da.from_array(x.astype(">f4"), chunks=CHUNKS)
    for A in (operator, Mirror(), stack(Mirror(), Mirror())):
        check_lazy(A(X), A(x))
        check_lazy(A.A_adjoint_A(X), A.A_adjoint_A(x))


def test_ffts_in_tasks_use_one_thread(monkeypatch, merging, mixed, X):
    """Chunks run side by side already; both together must not exceed the cores."""
    seen = []
    monkeypatch.setattr(fft, "_workers", lambda x: seen.append(threads_left()) or 1)
    for A in (merging, mixed):
        y = A(X)
        results = [
            y,
            A.A_adjoint(y),
            A.A_adjoint_A(X),
            A.A_A_adjoint(y),
            *([A.A_dagger(y)] if A is merging else []),
        ]
        for result in results:
            seen.clear()
            dask.compute(result, scheduler="threads")
            assert set(seen) == {1}
