"""Compact operators on chunks of the image's own axes: the numbers of NumPy, one task a tile."""

import itertools

import dask
import dask.array as da
import numpy as np
import pytest
from dask.graph_manipulation import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from daskphys.distributed import distribute
from daskphys.errors import SensorError, ShapeError
from daskphys.graph.joining import joins
from daskphys.interop.tiling import merged, plan
from daskphys.physics import Blur, LinearPhysics, Measurements, stack, value
from daskphys.physics.base import Gram

PADDINGS = ("circular", "valid", "replicate", "reflect")
RTOL = {"float32": 1e-6, "float64": 1e-12, "complex64": 1e-6, "complex128": 1e-12}

_rng = np.random.default_rng(5)
K = [_rng.normal(size=s) for s in ((3, 4), (5, 3), (2, 2))]

OPERATORS = {
    **{p: Blur(K[0], p) for p in PADDINGS},
    **{f"3 of {p}": stack(*(Blur(k, p) for k in K)) for p in PADDINGS},
    "mixed": stack(*(Blur(K[i % 2], p) for i, p in enumerate(PADDINGS))),
    "channels": stack(Blur(_rng.normal(size=(3, 3, 3)), "reflect"), Blur(K[0])),
    "2A": 2 * Blur(K[0], "reflect"),
    "2jA": stack(2j * Blur(K[1]), Blur(K[0])),
    "A + B": Blur(K[0], "replicate") + 3 * Blur(K[1], "replicate"),
    "A + jB": Blur(K[0]) + 1j * Blur(K[1]),
    "S + T": stack(Blur(K[0]), Blur(K[1], "valid")) + stack(Blur(K[1]), 2 * Blur(K[1], "valid")),
}


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(1).normal(size=(2, 3, 41, 37)).astype(np.float32)


@pytest.fixture
def X(x):
    return da.from_array(x, chunks=(2, 3, (11, 9, 2, 2, 17), (19, 18)))


class Disk:
    """An array that can be sliced, as a store gives one; it notes what is read."""

    def __init__(self, array):
        self._array, self.read = array, []
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, slices):
        self.read.append(slices)
        return self._array[slices]

    def __dask_tokenize__(self):
        return ("Disk", self._array)


def own(result, *inputs):
    """How many tasks a result has beside those of its inputs."""
    keys = set(result.__dask_graph__().to_dict())
    return len(keys.difference(*(i.__dask_graph__().to_dict() for i in inputs)))


def check(lazy, eager, scheduler="threads"):
    """The numbers of `eager`, to the rounding of sums over a kernel."""
    many = isinstance(eager, Measurements)
    assert isinstance(lazy, Measurements) == many
    lazy.dask.validate() if not many else [a.dask.validate() for a in lazy]
    for a, e in zip(list(lazy) if many else [lazy], list(eager) if many else [eager], strict=True):
        computed = a.compute(scheduler=scheduler)
        assert (a.shape, a.dtype) == (e.shape, e.dtype) == (computed.shape, computed.dtype)
        assert (type(a._meta), a._meta.dtype) == (np.ndarray, e.dtype)
        assert all(len(c) > 1 for c in a.chunks[-2:])
        assert np.linalg.norm(computed - e) <= RTOL[e.dtype.name] * np.linalg.norm(e)


@pytest.mark.parametrize("dtype", list(RTOL))
@pytest.mark.parametrize("name", OPERATORS)
def test_the_numbers_of_numpy(name, dtype, x, never_computes):
    A, x = OPERATORS[name], (x * (1 + 1j) if dtype.startswith("c") else x).astype(dtype)
    X = da.from_array(x, chunks=(2, 3, (11, 9, 2, 2, 17), (19, 18)))
    y = A(x)
    with never_computes():
        lazy = [A(X), A.A_adjoint(A(X)), A.A_adjoint_A(X), A.A_A_adjoint(A(X))]
    check(lazy[0], y)
    check(lazy[1], A.A_adjoint(y))
    check(lazy[2], A.A_adjoint_A(x))
    check(lazy[3], A.A_A_adjoint(y))


@pytest.mark.parametrize("padding", PADDINGS)
def test_volumes(padding):
    A = stack(*(Blur(_rng.normal(size=s), padding, ndim=3) for s in ((3, 2, 4), (3, 3, 3))))
    x = np.random.default_rng(2).normal(size=(2, 13, 12, 15))
    X = da.from_array(x, chunks=(1, (6, 7), 6, 5))
    check(A(X), A(x))
    check(A.A_adjoint(A(X)), A.A_adjoint(A(x)))
    check(A.A_adjoint_A(X), A.A_adjoint_A(x))


