"""The graphs behind lazy results: how many tasks, under which names, and as Dask's own functions take them."""

import dask
import dask.array as da
import numpy as np
import pytest
from dask.graph_manipulation import bind, checkpoint, clone, wait_on
from dask.highlevelgraph import HighLevelGraph

from daskphys.distributed import distribute
from daskphys.interop.dask import LazyMeasurements
from daskphys.physics import Blur, Measurements, stack

CHUNKS = 6  # of X


@pytest.fixture
def X(image):
    return da.from_array(image, chunks=((2, 2), 1, 12, 10))


def many(n, padding="circular"):
    return stack(*(Blur(np.full((1, 1), 1.0 + i), padding) for i in range(n)))


def own(result, *inputs):
    """How many tasks a result has beside those of its inputs."""
    keys = set(result.__dask_graph__().to_dict())
    return len(keys.difference(*(i.__dask_graph__().to_dict() for i in inputs)))


# -- how many ----------------------------------------------------------------------------------------------


def test_one_task_a_chunk(blur, X):
    operator = 1
    for result in (blur(X), blur.A_adjoint(X), blur.A_adjoint_A(X), blur.A_dagger(X)):
        assert own(result, X) == operator + CHUNKS
    assert own((2 * blur)(X), X) == operator + 2 * CHUNKS
    assert own((blur @ blur)(X), X) == operator + CHUNKS  # a product of circular convolutions is one
    assert own((blur.H @ blur)(X), X) == 2 * operator + 2 * CHUNKS


@pytest.mark.parametrize(
    ("n", "blocks", "joins"), [(1, 1, 0), (8, 8, 0), (9, 9, 0), (20, 20, 2), (300, 150, 10)]
)
def test_chunks_times_blocks_and_a_tree(n, blocks, joins, X):
    merging, other = many(n), many(n, "valid")
    y = merging(X)
    tree = blocks + joins + 1
    assert own(y, X) == blocks + CHUNKS * (blocks + n)
    assert own(merging.A_adjoint(y), y) == CHUNKS * tree  # the blocks are there already
    assert own(other.A_adjoint_A(X), X) == blocks + CHUNKS * tree
    assert own(merging.A_adjoint_A(X), X) == blocks + tree + CHUNKS
    assert own(merging.A_dagger(y), y) == tree + CHUNKS * (tree + 1)


def test_workers_hold_the_blocks(X, threads):
    n, blocks, workers = 20, 4, 2
    D = distribute(many(n), threads, chunks=5)
    y = D(X)
    assert own(y, X) == CHUNKS * (blocks + n)  # a block is computed where one of its sensors is asked for
    # Sums need all blocks: those of one worker are one task.
    assert own(D.A_adjoint(y), y) == CHUNKS * (workers + 1)
    assert own(D.A_adjoint_A(X, method="tree"), X) == CHUNKS * (workers + 1)
    assert own(D.A_adjoint_A(X), X) == workers + 1 + CHUNKS
    assert own((4 * D).A_adjoint_A(X), X) == workers + 1 + CHUNKS  # a distributed operator of its own
    assert own(D.A_dagger(y), y) == workers + 1 + CHUNKS * (workers + 2)


def test_culling_keeps_what_one_chunk_needs(X):
    n = 20
    A = many(n)
    y = A(X)
    culled = y[3].__dask_graph__().cull([y[3].__dask_keys__()[0][0][0][0]])
    image, block, forward, take = 1, 1, 1, 1
    assert len(culled) == image + block + forward + take
    back = A.A_adjoint(y)
    culled = back.__dask_graph__().cull([back.__dask_keys__()[0][0][0][0]])
    assert len(culled) == image + n + n + n + n + 2 + 1


# -- names and layers --------------------------------------------------------------------------------------


def results(A, X):
    X = X.rechunk({1: 3})
    y = A(X)
    return [*y, A.A_adjoint(y), A.A_adjoint_A(X), A.A_A_adjoint(y)[0], (2 * A)(X)[0], (A + A).A_adjoint(y)]


def test_names_follow_from_the_content(stacked, X, threads):
    D = distribute(stacked, threads)
    again = stack(*stacked.physics_list)
    for A, B in ((stacked, again), (D, distribute(again, threads))):
        names = [r.name for r in results(A, X)]
        assert names == [r.name for r in results(B, X)]
        assert len(set(names)) == len(names)
        assert not set(names) & {r.name for r in results(A, X + 1)}
        assert not set(names) & {r.name for r in results(stack(*stacked, Blur([[2.0]])), X)}
    assert not {r.name for r in results(stacked, X)} & {r.name for r in results(D, X)}


def test_names_tell_parameters_apart(circular, blur, X, threads):
    y, D = circular(X), distribute(circular, threads)
    lazy = [
        *(A.A_dagger(Y, rtol) for A, Y in ((circular, y), (D, y), (blur, X)) for rtol in (None, 0.1, 0.2)),
        D.A_adjoint_A(X),
        D.A_adjoint_A(X, method="tree"),
        circular.A_adjoint_A(X),
        blur(X),
        blur.H(X),
        Blur(blur.filter, "reflect")(X),
    ]
    assert len({a.name for a in lazy}) == len(lazy)
    assert all(a.name in a.dask.layers for a in lazy)


