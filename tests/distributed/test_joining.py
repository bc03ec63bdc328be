"""Workers that join later are used, and blocks that a lost worker had find new homes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import LocalCluster

from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, StackedPhysics, stack


@pytest.fixture
def growing() -> Iterator[DistributedContext]:
    """Two workers in this process; more by `scaled`."""
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    )
    with cluster, DistributedContext(cluster=cluster) as ctx:
        yield ctx


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def scaled(ctx: DistributedContext, n: int) -> None:
    ctx.client.cluster.scale(n)
    until(lambda: ctx.world_size == n)


@pytest.fixture(scope="module")
def many() -> StackedPhysics:
    """Twelve blurs whose normal operators do not merge."""
    rng = np.random.default_rng(3)
    return stack(*[Blur(rng.random((3, 5)), padding="valid") for _ in range(12)])


def moved(before: dict[Any, list[int]], after: dict[Any, list[int]]) -> int:
    return sum(len(set(held) - set(before.get(worker, ()))) for worker, held in after.items())


def test_a_worker_that_joins_is_used(
    growing: DistributedContext, many: StackedPhysics, image: np.ndarray
) -> None:
    D = distribute(many, growing)
    y = many(image)
    D(image)
    before = D.placement
    assert {e.worker for e in D.report().blocks} == set(before)
    scaled(growing, 3)
    for own, plain in zip(D(image), y, strict=True):
        np.testing.assert_array_equal(own, plain)
    report = D.report()
    assert {e.worker for e in report.blocks} == set(growing.workers())
    assert report.attempts == 1
    after = D.placement
    assert sorted(i for held in after.values() for i in held) == list(range(12))  # none is there twice
    assert moved(before, after) == 4
    np.testing.assert_array_equal(D.A_adjoint(y), many.A_adjoint(y))
    np.testing.assert_array_equal(D.A_adjoint_A(image), many.A_adjoint_A(image))
    assert D.placement == after  # they move once


def test_lazy_results_use_it_too(
    growing: DistributedContext, many: StackedPhysics, image: np.ndarray
) -> None:
    D = distribute(many, growing)
    scaled(growing, 3)
    x = da.from_array(image, chunks=(1, -1, -1))
    np.testing.assert_array_equal(D.A_adjoint_A(x).compute(), many.A_adjoint_A(image))
    assert set(D.placement) == set(growing.workers())


def test_growing_and_shrinking(growing: DistributedContext, many: StackedPhysics, image: np.ndarray) -> None:
    """Blocks come back to workers that they left, and each time from where they are."""
    D = distribute(lambda index: many.sensors[index], growing, num_operators=12)
    y = many(image)
    for n in (4, 3, 5, 2, 4):
        scaled(growing, n)
        np.testing.assert_array_equal(D.A_adjoint(y), many.A_adjoint(y))
        placement = D.placement
        assert set(placement) == set(growing.workers())
        assert max(map(len, placement.values())) <= 12 // n + 1


def test_replicas_are_made_again(
    growing: DistributedContext, many: StackedPhysics, image: np.ndarray
) -> None:
    scaled(growing, 3)
    D = distribute(many, growing, replicas=2)
    y = many(image)

    def copies() -> list[int]:
        held = [i for sensors in D.placement.values() for i in sensors]
        return [held.count(i) for i in range(12)]

    assert copies() == [2] * 12
    scaled(growing, 2)
    np.testing.assert_array_equal(D.A_adjoint(y), many.A_adjoint(y))
    assert copies() == [2] * 12
    scaled(growing, 1)
    np.testing.assert_array_equal(D.A_adjoint(y), many.A_adjoint(y))
    assert copies() == [1] * 12  # there is one worker
    scaled(growing, 3)
    np.testing.assert_array_equal(D.A_adjoint(y), many.A_adjoint(y))
    assert copies() == [2] * 12
    assert set(D.placement) == set(growing.workers())


@pytest.mark.slow
def test_a_copy_is_lost_with_its_worker(many: StackedPhysics, image: np.ndarray) -> None:
    """The worker that joined is killed: its blocks are copies, and made again from the first recipes."""
    y = many(image)
    with DistributedContext(n_workers=2, processes=True) as ctx:
        D = distribute(many, ctx)
        np.testing.assert_array_equal(D.A_adjoint(y), many.A_adjoint(y))
        first = set(ctx.client.run(os.getpid))
        scaled(ctx, 3)
        np.testing.assert_array_equal(D.A_adjoint(y), many.A_adjoint(y))
        assert len({e.worker for e in D.report().blocks}) == 3
        pids = ctx.client.run(os.getpid)
        (joined,) = set(pids) - first
        os.kill(pids[joined], signal.SIGKILL)
        np.testing.assert_array_equal(D.A_adjoint(y), many.A_adjoint(y))
        until(lambda: joined not in {w.address for w in ctx.workers().values()} and ctx.world_size == 3)
        np.testing.assert_array_equal(D.A_adjoint(y), many.A_adjoint(y))
        assert len({e.worker for e in D.report().blocks}) == 3
        assert sorted(i for held in D.placement.values() for i in held) == list(range(12))


def test_a_worker_that_retires_hands_over_its_blocks(
    growing: DistributedContext, many: StackedPhysics, image: np.ndarray, tmp_path: Path
) -> None:
    """As one does whose `--lifetime` is over: nothing is made again, and no call has to notice."""
    made = tmp_path / "made"

    def operator(index: int) -> Blur:
        with made.open("a") as file:
            file.write(f"{index}\n")
        return many.sensors[index]

    D = distribute(operator, growing, num_operators=12)
    D(image)
    before = made.read_text()
    assert {int(line) for line in before.split()} == set(range(12))
    leaving = max(D.placement)
    growing.client.retire_workers([growing.workers()[leaving].address])
    until(lambda: growing.world_size == 1)
    (stays,) = D.placement
    assert stays != leaving
    assert D.placement[stays] == list(range(12))
    for got, expected in zip(D(image), many(image), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert D.report().attempts == 1
    assert made.read_text() == before
