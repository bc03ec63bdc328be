"""A worker that is killed costs a repetition, not the job."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import dask.array as da
import numpy as np
import pytest

from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import StackedPhysics

pytestmark = pytest.mark.slow


def pids(ctx: DistributedContext) -> dict[Any, int]:
    """Worker address → process."""
    return dict(ctx.client.run(os.getpid))


def pids_of(ctx: DistributedContext, n: int) -> dict[Any, int]:
    """`pids` when `n` workers are there: one that was killed may still be listed, and its successor not yet."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            found = pids(ctx)
        except OSError:
            found = {}
        if len(found) == n:
            return found
        time.sleep(0.1)
    raise AssertionError(f"there were never {n} workers")


def test_a_worker_killed_between_calls(
    blurs: StackedPhysics, mixed: StackedPhysics, image: np.ndarray
) -> None:
    with DistributedContext(n_workers=2, processes=True) as ctx:
        for plain in (blurs, mixed):
            D = distribute(plain, ctx)
            expected = plain.A_adjoint(plain(image))
            np.testing.assert_array_equal(D.A_adjoint(D(image)), expected)
            victim = next(iter(pids(ctx).values()))
            os.kill(victim, signal.SIGKILL)
            np.testing.assert_array_equal(D.A_adjoint(D(image)), expected)
            assert sorted({i for held in D.placement.values() for i in held}) == D.local_indexes


def test_workers_killed_during_calls(blurs: StackedPhysics) -> None:
    x = np.random.default_rng(0).random((3, 512, 512), dtype=np.float32)
    expected = blurs.A_adjoint(blurs(x))
    rng = np.random.default_rng(1)
    with DistributedContext(n_workers=2, processes=True) as ctx:
        D = distribute(blurs, ctx)
        for _ in range(3):
            victim = int(rng.choice(list(pids_of(ctx, 2).values())))
            killer = threading.Timer(float(rng.uniform(0, 0.1)), os.kill, (victim, signal.SIGKILL))
            killer.start()
            y = D(x)
            np.testing.assert_array_equal(D.A_adjoint(y), expected)
            killer.join()


def test_replicas_survive_without_rebuilding(blurs: StackedPhysics, image: np.ndarray) -> None:
    with DistributedContext(n_workers=2, processes=True) as ctx:
        D = distribute(blurs, ctx, replicas=np.int64(2))
        assert all(held == D.local_indexes for held in D.placement.values())
        assert len(D.placement) == 2
        names = {w.address: name for name, w in ctx.workers().items()}
        expected = blurs.A_adjoint_A(image)
        workers = pids(ctx)
        victim, survivor = workers
        os.kill(workers[victim], signal.SIGKILL)
        while victim in {w.address for w in ctx.workers().values()}:
            time.sleep(0.05)
        tree = D.A_adjoint_A(image, method="tree")
        assert np.linalg.norm(tree - expected) <= 1e-6 * np.linalg.norm(expected)
        # Every block was there already: nothing ran anywhere else.
        assert {entry.worker for entry in D.report().blocks} == {names[survivor]}
        assert D.report().attempts == 1


def test_a_restarted_cluster_gets_its_operators_again(blurs: StackedPhysics, image: np.ndarray) -> None:
    with DistributedContext(n_workers=2, processes=True) as ctx:
        D = distribute(blurs, ctx)
        ctx.client.restart()
        np.testing.assert_array_equal(D.A_adjoint(D(image)), blurs.A_adjoint(blurs(image)))


@pytest.mark.parametrize("when", ["before", "during"])
def test_all_workers_killed_under_a_lazy_product(blurs: StackedPhysics, when: str) -> None:
    """Their blocks were pinned to them alone; whoever computes the result does not wait for ever."""
    x = np.random.default_rng(0).random((6, 3, 256, 256), dtype=np.float32)
    with DistributedContext(n_workers=2, processes=True) as ctx:
        D = distribute(blurs, ctx)
        lazy = D.A_adjoint(D(da.from_array(x, chunks=(1, 3, 256, 256))))
        victims = pids_of(ctx, 2).values()
        if when == "before":
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
        else:
            for victim in victims:
                threading.Timer(0.05, os.kill, (victim, signal.SIGKILL)).start()
        result = ctx.client.compute(lazy).result(timeout=60)
    np.testing.assert_array_equal(result, blurs.A_adjoint(blurs(x)))