@settings(max_examples=25, deadline=None)
@given(
    padding=st.sampled_from(PADDINGS),
    kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    rows=st.lists(st.integers(1, 9), min_size=2, max_size=6).filter(lambda c: sum(c) >= 12),
    columns=st.lists(st.integers(1, 9), min_size=1, max_size=5).filter(lambda c: sum(c) >= 6),
    stored=st.booleans(),
)
def test_any_chunks_and_kernels(padding, kernel, rows, columns, stored):
    rng = np.random.default_rng(len(rows))
    A, x = Blur(rng.normal(size=kernel), padding), rng.normal(size=(sum(rows), sum(columns)))
    X = da.from_array(Disk(x) if stored else x, chunks=(tuple(rows), tuple(columns)))
    y = A(x)
    for lazy, eager in ((A(X), y), (A.A_adjoint(A(X)), A.H(y)), (A.A_adjoint_A(X), A.A_adjoint_A(x))):
        np.testing.assert_allclose(lazy.compute(scheduler="sync"), eager, atol=1e-11)


def test_a_measurement_with_chunks_of_its_own(x, X):
    A = stack(Blur(K[0], "valid"), Blur(K[1], "valid"))
    y, Y = A(x), list(A(X))
    Y[1] = Y[1].rechunk((2, 3, 10, 14))
    check(A.A_adjoint(Y), A.A_adjoint(y))


def test_chunks_without_elements(x):
    X = da.from_array(x, chunks=((0, 2), 3, (0, 20, 21), (19, 18)))
    X = da.concatenate([X[:0], X])
    A = OPERATORS["3 of valid"]
    np.testing.assert_allclose(A.A_adjoint_A(X).compute(), A.A_adjoint_A(x), atol=1e-4)


# -- how many tasks ----------------------------------------------------------------------------------------


def tiled(n=6, side=16):
    return da.ones((n * side, n * side), chunks=side, dtype="float32")


def test_one_task_a_tile():
    X = tiled()
    for padding in PADDINGS:
        A = Blur(np.ones((5, 5)), padding)
        for B in (A, 2 * A, A + A):
            y = B(X)
            assert own(y, X) == 36 + 1  # the operator
            assert own(B.A_adjoint(y), y, X) <= 36 + 1
            assert own(B.A_adjoint_A(X), X) <= 1.2 * 36


@pytest.mark.parametrize("n", [1, 3, 20])
def test_one_task_a_tile_and_block(n):
    X = tiled()
    for padding in PADDINGS:
        A = stack(*(Blur(np.full((3, 3), 1.0 + i), padding) for i in range(n)))
        y = A(X)
        assert own(y, X) == n + 36 * n
        assert own(A.A_adjoint(y), y) == 36 * n  # the blocks are there
        if padding == "circular":  # one pass for any number of sensors
            assert own(A.A_adjoint_A(X), X) <= 2 * n + 5 + 36
        else:
            assert own(A.A_adjoint_A(X), X) == n + 36 * n


def test_culling_keeps_what_one_tile_needs():
    X = tiled()
    y = Blur(np.ones((5, 5)))(X)
    kept = y.dask.cull([(y.name, 3, 3)])
    assert len(kept) == 1 + 1 + 9
    assert len(y.dask.cull([(y.name, 0, 0)])) == 1 + 1 + 9  # periodic: across the border


@pytest.mark.parametrize("count", [1, 2, 5, 16, 17, 300])
@pytest.mark.parametrize("fan_in", [2, 3, 16])
def test_joins_take_every_block_once_and_in_order(count, fan_in):
    taken, sums = joins(count, fan_in), []
    for block, earlier in enumerate(taken):
        assert len(earlier) < 2 * fan_in * max(1, len(str(count)))
        sums.append([i for e in earlier for i in sums[e]] + [block])
    assert sums[-1] == list(range(count))
    assert sorted(itertools.chain(*taken)) == list(range(count - 1))


# -- stores ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inline", [False, True])
def test_a_tile_reads_its_own_halo(x, inline):
    disk = Disk(x)
    X = da.from_array(disk, chunks=(2, 3, 14, 13), inline_array=inline)
    disk.read.clear()  # Dask may look at a few elements
    for A in (Blur(K[1], "reflect"), Blur(K[1], "valid")):
        disk = Disk(x)
        X = da.from_array(disk, chunks=(2, 3, 14, 13), inline_array=inline)
        y = A(X)
        assert X.name not in y.dask.layers
        disk.read.clear()
        np.testing.assert_allclose(y.compute(), A(x), atol=1e-4)
        assert len(disk.read) == 3 * 3  # once a tile
        largest = max(s[2].stop - s[2].start for s in disk.read)
        assert largest <= 14 + 4


