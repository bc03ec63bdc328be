"""Dask arrays through operators: the bits of NumPy, and nothing computed or submitted before they are asked for."""

import gc

import dask
import dask.array as da
import numpy as np
import pytest

from daskphys import backend
from daskphys.distributed import distribute
from daskphys.errors import ContextClosedError, SensorError
from daskphys.physics import Blur, LinearPhysics, Measurements, stack, value

SHAPE = (4, 3, 12, 10)
CHUNKS = ((2, 1, 1), (3,), (12,), (10,))

INNER = Blur([[0.25, 0.5], [1.0, -0.5]])

#: What is done to an operator, and which argument the result takes: an image x or measurements y.
PRODUCTS = {
    "A": (lambda A: A, "x"),
    "A.H": (lambda A: A.H, "y"),
    "A.H.H": (lambda A: A.H.H, "x"),
    "A_adjoint_A": (lambda A: A.A_adjoint_A, "x"),
    "A_A_adjoint": (lambda A: A.A_A_adjoint, "y"),
    "2A": (lambda A: 2 * A, "x"),
    "(2A).H": (lambda A: (2 * A).H, "y"),
    "-A/3": (lambda A: -A / 3, "x"),
    "(2A).A_adjoint_A": (lambda A: (2 * A).A_adjoint_A, "x"),
    "2(3A)": (lambda A: (2 * (3 * A)).A_adjoint_A, "x"),
    "A + 2A + A": (lambda A: A + 2 * A + A, "x"),
    "(A + 2A + A).H": (lambda A: (A + 2 * A + A).H, "y"),
    "(A + A).A_adjoint_A": (lambda A: (A + A).A_adjoint_A, "x"),
    "A - 2A": (lambda A: A - 2 * A, "x"),
    "A @ B": (lambda A: A @ INNER, "x"),
    "(A @ B).H": (lambda A: (A @ INNER).H, "y"),
    "(A @ B).A_adjoint_A": (lambda A: (A @ INNER).A_adjoint_A, "x"),
    "A.H @ A": (lambda A: A.H @ A, "x"),
    "A.H.A_adjoint_A": (lambda A: A.H.A_adjoint_A, "y"),
}

COMPLEX = {
    "2jA": (lambda A: 2j * A, "x"),
    "(2jA).H": (lambda A: (2j * A).H, "y"),
    "(2jA).A_adjoint_A": (lambda A: (2j * A).A_adjoint_A, "x"),
    "A + 2jA": (lambda A: A + 2j * A, "x"),
    "A + A + 2jA": (lambda A: A + A + 2j * A, "x"),
}


@pytest.fixture
def x(image):
    return image


@pytest.fixture
def X(image):
    return da.from_array(image, chunks=CHUNKS)


def boom(block_info=None):
    raise AssertionError("the source array was computed")


def source(dtype="float32"):
    """A Dask array that fails the test which computes it."""
    return da.map_blocks(boom, chunks=CHUNKS, dtype=dtype, meta=np.empty((0,) * 4, dtype))


def arrays(result):
    return list(result) if isinstance(result, Measurements) else [result]


def check_same(lazy, eager, *, scheduler="threads", bits=True):
    """`lazy` says beforehand what it is, has the leading chunks of the image, and computes to `eager`.

    ``scheduler=None`` is the cluster of the last context.
    """
    assert isinstance(lazy, Measurements) == isinstance(eager, Measurements)
    assert dask.is_dask_collection(lazy)
    computed = lazy.compute(scheduler=scheduler)
    assert type(computed) is type(eager)
    for a, c, e in zip(arrays(lazy), arrays(computed), arrays(eager), strict=True):
        assert isinstance(a, da.Array)
        assert (a.shape, a.dtype) == (e.shape, e.dtype)
        assert (type(a._meta), a._meta.dtype, a._meta.ndim) == (np.ndarray, e.dtype, e.ndim)
        assert a.chunks[0] == CHUNKS[0]
        assert (type(c), c.dtype) == (type(e), e.dtype)
        if bits:
            np.testing.assert_array_equal(c, e)


# -- plain operators ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_bits_of_numpy(operator, name, x, X, never_computes):
    make, argument = PRODUCTS[name]
    product = make(operator)
    with never_computes():
        lazy = product(X) if argument == "x" else product(operator(X))
    check_same(lazy, product(x) if argument == "x" else product(operator(x)))


