"""Dask arrays through distributed operators: the bits of NumPy, and nothing submitted before they are asked for."""

import gc

import dask
import dask.array as da
import numpy as np
import pytest
from interop.products import CHUNKS, COMPLEX, PRODUCTS, check_lazy, source

from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import ContextClosedError, SensorError
from daskphys.physics import LinearPhysics, stack, value


@pytest.fixture
def x(image):
    return image


@pytest.fixture
def X(image):
    return da.from_array(image, chunks=CHUNKS)


@pytest.mark.parametrize("name", PRODUCTS)
def test_distributed_on_threads(either, name, x, X, threads, never_computes):
    make, argument = PRODUCTS[name]
    D = distribute(either, threads)
    product = make(D)
    with never_computes(threads):
        lazy = product(X) if argument == "x" else product(either(X))
    eager = product(x) if argument == "x" else product(either(x))
    check_lazy(lazy, eager, scheduler=None)
    if name in ("A", "A.H", "A_adjoint_A", "A_A_adjoint", "2A"):
        plain = make(either)
        check_lazy(lazy, plain(x) if argument == "x" else plain(either(x)), scheduler=None)


@pytest.mark.parametrize("name", COMPLEX)
def test_distributed_complex_operators(either, name, x, X, threads):
    make, argument = COMPLEX[name]
    product = make(distribute(either, threads))
    check_lazy(*(product(v) if argument == "x" else product(either(v)) for v in (X, x)), scheduler=None)


@pytest.mark.parametrize("factor", [1, 2, 2j])
def test_distributed_pseudo_inverse(circular, factor, x, X, threads, never_computes):
    D = distribute(circular, threads)
    D, A = (D, circular) if factor == 1 else (factor * D, factor * circular)
    y, Y = circular(x), circular(X)
    with never_computes(threads):
        lazy = D.A_dagger(Y, rtol=0.3)
    check_lazy(lazy, D.A_dagger(y, rtol=0.3), scheduler=None)
    np.testing.assert_allclose(lazy.compute(), A.A_dagger(y, rtol=0.3), rtol=1e-4, atol=1e-5)


def test_the_tree_on_request(circular, x, X, threads, never_computes):
    D = distribute(circular, threads)
    with never_computes(threads):
        tree, merged = D.A_adjoint_A(X, method="tree"), D.A_adjoint_A(X)
    assert tree.name != merged.name
    check_lazy(tree, D.A_adjoint_A(x, method="tree"), scheduler=None)
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
    check_lazy(lazy, circular.A_adjoint(circular(x)), scheduler=None)
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
        check_lazy(result, eager, scheduler=None)


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