def test_a_store_keeps_its_lock_and_its_getter(x):
    X = da.from_array(Disk(x), chunks=(2, 3, 14, 13), lock=True)
    np.testing.assert_allclose(Blur(K[0])(X).compute(), Blur(K[0])(x), atol=1e-4)
    calls = []

    def getitem(a, b, **keywords):
        calls.append(b)
        return 2 * a[b]

    X = da.from_array(Disk(x), chunks=(2, 3, 14, 13), getitem=getitem)
    np.testing.assert_allclose(Blur(K[0])(X).compute(), 2 * Blur(K[0])(x), atol=1e-4)
    assert len(calls) == 9  # what it does is not known here: chunks are read as it says


def test_what_was_computed_is_not_read_again(x):
    disk = Disk(x)
    X = da.from_array(disk, chunks=(2, 3, 14, 13)) + 1
    np.testing.assert_allclose(Blur(K[0])(X).compute(), Blur(K[0])(x + 1), atol=1e-4)


def test_memory_mapped_files(tmp_path, x):
    np.save(tmp_path / "x.npy", x)
    X = da.from_array(np.load(tmp_path / "x.npy", mmap_mode="r"), chunks=(2, 3, 14, 13))
    check(OPERATORS["mixed"](X), OPERATORS["mixed"](x))


def test_from_zarr_to_zarr(tmp_path, x):
    zarr = pytest.importorskip("zarr")
    stored = zarr.open(tmp_path / "x.zarr", mode="w", shape=x.shape, dtype=x.dtype, chunks=(2, 3, 14, 13))
    stored[...] = x
    A, X = OPERATORS["3 of circular"], da.from_zarr(tmp_path / "x.zarr")
    result = A.A_adjoint_A(X)
    assert X.name not in result.dask.layers
    result.to_zarr(tmp_path / "y.zarr")
    np.testing.assert_allclose(zarr.open(tmp_path / "y.zarr")[...], A.A_adjoint_A(x), rtol=1e-4, atol=1e-3)


# -- chunks ------------------------------------------------------------------------------------------------


def test_chunks_follow_the_image(x, X):
    rows, columns = (11, 9, 4, 17), (19, 18)  # two chunks of two are less than the overlap
    for padding, lost in (("circular", 0), ("valid", 1)):
        A = Blur(np.ones((5, 5)), padding)
        y = A(X)
        assert y.chunks[-2:] == (
            (rows[0] - 2 * lost, *rows[1:-1], rows[-1] - 2 * lost),
            (columns[0] - 2 * lost, columns[-1] - 2 * lost),
        )
        assert A.A_adjoint(y).chunks[-2:] == (rows, columns)


def test_small_chunks_are_merged_and_said(X):
    tiles = plan(Blur(np.ones((5, 3))), X)
    assert tiles.chunks() == ((11, 9, 4, 17), (19, 18))
    assert tiles.notes == (
        "axis -2: 5 chunks of 2 to 17 merged into 4 tiles, for each needs 2 samples of its neighbours",
    )
    assert plan(Blur(np.ones((1, 3))), X).notes == ()
    assert plan(Blur(np.ones((5, 3))).H, X).notes == tiles.notes
    assert "needs 4 samples" in plan(Gram(Blur(np.ones((5, 3)))), X).notes[0]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(1, 12))
def test_merging(chunks, least):
    made = merged(tuple(chunks), least)
    assert sum(made) == sum(chunks)
    assert set(np.cumsum(made)) <= set(np.cumsum(chunks))
    assert len(made) == 1 or min(made) >= least


# -- on workers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", ["auto", 2])
@pytest.mark.parametrize("name", ["3 of circular", "mixed", "2jA"])
def test_sensors_and_image_are_split_at_once(name, chunks, x, X, threads, never_computes):
    A = OPERATORS[name]
    D = distribute(A, threads, chunks=chunks)
    y = A(x)
    with never_computes(threads):
        lazy = [D(X), D.A_adjoint(D(X)), D.A_adjoint_A(X), D.A_adjoint_A(X, method="tree")]
    for result, eager in zip(lazy, (y, A.A_adjoint(y), A.A_adjoint_A(x), A.A_adjoint_A(x)), strict=True):
        check(result, eager, None)
    plain = A.A_adjoint(A(X)).compute()
    np.testing.assert_array_equal(lazy[1].compute(), plain)  # whoever has the blocks


def test_a_factory_with_kernels_of_several_sizes(X, x, threads):
    alike = distribute(lambda i: Blur(np.full((3, 3), 1.0 + i)), threads, num_operators=3)
    check(alike(X), stack(*(Blur(np.full((3, 3), 1.0 + i)) for i in range(3)))(x), None)
    unlike = distribute(lambda i: Blur(np.ones((3 + i, 3))), threads, num_operators=3)
    for product in (unlike, unlike.A_adjoint_A):
        with pytest.raises(ShapeError, match=r"sensor [12].*kernels of one size.*x\.rechunk"):
            dask.compute(product(X))


