"""Block-diagonal operators and horizontal stacks on a cluster."""

import os
import signal

import dask.array as da
import numpy as np
import pytest
from distributed import LocalCluster

from daskphys import optim
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import (
    DaskphysError,
    FallbackWarning,
    MemoryPlanError,
    ParameterError,
    SensorError,
    ShapeError,
)
from daskphys.physics import (
    Blur,
    Diagonal,
    Downsampling,
    FunctionOperator,
    GaussianNoise,
    MatrixOperator,
    Measurements,
    OfRealImages,
    block_diagonal,
    gaussian_blur,
    hstack,
    stack,
)
from tests.cases import raises

_rng = np.random.default_rng(0)
M = _rng.standard_normal((7, 5)).astype(np.float32)
BLOCKS = block_diagonal(
    Blur(gaussian_blur(1.0)),
    MatrixOperator(M),
    Downsampling("bilinear", 2),
    FunctionOperator(lambda x: x[::-1], lambda y: y[::-1], 6, 6),
)
SHAPES = ((3, 12, 10), (3, 5), (3, 8, 6), (3, 6))


def inputs():
    return Measurements(_rng.random(shape, dtype=np.float32) for shape in SHAPES)


def same(got, expected):
    assert isinstance(got, Measurements)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_bits_of_the_plain_operator(processes):
    A, x = BLOCKS, inputs()
    D, y = distribute(A, processes), A(x)
    same(D(x), y)
    same(D.A_adjoint(y), A.A_adjoint(y))
    same(D.A_adjoint_A(x), A.A_adjoint_A(x))
    same((2 * D - D[:])(x), (2 * A - A)(x))
    same(D[1:3](x[1:3]), y[1:3])
    assert sorted(i for held in D.placement.values() for i in held) == D.local_indexes == [0, 1, 2, 3]
    assert len(D.placement) == 2
    assert D.report().method == "block by block gram"
    assert D.nbytes == A.nbytes
    with pytest.warns(FallbackWarning, match="at each iteration"):  # there is no engine of its own for them
        same(optim.cg(D, y, rtol=1e-3), optim.cg(A, y, rtol=1e-3))
    noisy = A.with_noise(GaussianNoise(0.1))
    same(D.with_noise(GaussianNoise(0.1))(x, seed=3), noisy(x, seed=3))
    same(D[:2].A_dagger(y[:2]), A[:2].A_dagger(y[:2]))
    with processes.client.as_current():
        same(D(x.map(lambda a: da.from_array(a, chunks=(2, *a.shape[1:])))).map(lambda a: a.compute()), y)


def test_hstack_is_the_adjoint_of_a_stack_there_too(processes):
    A = hstack(MatrixOperator(M), MatrixOperator(M[:, :2]), MatrixOperator(M[:, ::-1]))
    D = distribute(A, processes)
    x = Measurements(_rng.random((3, n), dtype=np.float32) for n in (5, 2, 5))
    y = A(x)
    np.testing.assert_array_equal(D(x), y)
    same(D.A_adjoint(y), A.A_adjoint(y))
    assert sorted(i for held in D.H.placement.values() for i in held) == [0, 1, 2]


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_a_repetition():
    """Blocks are made again from their recipes, and rows of a Dask array from its tasks."""
    x, rows = inputs(), _rng.random((40, 5), dtype=np.float32)
    y, M = BLOCKS(x), MatrixOperator(da.from_array(rows, chunks=(15, 5)))
    with DistributedContext(n_workers=2, processes=True) as ctx:
        D, E = distribute(BLOCKS, ctx), distribute(M, ctx)
        same(D(x), y)
        for victim in ctx.client.run(os.getpid).values():
            os.kill(victim, signal.SIGKILL)
            same(D(x), y)
            np.testing.assert_array_equal(E(x[1]), MatrixOperator(rows)(x[1]))


def test_errors_name_the_block(threads):
    def fails(x):
        raise OSError("the disk is full")

    D = distribute(block_diagonal(MatrixOperator(M), FunctionOperator(fails, fails, 3, 3)), threads)
    with raises(SensorError, "sensor 1", "the disk is full"):
        D([np.ones(5), np.ones(3)])
    with raises(ShapeError, "(5,)", "(4,)"):
        D([np.ones(4), np.ones(3)])
    with raises(ParameterError, "BlockDiagonal", "factory alone"):
        distribute(BLOCKS, threads, num_operators=3)
    with raises(ParameterError, "stack(A, B, …)"):
        distribute(Blur(gaussian_blur(1.0)).H, threads)


def test_there_is_no_plan_and_it_says_what_there_is(threads):
    D = distribute(BLOCKS, threads)
    with raises(DaskphysError, "has no plan", "D.placement", "D.report()"):
        D.plan(SHAPES)
    assert distribute(stack(BLOCKS.blocks[0]), threads).plan(SHAPES[0], calibrate=False).tasks


def test_calls_that_cannot_fit_are_refused():
    n = 1 << 20
    A = block_diagonal(Diagonal(np.full(n, 2.0, np.float32)), *[Diagonal(np.ones(4, np.float32))] * 3)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, memory_limit="1.5GB",
                     dashboard_address=":0", silence_logs=50) as cluster,
        DistributedContext(cluster=cluster) as ctx,
    ):  # fmt: skip
        D = distribute(A, ctx)
        large = [np.broadcast_to(np.zeros(n, np.float32), (256, n)), *[np.ones(4, np.float32)] * 3]
        for call in (D, D.A_adjoint, D.A_adjoint_A):
            with raises(MemoryPlanError, "of 4 arrays", "GiB", "Nothing was submitted"):
                call(large)
        small = [np.ones(n, np.float32), *large[1:]]
        same(D(small), A(small))


@pytest.mark.parametrize("dtype", ["float64", "complex64"])
def test_dtypes(threads, dtype):
    A = block_diagonal(MatrixOperator(M), 1j * MatrixOperator(M))
    D, x = distribute(A, threads), [np.ones((2, 5), dtype), np.ones(5, dtype)]
    same(D(x), A(x))
    assert [a.dtype for a in D(x)] == [a.dtype for a in A(x)]


def test_real_images_beside_complex_ones(threads):
    B = block_diagonal(*[OfRealImages(Diagonal(np.array([1j, 2.0]))), Diagonal(np.ones(3))] * 4)
    D, x = distribute(B, threads), [_rng.random(2), _rng.random(3) + 1j] * 4
    same(D(x), B(x))
    same(D.A_adjoint(B(x)), B.A_adjoint(B(x)))
    assert D.compute_norm([a.shape for a in x]) == B.compute_norm([a.shape for a in x])