def test_graphs_are_valid_alone_and_together(stacked, X, threads):
    D = distribute(stacked, threads)
    lazy = [r for A in (stacked, D) for x in (X, X + 1) for r in results(A, x)]
    for result in lazy:
        result.dask.validate()
    HighLevelGraph.merge(*(r.dask for r in lazy)).validate()


# -- measurements are a collection -------------------------------------------------------------------------


@pytest.fixture(params=["plain", "distributed"])
def y(request, mixed, X):
    A = mixed if request.param == "plain" else distribute(mixed, request.getfixturevalue("threads"))
    return A(X)


def check(lazy, expected):
    computed = lazy.compute()
    assert type(computed) is Measurements
    np.testing.assert_equal(list(computed), list(expected))


def test_compute_takes_them_with_others(y, mixed, image, X):
    expected = mixed(image)
    check(y, expected)
    assert isinstance(y, LazyMeasurements)
    together = dask.compute({"y": y, "x": [X, y[1]]}, 3)
    np.testing.assert_equal(list(together[0]["y"]), list(expected))
    np.testing.assert_array_equal(together[0]["x"][1], expected[1])
    assert together[1] == 3


def test_what_users_make_of_dask_arrays(image, X):
    made = Measurements([X, X[:1] + 1])
    assert dask.is_dask_collection(made)
    assert not dask.is_dask_collection(Measurements([image]))
    check(made, [image, image[:1] + 1])
    check(made[1:], [image[:1] + 1])
    assert not dask.is_dask_collection(made.map(lambda a: a.shape[0]))


def test_persist(y, mixed, image):
    kept = y.persist()
    assert isinstance(kept, LazyMeasurements)
    assert [a.name for a in kept] == [a.name for a in y]
    check(kept, mixed(image))
    for array in kept:  # no array keeps the chunks of another
        assert set(array.dask) == set(dask.core.flatten(array.__dask_keys__()))
    np.testing.assert_array_equal(kept[1].compute(), mixed(image)[1])
    check(dask.persist(y, 1)[0], mixed(image))


def test_persist_where_one_array_is_made_of_another(image):
    first = da.ones((2, 3), chunks=(1, 3))
    both = Measurements([first, first + 1])
    for made in (dask.optimize(both)[0], both.persist(scheduler="threads")):
        np.testing.assert_array_equal(made[1].compute(), 2 * np.ones((2, 3)))


def test_optimize(y, mixed, image):
    (optimized,) = dask.optimize(y)
    check(optimized, mixed(image))
    np.testing.assert_array_equal(optimized[2].compute(), mixed(image)[2])


def test_checkpoint_and_wait_on(y, mixed, image):
    assert checkpoint(y).compute() is None
    waiting = wait_on(y)
    assert isinstance(waiting, LazyMeasurements)
    assert not {a.name for a in waiting} & {a.name for a in y}
    check(waiting, mixed(image))


def test_clone_and_bind_rename_the_arrays(image):
    """Where Dask can clone the arrays themselves (blockwise layers), it can clone measurements of them."""
    X = da.from_array(image, chunks=(2, 3, 12, 10), inline_array=True)
    made = Measurements([X + 1, X * 2])
    for copied in (clone(made), bind(made, da.zeros(3))):
        assert isinstance(copied, LazyMeasurements)
        assert not {a.name for a in copied} & {a.name for a in made}
        check(copied, [image + 1, image * 2])


def test_what_dask_does_with_results(y, mixed, image):
    expected = mixed(image)
    np.testing.assert_array_equal((y[1][:, 0] + 1).compute(), expected[1][:, 0] + 1)
    np.testing.assert_array_equal(y[0].map_blocks(np.sign).compute(), np.sign(expected[0]))
    np.testing.assert_allclose(
        y[0].mean(axis=(1, 2, 3)).compute(), expected[0].mean(axis=(1, 2, 3)), rtol=1e-5
    )
    check(y.map(lambda a: a.max()), [a.max() for a in expected])
    check(y[1:], expected[1:])
    assert [a.shape for a in y] == [a.shape for a in expected]
    assert y.nbytes == expected.nbytes


def test_arithmetic_stays_lazy(y, mixed, image, never_computes):
    expected = mixed(image)
    cases = [
        lambda m: 2 * m - m / 3 + 1,
        lambda m: np.float32(2) * m,
        lambda m: np.float64(2) * m,
        lambda m: m * np.float32(0.5),
        lambda m: -m + list(m),
        lambda m: 1 / (m + 2j),
        lambda m: 1 - m,
    ]
    for case in cases:
        with never_computes():
            lazy = case(y)
        assert isinstance(lazy, LazyMeasurements)
        assert [a.dtype for a in lazy] == [a.dtype for a in case(expected)]
        check(lazy, case(expected))
    check(y * da.from_array(np.float32(3)), np.float32(3) * expected)


def test_norm_and_stack_stay_lazy(circular, image, X, never_computes):
    with never_computes():
        y = circular(X)
        norm, stacked = y.norm(), y.stack()
    assert (norm.shape, norm.dtype) == ((), np.float32)
    np.testing.assert_allclose(norm.compute(), circular(image).norm(), rtol=1e-5)
    assert stacked.shape == (3, *image.shape)
    np.testing.assert_array_equal(stacked.compute(), circular(image).stack())


def test_tokens(y):
    assert dask.base.tokenize(y) == dask.base.tokenize(Measurements(y))
    assert dask.base.tokenize(y) != dask.base.tokenize(2 * y)
