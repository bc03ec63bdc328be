"""Workers that are killed in the middle of a solve, and clients that go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import dask
import numpy as np
import pytest

from daskphys.distributed import DistributedContext, distribute, waiting
from daskphys.errors import WorkersLostError
from daskphys.krylov.cg import CG
from daskphys.krylov.lsmr import LSMR
from daskphys.physics import Blur, StackedPhysics, gaussian_blur, stack

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).random((64, 64), dtype=np.float32)


def wait_for(ctx: DistributedContext, n: int = 2) -> None:
    """Wait until at least `n` workers are there (by asking the scheduler: a worker that is gone is not spoken to)."""
    deadline = time.monotonic() + 120
    while len(ctx.workers()) < n:
        assert time.monotonic() < deadline, f"there were never {n} workers"
        time.sleep(0.1)


def pid_of(ctx: DistributedContext, address: str) -> int:
    """The process of a worker."""
    return int(ctx.client.run(os.getpid, workers=[address])[address])


@pytest.fixture(scope="module")
def operator() -> StackedPhysics:
    paddings = ("circular", "valid", "replicate", "valid", "reflect", "valid")
    return stack(*[Blur(gaussian_blur(0.6 + 0.2 * i), padding=p) for i, p in enumerate(paddings)])


@pytest.fixture(scope="module")
def patient() -> Iterator[DistributedContext]:
    """Three processes that are started again whenever they are killed.

    A cluster of Dask gives up a worker that is down 15 s after it was lost before, though it came back in between.
    """
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 h"}),
        DistributedContext(n_workers=3, processes=True) as ctx,
    ):
        yield ctx


class Killer:
    """A callback that kills a process a moment after it has heard a number of times."""

    def __init__(self, pid: int, times: int, delay: float) -> None:
        self.pid, self.times, self.delay = pid, times, delay
        self.heard = 0

    def __call__(self, iteration: int, residual: float) -> None:
        self.heard += 1
        if self.heard == self.times:
            time.sleep(self.delay)
            os.kill(self.pid, signal.SIGKILL)


def test_ten_kills_at_random_moments(
    patient: DistributedContext, operator: StackedPhysics, nothing_stays: Any
) -> None:
    rng, y = np.random.default_rng(0), operator(X)
    solvers = (CG(0.0, 400), LSMR(0.0, 200))
    expected = {solver: operator._solve(solver, y, X.shape) for solver in solvers}
    struck = 0
    for number in range(40):
        wait_for(patient)
        solver, D = solvers[number % 2], distribute(operator, patient)
        homes = [str(home) for home in D.holding.blocks().homes]
        assert len(set(homes)) > 1
        victim = homes[0] if number % 4 < 2 else homes[-1]  # the root, or another
        killer = Killer(pid_of(patient, victim), 1, float(rng.uniform(0, 0.1)))
        got = D._solve(solver, y, X.shape, None, killer)
        assert killer.heard >= killer.times
        np.testing.assert_array_equal(got.x, expected[solver].x)
        assert got.residuals == expected[solver].residuals
        struck += D.report().attempts > 1  # else it came when all was done
        if struck == 10:
            break
    assert struck == 10
    wait_for(patient)
    nothing_stays(patient)


def test_conjugate_gradients_go_on_from_the_last_iterate(
    patient: DistributedContext, operator: StackedPhysics
) -> None:
    y, solver = operator(X), CG(0.0, 300)
    expected = operator._solve(solver, y, X.shape).x
    for _ in range(10):
        wait_for(patient)
        D = distribute(operator, patient)
        victim = str(D.holding.blocks().homes[-1])
        killer = Killer(pid_of(patient, victim), 2, 0.0)
        got = D._solve(solver, y, X.shape, None, killer)
        np.testing.assert_array_equal(got.x, expected)
        report = D.report()
        if report.attempts > 1:  # else it came when all was done
            break
    assert report.attempts == 2
    # One task did it all, and no product but the one that was cut short was made twice.
    assert "301 products" in report.method or "302 products" in report.method


def test_what_dask_leaves_asleep_is_woken(patient: DistributedContext) -> None:
    wait_for(patient)
    before = {w.address for w in patient.workers().values()}
    address = min(before)
    future = patient.client.submit(abs, -5, workers=[address], allow_other_workers=True)
    assert future.result() == 5
    for pid in patient.client.run(os.getpid).values():
        os.kill(pid, signal.SIGKILL)
    while not (homes := {w.address for w in patient.workers().values()} - before):
        time.sleep(0.05)
    waiting.wait_here(
        patient, [future], homes
    )  # some home is there: it is not for the caller to submit again
    assert future.result(timeout=10) == 5


def test_a_cluster_that_keeps_dying(operator: StackedPhysics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_ATTEMPTS", 2)
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 h"}),
        DistributedContext(n_workers=1, processes=True) as ctx,
    ):
        D = distribute(operator, ctx)

        def kill(iteration: int, residual: float) -> None:
            for pid in ctx.client.run(os.getpid).values():
                os.kill(pid, signal.SIGKILL)

        with pytest.raises(WorkersLostError, match="LSMR: workers were lost in each of 2 attempts"):
            D._solve(LSMR(0.0, 1_000_000), operator(X), X.shape, None, kill)


CLIENT = """
import sys
import numpy as np
from daskphys.distributed import DistributedContext, distribute, waiting
from daskphys.krylov.lsmr import LSMR
from daskphys.physics import Blur, gaussian_blur, stack

A = stack(*[Blur(gaussian_blur(0.6 + 0.1 * i), padding="valid") for i in range(4)])
x = np.ones((64, 64), np.float32)
with DistributedContext(address=sys.argv[1]) as ctx:
    D = distribute(A, ctx)
    D._solve(LSMR(0.0, 1_000_000), A(x), x.shape, None, lambda i, r: print(i, flush=True))
"""


def test_a_client_that_is_killed_leaves_nothing(
    patient: DistributedContext, left_of_solves: Any, nothing_stays: Any
) -> None:
    wait_for(patient)
    address = patient.client.scheduler.address
    with subprocess.Popen([sys.executable, "-c", CLIENT, address], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert int(client.stdout.readline()) > 0
        assert len(left_of_solves(patient)) > 1  # it runs, on several
        client.kill()
    nothing_stays(patient)
