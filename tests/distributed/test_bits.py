"""The same bits as the plain operator, on any number of workers, of threads or processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from distributed import LocalCluster

from daskphys.distributed import DistributedContext, calls, distribute
from daskphys.distributed.physics import DistributedPhysics
from daskphys.graph.builder import GraphBuilder
from daskphys.physics import Blur, Measurements, StackedPhysics, stack


def results(physics: Any, x: np.ndarray) -> dict[str, list[np.ndarray]]:
    """All products of an operator, by name."""
    y = physics(x)
    products: dict[str, Callable[[], Any]] = {
        "A": lambda: physics.A(x),
        "A_adjoint": lambda: physics.A_adjoint(y),
        "A_adjoint_A": lambda: physics.A_adjoint_A(x),
        "A_A_adjoint": lambda: physics.A_A_adjoint(y),
        "A_vjp": lambda: physics.A_vjp(x, y),
    }
    if physics.normal_kind is not None:
        products["A_dagger"] = lambda: physics.A_dagger(y)
        products["inv"] = lambda: physics.normal(x.shape).inv(0.1)(x)
    found = {name: make() for name, make in products.items()}
    return {name: list(v) if isinstance(v, Measurements) else [v] for name, v in found.items()}


def assert_same_bits(found: dict[str, list[np.ndarray]], expected: dict[str, list[np.ndarray]]) -> None:
    assert found.keys() == expected.keys()
    for name, arrays in expected.items():
        assert len(found[name]) == len(arrays)
        for ours, plain in zip(found[name], arrays, strict=True):
            assert ours.dtype == plain.dtype
            np.testing.assert_array_equal(ours, plain, err_msg=name)


@pytest.mark.parametrize("n_workers", [1, 2, 3, 4])
def test_threads(n_workers: int, blurs: StackedPhysics, mixed: StackedPhysics, image: np.ndarray) -> None:
    with DistributedContext(n_workers=n_workers) as ctx:
        assert ctx.world_size == n_workers
        for plain in (blurs, mixed):
            assert_same_bits(results(distribute(plain, ctx), image), results(plain, image))


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [1, 2, 3, 4])
def test_processes(n_workers: int, blurs: StackedPhysics, mixed: StackedPhysics, image: np.ndarray) -> None:
    with DistributedContext(n_workers=n_workers, processes=True) as ctx:
        for plain in (blurs, mixed):
            assert_same_bits(results(distribute(plain, ctx), image), results(plain, image))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_dtypes(threads: DistributedContext, blurs: StackedPhysics, image: np.ndarray, dtype: str) -> None:
    x = image.astype(dtype) * (1 + 0.5j if dtype.startswith("c") else 1)
    x = x.astype(dtype)
    assert_same_bits(results(distribute(blurs, threads), x), results(blurs, x))


@pytest.mark.parametrize("chunks", [1, 2, 3, 5, 7, 100, (1, 6), (4, 2, 1), "auto"])
def test_the_cut_changes_no_bit(
    threads: DistributedContext, blurs: StackedPhysics, mixed: StackedPhysics, image: np.ndarray, chunks: Any
) -> None:
    assert_same_bits(results(distribute(blurs, threads, chunks=chunks), image), results(blurs, image))
    if not isinstance(chunks, tuple):
        assert_same_bits(results(distribute(mixed, threads, chunks=chunks), image), results(mixed, image))


@pytest.mark.parametrize("chunks", [1, 4, (1, 3), (2, 2), (3, 1)])
def test_the_cut_of_blurs_among_multipliers(
    threads: DistributedContext, blurs: StackedPhysics, image: np.ndarray, chunks: Any
) -> None:
    """All start from one spectrum, though blocks of blurs alone would start from another."""
    F = Blur(np.ones((3, 3))).normal(image.shape)
    plain = stack(blurs[0], F, blurs[1], F)
    D = distribute(plain.physics_list.__getitem__, threads, num_operators=4, chunks=chunks)
    y = plain(image)
    np.testing.assert_array_equal(D.A_adjoint(y), plain.A_adjoint(y))
    assert D.transform == plain.transform


def test_the_tree_forced(threads: DistributedContext, blurs: StackedPhysics, image: np.ndarray) -> None:
    D = distribute(blurs, threads)
    merged, tree = D.A_adjoint_A(image), D.A_adjoint_A(image, method="tree")
    assert np.linalg.norm(tree - merged) <= 1e-6 * np.linalg.norm(merged)
    assert (D.report().method, D.report().tasks) == ("A_adjoint_A by the tree", 3 + 1)
    other = distribute(blurs, threads, chunks=3)
    np.testing.assert_array_equal(other.A_adjoint_A(image, method="tree"), tree)


def test_a_tree_of_several_levels(threads: DistributedContext, image: np.ndarray) -> None:
    from daskphys.physics import Blur, stack

    rng = np.random.default_rng(1)
    plain = stack(*[Blur(rng.random((3, 3)), padding="valid") for _ in range(70)])
    D = distribute(plain, threads)
    y = plain(image)
    expected = plain.A_adjoint(y)
    np.testing.assert_array_equal(D.A_adjoint(y), expected)
    assert D.report().tasks == 3 + 1  # the 70 blocks of three workers, as three
    builder, blocks = GraphBuilder("by-block"), D.holding.blocks()
    sent = [builder.add(f"y{i}", np.copy, a) for i, a in enumerate(y)]
    root = calls.adjoint(builder, "by-block", blocks, sent, image.shape)
    # 70 measurements, 70 blocks, 5 nodes of up to 16, the root.
    assert len(builder) == 70 + 70 + 5 + 1
    np.testing.assert_array_equal(threads.client.get(builder.build(), root.key), expected)


def test_algebra_on_a_distributed_operator(
    threads: DistributedContext, blurs: StackedPhysics, image: np.ndarray
) -> None:
    D = distribute(blurs, threads)
    y = D(image)
    np.testing.assert_array_equal((2 * D)(image)[3], 2 * y[3])
    np.testing.assert_array_equal(D.H(y), D.A_adjoint(y))
    np.testing.assert_array_equal((D.H @ D)(image), D.A_adjoint(y))
    assert D.H.H is D
    assert D.compute_norm(image) == blurs.compute_norm(image)
    assert D.range_shape(image.shape) == blurs.range_shape(image.shape)
    assert len(D) == len(blurs)
    assert D.physics_list == blurs.physics_list
    assert D.local_indexes == list(range(7))
    part = D[2:5]
    assert isinstance(part, DistributedPhysics)
    np.testing.assert_array_equal(part.A_adjoint(part(image)), blurs[2:5].A_adjoint(blurs[2:5](image)))


def test_iterative_forms_run_on_the_cluster(threads: DistributedContext, mixed: StackedPhysics) -> None:
    x = np.random.default_rng(2).random((12, 11))
    D = distribute(mixed[:2], threads)
    plain = mixed[:2]
    assert D.compute_norm(x) == pytest.approx(plain.compute_norm(x), rel=1e-10)
    y = plain(x)
    np.testing.assert_allclose(D.A_dagger(y), plain.A_dagger(y), rtol=0, atol=1e-9)


@pytest.mark.slow
def test_workers_that_join_and_leave(blurs: StackedPhysics, mixed: StackedPhysics, image: np.ndarray) -> None:
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    )
    with cluster, DistributedContext(cluster=cluster) as ctx:
        operators = [(p, distribute(p, ctx)) for p in (blurs, mixed)]
        for n in (2, 4, 1, 3):
            cluster.scale(n)
            deadline = time.monotonic() + 30
            while ctx.world_size != n and time.monotonic() < deadline:
                time.sleep(0.05)
            assert ctx.world_size == n
            for plain, D in operators:
                assert_same_bits(results(D, image), results(plain, image))
                assert sorted({i for held in D.placement.values() for i in held}) == D.local_indexes
