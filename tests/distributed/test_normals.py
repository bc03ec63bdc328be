"""AᴴA set up on a cluster: the plain stack's bits, for unlike sensors and with weights; once for equal operators."""

from __future__ import annotations

import gc
from typing import Any

import dask.array as da
import numpy as np
import pytest
from cases import entries, raises
from operators import Mask, NonUniformFourier, points

from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import NotClosedFormError, ParameterError, ShapeError
from daskphys.physics import (
    Blur,
    Diagonal,
    FourierMultiplier,
    Identity,
    LinearPhysics,
    NormalSum,
    StackedPhysics,
    gaussian_blur,
    stack,
)
from daskphys.physics.weighted import WeightedGram

SHAPE = (16, 17)


def sensor(index: int) -> LinearPhysics:
    """Blurs, weights and a multiple of the identity by turns."""
    kinds: list[LinearPhysics] = [
        Blur(gaussian_blur(0.6 + 0.1 * index)),
        Diagonal(entries(*SHAPE, seed=index)),
        Identity(0.1 * index),
    ]
    return kinds[index % 3]


@pytest.fixture(scope="module")
def unlike() -> StackedPhysics:
    return stack(*map(sensor, range(11)))


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("chunks", ["auto", 1, 2, 5, 11])
def test_unlike_sensors_have_the_bits_of_the_plain_stack(
    threads: DistributedContext, unlike: StackedPhysics, x: np.ndarray, chunks: Any
) -> None:
    D = distribute(unlike, threads, chunks=chunks)
    assert D.normal_kind == unlike.normal_kind
    N = D.normal(x.shape)
    assert isinstance(N, NormalSum)
    assert unlike.normal(x.shape) == N, "every bit"
    np.testing.assert_array_equal(D.A_adjoint_A(x), unlike.A_adjoint_A(x))
    np.testing.assert_array_equal(D.A_adjoint_A(x, method="tree"), unlike._gram(x))


def test_a_factory_of_unlike_sensors(
    threads: DistributedContext, unlike: StackedPhysics, x: np.ndarray
) -> None:
    """No sensor but the first is known to the client: kinds are gathered from the blocks."""
    D = distribute(sensor, threads, num_operators=11, chunks=[1, 4, 6])
    assert D.normal_kind == unlike.normal_kind
    assert D.normal(x.shape) == unlike.normal(x.shape)
    assert distribute(sensor, threads, num_operators=1).normal_kind == unlike[0].normal_kind


def test_masks_and_non_uniform_transforms(threads: DistributedContext) -> None:
    rng = np.random.default_rng(0)
    A = stack(
        Mask(rng.random((5, 6)) < 0.5),
        NonUniformFourier(points(12, 2), (5, 6)),
        Mask(rng.random((5, 6)) < 0.5),
        NonUniformFourier(points(9, 2, seed=1), (5, 6)),
    )
    D, x = distribute(A, threads, chunks=1), rng.standard_normal((5, 6))
    assert D.normal((5, 6)) == A.normal((5, 6))
    np.testing.assert_array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
    lazy = D.A_adjoint_A(da.from_array(x))
    assert lazy.dtype == np.complex128
    np.testing.assert_array_equal(lazy.compute(), A.A_adjoint_A(x))


def test_norms_and_solutions_iterate(
    threads: DistributedContext, unlike: StackedPhysics, x: np.ndarray
) -> None:
    D = distribute(unlike, threads)
    assert D.compute_norm(x.shape) == pytest.approx(unlike.compute_norm(x.shape), rel=1e-12)
    assert D.runner.last is not None
    assert D.runner.last.method == "normal", "set up once; the iteration asks no worker"
    wide = x[0].astype(np.float64)
    np.testing.assert_allclose(D.A_dagger(D(wide)), wide, atol=1e-10)
    np.testing.assert_allclose(unlike.A_dagger(unlike(wide)), wide, atol=1e-10)