@pytest.mark.parametrize("name", COMPLEX)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_complex_operators(operator, name, x, dtype):
    make, argument = COMPLEX[name]
    product, x = make(operator), x.astype(dtype)
    X = da.from_array(x, chunks=CHUNKS)
    check_same(*(product(v) if argument == "x" else product(operator(v)) for v in (X, x)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_dtypes(operator, x, dtype):
    x = x.astype(dtype) * (1 + 1j if dtype.startswith("c") else 1)
    X = da.from_array(x.astype(dtype), chunks=CHUNKS)
    check_same(operator.A_adjoint(operator(X)), operator.A_adjoint(operator(x.astype(dtype))))


def test_vjp_and_norm_need_no_element(operator, x, X, never_computes):
    with never_computes():
        lazy = operator.A_vjp(source(), operator(X))
        assert operator.compute_norm(source()) == operator.compute_norm(x.shape)
    check_same(lazy, operator.A_vjp(x, operator(x)))


@pytest.mark.parametrize("rtol", [None, 0.3])
@pytest.mark.parametrize("factor", [1, 2, 2j])
def test_pseudo_inverse_in_closed_form(merging, rtol, factor, x, X):
    A = factor * merging if factor != 1 else merging
    y, Y = merging(x), merging(X)
    check_same(A.A_dagger(Y, rtol=rtol), A.A_dagger(y, rtol=rtol))


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
        check_same(lazy, A.A_dagger(A(x)), bits=False)
        np.testing.assert_allclose(lazy.compute(), x, rtol=1e-7, atol=1e-9)
    lazy = A.H.A_dagger(X)  # a stack's range comes out of an operator that is no stack
    np.testing.assert_allclose(lazy[0].compute(), A.H.A_dagger(x)[0], rtol=1e-7, atol=1e-9)


def test_what_an_author_writes(x, X):
    check_same(Total()(X[:, 0, 0, :]), x[:, 0, 0].sum(-1))
    check_same(Total().H(X[:, 0, 0, 0]), np.repeat(x[:, 0, 0, :1], 7, axis=-1))


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
    check_same(lazy, stacked.A_adjoint(y))


def test_byte_order_is_native_beforehand(operator, x):
    lazy = operator(da.from_array(x.astype(">f4"), chunks=CHUNKS))
    check_same(lazy, operator(x))


def test_ffts_in_tasks_use_one_thread(monkeypatch, merging, mixed, X):
    """Chunks run side by side already; both together must not exceed the cores."""
    seen = []
    monkeypatch.setattr(backend, "_workers", lambda x: seen.append(backend._threads.get()) or 1)
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


# -- distributed operators ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRODUCTS)
def test_distributed_on_threads(stacked, name, x, X, threads, never_computes):
    make, argument = PRODUCTS[name]
    D = distribute(stacked, threads)
    product = make(D)
    with never_computes(threads):
        lazy = product(X) if argument == "x" else product(stacked(X))
    eager = product(x) if argument == "x" else product(stacked(x))
    check_same(lazy, eager, scheduler=None)
    if name in ("A", "A.H", "A_adjoint_A", "A_A_adjoint", "2A"):
        plain = make(stacked)
        check_same(lazy, plain(x) if argument == "x" else plain(stacked(x)), scheduler=None)


@pytest.mark.parametrize("name", COMPLEX)
def test_distributed_complex_operators(stacked, name, x, X, threads):
    make, argument = COMPLEX[name]
    product = make(distribute(stacked, threads))
    check_same(*(product(v) if argument == "x" else product(stacked(v)) for v in (X, x)), scheduler=None)


@pytest.mark.parametrize("factor", [1, 2, 2j])
def test_distributed_pseudo_inverse(circular, factor, x, X, threads, never_computes):
    D = distribute(circular, threads)
    D, A = (D, circular) if factor == 1 else (factor * D, factor * circular)
    y, Y = circular(x), circular(X)
    with never_computes(threads):
        lazy = D.A_dagger(Y, rtol=0.3)
    check_same(lazy, D.A_dagger(y, rtol=0.3), scheduler=None)
    np.testing.assert_allclose(lazy.compute(), A.A_dagger(y, rtol=0.3), rtol=1e-4, atol=1e-5)


def test_the_tree_on_request(circular, x, X, threads, never_computes):
    D = distribute(circular, threads)
    with never_computes(threads):
        tree, merged = D.A_adjoint_A(X, method="tree"), D.A_adjoint_A(X)
    assert tree.name != merged.name
    check_same(tree, D.A_adjoint_A(x, method="tree"), scheduler=None)
    assert not np.array_equal(tree.compute(), merged.compute())  # another order of operations
    assert np.linalg.norm(tree.compute() - merged.compute()) < 1e-6 * np.linalg.norm(merged.compute())


def test_a_factory_stays_on_the_workers(circular, x, X, threads, never_computes):
    made = []

    def factory(index):
        made.append(index)
        return circular[index]

    D = distribute(factory, threads, num_operators=3)
    made.clear()
    with never_computes(threads):
        lazy = D.A_adjoint(D(X))
    check_same(lazy, circular.A_adjoint(circular(x)), scheduler=None)
    assert made == []


def test_sources_are_not_touched(stacked, threads, never_computes):
    D = distribute(stacked, threads)
    for A in (stacked, D):
        with never_computes(threads):
            y = A(source())
            built = [
                y,
                A.A_adjoint(y),
                A.A_adjoint_A(source()),
                A.A_A_adjoint(y),
                y.stack() if A is None else y,
            ]
            built += [y.norm(), 2 * y - y / 3, (A.H @ A)(source())]
            repr(built)
        for result in built:
            with pytest.raises(AssertionError, match="source array was computed"):
                dask.compute(result)


def test_results_outlive_their_operator(stacked, x, X, threads):
    D = distribute(stacked, threads)
    lazy = [D(X), D.A_adjoint(D(X)), D.A_adjoint_A(X)]
    del D
    gc.collect()
    for result, eager in zip(
        lazy, [stacked(x), stacked.A_adjoint(stacked(x)), stacked.A_adjoint_A(x)], strict=True
    ):
        check_same(result, eager, scheduler=None)


def test_operators_leave_the_cluster_with_the_last_result(circular, X, threads):
    def blocks():
        keys = threads.client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
        return [key for key in keys if isinstance(key, tuple) and str(key[0]).startswith("block-")]

    D = distribute(circular, threads)
    y = D(X)
    del D
    gc.collect()
    assert len(blocks()) == 3
    del y
    gc.collect()
    threads.client.run_on_scheduler(lambda dask_scheduler: None)  # what was released before is known now
    assert blocks() == []


def test_a_closed_context_is_named(circular, X):
    from daskphys.distributed import DistributedContext

    with DistributedContext(n_workers=1) as ctx:
        D = distribute(circular, ctx)
    with pytest.raises(ContextClosedError, match="closed"):
        D(X)


@value
class Fails(LinearPhysics):
    """An operator that fails when it is computed."""

    domain_ndim = 2

    def _forward(self, x):
        raise ZeroDivisionError("as it must")

    _adjoint = _forward


@pytest.mark.parametrize("on_cluster", [False, True])
def test_only_what_is_asked_for_runs(x, X, circular, threads, on_cluster):
    """One sensor runs without the others' blocks, one chunk without the others' chunks."""
    A = stack(circular[0], Fails(), circular[2])
    A = distribute(A, threads) if on_cluster else A
    y = A(X)
    np.testing.assert_array_equal(y[0].compute(), circular[0](x))
    np.testing.assert_array_equal(y[2][1:3].compute(), circular[2](x)[1:3])
    with pytest.raises(
        SensorError, match=r"sensor 1 \(Fails\(\)\) failed with ZeroDivisionError: as it must"
    ):
        y.compute()

    def only_the_first(block, block_info):
        assert block_info[0]["chunk-location"][0] == 0
        return block

    chunk = X.map_blocks(only_the_first, dtype=x.dtype, meta=np.empty((0,) * 4, x.dtype))
    D = distribute(circular, threads) if on_cluster else circular
    np.testing.assert_array_equal(D(chunk)[1][:2].compute(), circular[1](x[:2]))
    np.testing.assert_array_equal(D.A_adjoint_A(chunk)[0].compute(), circular.A_adjoint_A(x)[0])
    with pytest.raises(AssertionError):
        D.A_adjoint_A(chunk).compute()