# -- what is made of results ---------------------------------------------------------------------------------


def test_results_are_ordinary_collections(x, X):
    A = OPERATORS["mixed"]
    y, expected = A(X), A(x)
    kept = y.persist()
    check(kept, expected, None)
    check(dask.optimize(y)[0], expected)
    assert checkpoint(y).compute() is None
    np.testing.assert_allclose(y[1].map_blocks(np.abs).compute(), abs(expected[1]), atol=1e-4)
    np.testing.assert_allclose(y[1][..., 3:9, 5].compute(), expected[1][..., 3:9, 5], atol=1e-4)
    check(A.A_adjoint(kept), A.A_adjoint(expected), None)


def test_annotations_stay(X):
    with dask.annotate(priority=7):
        y = OPERATORS["circular"](X)
    assert y.dask.layers[y.name].annotations == {"priority": 7}


# -- what is not local ---------------------------------------------------------------------------------------


@value
class Whole(LinearPhysics):
    """The image less its mean over an axis: every sample needs all others."""

    def _forward(self, x):
        return x - x.mean(-1, keepdims=True)

    def _adjoint(self, y, shape):
        return self._forward(y)


def test_an_operator_that_is_not_local(X, threads):
    A = stack(Blur(K[0]), Whole())
    D = distribute(A, threads)
    y = A(X.rechunk({-1: -1}))
    for product in (
        lambda: Whole()(X),
        lambda: A(X),
        lambda: D(X),
        lambda: A.A_adjoint_A(X),
        lambda: D.A_adjoint([X, X]),
        lambda: Blur(K[0], "reflect").A_dagger(X),
        lambda: (Whole() @ Blur(K[0]))(X),
    ):
        with pytest.raises(ShapeError, match=r"expected one chunk along the last .* axes.*x\.rechunk"):
            product()
    assert y[1].shape == X.shape


def test_the_sensor_that_needs_the_whole_image_is_named(X, threads):
    A = stack(Blur(K[0]), Blur(K[1], "valid"), Whole())
    N = A.normal(X.shape, weights=np.ones(3))
    for product in (lambda: A(X), lambda: A.A_adjoint_A(X), lambda: N(X)):
        with pytest.raises(ShapeError, match=r"sensor 2: Whole\(\)(\.H)? expected one chunk .*x\.rechunk"):
            product()
    D = distribute(A, threads)
    for product in (lambda: D(X), lambda: D.A_adjoint([X, X[..., 4:, 2:], X])):
        with pytest.raises(ShapeError, match=r"sensor 2 \(Whole\(\)\) is no compact convolution.*x\.rechunk"):
            product()


def test_products_of_compact_operators_are_taken_one_after_the_other(x, X):
    A = stack(Blur(K[0]), Blur(K[1], "valid")) @ Blur(K[2], "reflect")
    check(A(X), A(x))
    check(A.A_adjoint(A(X)), A.A_adjoint(A(x)))
    check(A.A_adjoint_A(X), A.A_adjoint_A(x))


def test_a_sensor_that_fails_says_which(X, threads):
    D = distribute(
        lambda i: Blur(np.ones((3, 3)) if i == 0 else np.ones((2, 3, 3))), threads, num_operators=2
    )
    with pytest.raises((ShapeError, SensorError), match="sensor 1"):
        dask.compute(D(X))


WEIGHTED = {
    "3 of reflect": OPERATORS["3 of reflect"],
    "mixed": OPERATORS["mixed"],
    "periodic sums": stack(Blur(K[0]) + Blur(K[1]), Blur(K[2]) + 2 * Blur(K[0]), Blur(K[1]) + Blur(K[1])),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_weighted_sums_on_tiles(name, x, X, threads, never_computes):
    A, weights = WEIGHTED[name], [0.5, 2.0, 0.0, 3.0][: len(WEIGHTED[name])]
    N, D = A.normal(x.shape, weights=weights), distribute(A, threads)
    with never_computes():
        lazy = N(X)
    check(lazy, N(x))
    check(D.normal(x.shape, weights=weights)(X), N(x), scheduler=threads.client)


@pytest.mark.parametrize("n", [3, 20])
def test_weights_add_no_tasks(n, X):
    A = stack(*(Blur(K[i % 2], "reflect") for i in range(n)))
    assert own(A.normal(X.shape, weights=np.ones(n))(X), X) == own(A.A_adjoint_A(X), X)