@pytest.mark.parametrize("chunks", [1, 3, 7])
def test_weights(
    threads: DistributedContext,
    blurs: StackedPhysics,
    mixed: StackedPhysics,
    image: np.ndarray,
    chunks: int,
) -> None:
    rng = np.random.default_rng(0)
    for plain, kind in ((blurs, FourierMultiplier), (mixed, WeightedGram)):
        w = rng.uniform(0, 2, len(plain))
        D = distribute(plain, threads, chunks=chunks)
        ours, theirs = D.normal(image.shape, weights=w), plain.normal(image.shape, weights=w)
        assert isinstance(ours, kind)
        np.testing.assert_array_equal(ours(image), theirs(image))
        np.testing.assert_array_equal(ours(da.from_array(image, chunks=(1, 61, 48))).compute(), theirs(image))
        np.testing.assert_array_equal(
            theirs(da.from_array(image, chunks=(1, 61, 48))).compute(), theirs(image)
        )


def test_bad_weights(threads: DistributedContext, blurs: StackedPhysics, mixed: StackedPhysics) -> None:
    for plain in (blurs, mixed):
        D, n = distribute(plain, threads), len(plain)
        with raises(ShapeError, f"expected {n} weights, one a sensor", "got 2 weights"):
            D.normal((61, 48), weights=[1, 2])
        with raises(ParameterError, "not negative", "got -1 for sensor 0"):
            D.normal((61, 48), weights=[-1] * n)


def test_set_up_is_a_tree_and_each_block_sends_partial_sums(threads: DistributedContext) -> None:
    A = stack(*[Blur(gaussian_blur(0.5 + 0.01 * i)) for i in range(40)])
    D = distribute(A, threads, chunks=2)
    D.normal((16, 16))
    call = D.runner.last
    assert call is not None
    assert call.method == "normal"
    assert call.tasks == len(threads.workers()) + 1, "one task a worker's thread, and the root"
    assert call.bytes_returned <= 16 * 9 * 8 + 1000, "one spectrum"


def test_equal_operators_share_one_set_up(threads: DistributedContext, blurs: StackedPhysics) -> None:
    """The merged value is kept under the operator's token: distributing again computes nothing again."""
    first, second = distribute(blurs, threads), distribute(blurs, threads)
    N = first.normal((61, 48))
    assert second.normal((3, 61, 48)) is N
    assert second.runner.last is None, "no graph ran"
    assert second.normal((61, 47)) is first.normal((61, 47)) is not N
    assert distribute(blurs[:6], threads).normal((61, 48)) != N
    del first
    gc.collect()
    assert second.normal((61, 48)) == N, "made anew when the first one is gone"


def test_lazy_solutions_of_unlike_sensors(
    threads: DistributedContext, unlike: StackedPhysics, x: np.ndarray
) -> None:
    """They iterate: a plain stack does so in each chunk's task, one on workers says that it cannot."""
    wide = x.astype(np.float64)
    y = [da.from_array(a, chunks=(1, *SHAPE)) for a in unlike(wide)]
    np.testing.assert_allclose(unlike.A_dagger(y).compute(), wide, atol=1e-10)
    D = distribute(unlike, threads)
    with raises(NotClosedFormError, "iterates over workers"):
        D.A_dagger(y)
    chunked = da.from_array(x, chunks=(1, *SHAPE))
    np.testing.assert_array_equal(unlike.A_adjoint_A(chunked).compute(), unlike.A_adjoint_A(x))
    np.testing.assert_array_equal(D.A_adjoint_A(chunked).compute(), unlike.A_adjoint_A(x))


def test_weights_go_to_the_tasks_and_no_operator_travels_again(
    processes: DistributedContext, blurs: StackedPhysics, mixed: StackedPhysics, image: np.ndarray
) -> None:
    for plain in (blurs, mixed):
        D = distribute(plain, processes)
        D.A_adjoint_A(image, method="tree")
        sent = D.report().bytes_operators
        held = list(D.holding.blocks().refs)
        w = np.arange(len(plain)) / 3
        np.testing.assert_array_equal(
            D.normal(image.shape, weights=w)(image), plain.normal(image.shape, weights=w)(image)
        )
        assert list(D.holding.blocks().refs) == held
        report = D.report()
        assert report.bytes_operators == sent
        assert report.bytes_sent <= image.nbytes
