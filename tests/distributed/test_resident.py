"""Solves on the cluster: the plain operator's bits, few bytes, progress, and nothing left behind."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster, Worker
from distributed.comm.tcp import TCP
from sensors import Pairs

from daskphys.dashboard.telling import PROGRESS
from daskphys.distributed import DistributedContext, DistributedPhysics, distribute
from daskphys.distributed.resident import system
from daskphys.errors import ConvergenceWarning
from daskphys.krylov.cg import CG
from daskphys.krylov.lanczos import Lanczos
from daskphys.krylov.lsmr import LSMR
from daskphys.krylov.lsqr import LSQR
from daskphys.physics import Blur, LinearPhysics, StackedPhysics, gaussian_blur, stack, value

SOLVERS = (CG(1e-5, 25), CG(1e-5, 25, lam=0.1), LSQR(1e-5, 25), LSMR(1e-5, 25, lam=0.01))
ENDLESS = LSMR(0.0, 1_000_000)

Check = Callable[[DistributedContext], None]


def valid(n: int) -> StackedPhysics:
    """Blurs whose normal operators do not merge."""
    return stack(*[Blur(gaussian_blur(0.6 + 0.1 * i), padding="valid") for i in range(n)])


@contextlib.contextmanager
def local_cluster(n_workers: int, **options: Any) -> Iterator[DistributedContext]:
    """A user's own cluster, in this process."""
    options |= {"dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(n_workers=n_workers, processes=False, silence_logs=50, **options) as cluster,
        Client(cluster) as client,
    ):
        yield DistributedContext(client)


def assert_same_solve(D: DistributedPhysics, A: StackedPhysics, x: np.ndarray, solver: Any, x0: Any) -> None:
    y = A(x)
    expected, got = A._solve(solver, y, x.shape, x0), D._solve(solver, y, x.shape, x0)
    np.testing.assert_array_equal(got.x, expected.x)
    assert got.x.dtype == expected.x.dtype
    assert (got.residuals, got.iterations) == (expected.residuals, expected.iterations)


@pytest.fixture(scope="session")
def image() -> np.ndarray:
    return np.random.default_rng(0).random((2, 29, 24), dtype=np.float32)


@pytest.fixture(scope="module", params=[1, 2, 3])
def workers(request: pytest.FixtureRequest) -> Iterator[DistributedContext]:
    with DistributedContext(n_workers=request.param) as ctx:
        yield ctx


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_bits_of_the_plain_solver(
    workers: DistributedContext, blurs: Any, mixed: Any, image: np.ndarray, nothing_stays: Check, solver: Any
) -> None:
    x0 = np.full(image.shape, 0.5, np.float32)
    for A, start in itertools.product((blurs, mixed, valid(8)), (None, x0)):
        assert_same_solve(distribute(A, workers), A, image, solver, start)
    nothing_stays(workers)


def test_bits_by_tcp(
    processes: DistributedContext, blurs: Any, mixed: Any, image: Any, nothing_stays: Check
) -> None:
    for A, solver in itertools.product((blurs, mixed), SOLVERS):
        assert_same_solve(distribute(A, processes), A, image, solver, None)
    nothing_stays(processes)


def test_blocks_of_several_sensors_replicas_and_idle_workers(threads: Any, mixed: Any, image: Any) -> None:
    for options in ({"chunks": 2}, {"chunks": 4}, {"chunks": 5}, {"replicas": 2}):
        assert_same_solve(distribute(mixed, threads, **options), mixed, image, LSMR(1e-5, 10), None)
        assert_same_solve(distribute(mixed, threads, **options), mixed, image, CG(1e-5, 10), None)


def test_complex_and_batched_images(threads: DistributedContext, mixed: Any) -> None:
    rng = np.random.default_rng(1)
    for x in (rng.random((2, 3, 24, 20)), rng.random((24, 20)) + 1j * rng.random((24, 20))):
        for solver in (LSMR(1e-8, 12), CG(1e-8, 12)):
            assert_same_solve(distribute(mixed, threads), mixed, x, solver, None)


def test_the_norm_takes_no_graph_per_product(threads: DistributedContext, mixed: Any) -> None:
    D = distribute(mixed, threads)
    D.runner.run = None  # type: ignore[method-assign, assignment]
    assert D.compute_norm((24, 20)) == mixed.compute_norm((24, 20))
    report = D.report()
    assert report.method.startswith("Lanczos")
    assert report.tasks == 1


def test_the_pseudo_inverse_says_what_it_did(threads: DistributedContext, mixed: Any, image: Any) -> None:
    D, y = distribute(mixed, threads), mixed(image)
    expected, got = mixed.A_dagger(y, rtol=1e-3), D.A_dagger(y, rtol=1e-3)
    np.testing.assert_array_equal(got, expected)
    report = D.report()
    assert "LSMR" in report.method
    assert "resident on worker" in report.method
    assert report.tasks == 1
    assert report.attempts == 1
    assert report.transforms > 0
    assert {entry.worker for entry in report.blocks} == set(D.placement)
    assert sorted(i for e in report.blocks if e.block for i in range(*e.block)) == D.local_indexes


def test_merged_operators_iterate_beside_the_image(
    threads: DistributedContext, blurs: Any, image: Any
) -> None:
    D, y = distribute(blurs, threads), blurs(image)
    before = D.A_adjoint(y)
    assert before.shape == image.shape
    for solver, given, start in ((CG(1e-3, 20), y, None), (Lanczos(1e-3, 10), None, image)):
        expected = blurs._solve(solver, given, image.shape, start)
        got = D._solve(solver, given, image.shape, start)
        np.testing.assert_array_equal(got.x, expected.x)
        assert "resident" not in D.report().method


# -- bytes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_workers", "n_sensors"), [(2, 8), (4, 8), (4, 32)])
def test_a_product_moves_an_image_down_and_up(
    n_workers: int, n_sensors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers in one process that talk by TCP: all that anyone writes can be seen, the scheduler's too."""
    written: list[int] = []
    plain = TCP.write

    async def write(comm: TCP, *args: Any, **kwargs: Any) -> int:
        n = int(await plain(comm, *args, **kwargs))
        written.append(n)
        return n

    A, x = valid(n_sensors), np.random.default_rng(0).random((128, 192), dtype=np.float32)
    y = A(x)
    with local_cluster(n_workers, threads_per_worker=2, protocol="tcp", host="127.0.0.1") as ctx:
        D = distribute(A, ctx)
        D._solve(CG(0.0, 1), y, x.shape)
        monkeypatch.setattr(TCP, "write", write)
        totals = []
        for iterations in (10, 30):
            written.clear()
            got = D._solve(CG(0.0, iterations), y, x.shape)
            np.testing.assert_array_equal(got.x, A._solve(CG(0.0, iterations), y, x.shape).x)
            totals.append(sum(n for n in written if n > 4096))
        per_product = (totals[1] - totals[0]) / 20
        bound = 2 * (n_workers - 1) * x.nbytes
        assert 0.99 * bound <= per_product <= 1.02 * bound  # the rest is heads of messages
        report = D.report()
        assert report.bytes_between <= 1.04 * bound * 31  # the first sum is one of half spectra
        assert report.bytes_between >= 0.99 * bound * 30


# -- progress, and its end ------------------------------------------------------------------------------------------


def test_a_dagger_is_stopped_where_the_plain_one_is(
    threads: DistributedContext, mixed: Any, image: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    y, D = mixed(image), distribute(mixed, threads)
    with pytest.warns(ConvergenceWarning, match="after 3 iterations"):
        got = D.A_dagger(y, max_iter=3, progress=True)
    with pytest.warns(ConvergenceWarning, match="after 3 iterations"):
        np.testing.assert_array_equal(got, mixed.A_dagger(y, max_iter=3))
    assert "A_dagger: iteration 3" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::daskphys.errors.ConvergenceWarning")  # of a task, on its own thread
def test_lazily_a_sensor_axis_keeps_what_an_inverse_was_asked_for(image: np.ndarray) -> None:
    A = Pairs(np.random.default_rng(1).uniform(0.5, 1.5, (5, *image.shape[-2:])))
    y = A(image)
    lazy, plain = A.A_dagger(da.from_array(y), max_iter=1), A.A_dagger(y, max_iter=1)
    np.testing.assert_array_equal(lazy.compute(scheduler="threads"), plain)
    assert not np.array_equal(plain, A.A_dagger(y))


def test_progress_reaches_the_client(threads: DistributedContext, mixed: Any, image: np.ndarray) -> None:
    heard: list[tuple[int, float]] = []
    D, y = distribute(mixed, threads), mixed(image)
    solution = D._solve(LSMR(0.0, 300), y, image.shape, None, lambda i, r: heard.append((i, r)))
    assert heard == list(enumerate(solution.residuals, 1))
    events = [event for _, event in threads.client.get_events(PROGRESS)]
    own = [event for event in events if event["solve"] == events[-1]["solve"]]
    assert len(own) <= 2 + 10 * D.report().seconds
    told = [tuple(pair) for event in own for pair in event["iterations"]]
    assert told == heard[: len(told)]


def test_events_that_are_lost_are_told_at_the_end(
    threads: DistributedContext, mixed: Any, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second bundle is dropped: the third has to wait."""
    plain, seen = Worker.log_event, []

    def log_event(worker: Worker, topic: Any, event: Any) -> None:
        if topic == PROGRESS:
            seen.append(event["first"])
            if len(seen) == 2:
                return
        plain(worker, topic, event)

    monkeypatch.setattr(Worker, "log_event", log_event)
    monkeypatch.setattr(system, "INTERVAL", 0.0)
    heard: list[tuple[int, float]] = []
    solution = distribute(mixed, threads)._solve(
        LSMR(0.0, 20), mixed(image), image.shape, None, lambda i, r: heard.append((i, r))
    )
    assert len(seen) == 20
    assert heard == list(enumerate(solution.residuals, 1))


@pytest.mark.parametrize("error", [ValueError("enough"), OSError("disk full"), KeyboardInterrupt()], ids=repr)
def test_what_the_callback_raises_ends_the_solve(
    processes: DistributedContext, mixed: Any, image: Any, nothing_stays: Check, error: BaseException
) -> None:
    def stop(iteration: int, residual: float) -> None:
        raise error

    D = distribute(mixed, processes)
    with pytest.raises(type(error)) as raised:
        D._solve(ENDLESS, mixed(image), image.shape, None, stop)
    assert raised.value is error
    nothing_stays(processes)


def test_an_error_of_a_sensor_names_it(threads: Any, mixed: Any, image: Any, nothing_stays: Check) -> None:
    D, y = distribute(mixed, threads), mixed(image)
    with pytest.raises(Exception, match="sensor"):
        D._solve(LSMR(0.0, 5), y.map(lambda a: a[..., :-1, :]), image.shape)
    nothing_stays(threads)


def test_a_worker_that_joins_takes_part_in_the_next_solve(mixed: Any, image: np.ndarray) -> None:
    solver, y = LSMR(1e-5, 10), mixed(image)
    expected = mixed._solve(solver, y, image.shape)
    with local_cluster(1) as ctx:
        D = distribute(mixed, ctx)
        for n in (1, 2):
            ctx.client.cluster.scale(n)
            while ctx.world_size < n:
                time.sleep(0.02)
            np.testing.assert_array_equal(D._solve(solver, y, image.shape).x, expected.x)
            assert len({entry.worker for entry in D.report().blocks}) == n


@value
class Aligned(LinearPhysics):
    """The identity, which refuses what NumPy would sum in another order."""

    label: float
    domain_ndim = 2

    def _forward(self, x: Any) -> Any:
        if not x.flags.aligned:
            raise ValueError("an array that is not aligned")
        return x

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._forward(y)


def test_arrays_arrive_aligned() -> None:
    A = stack(*[Aligned(float(i)) for i in range(6)])
    x = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    with local_cluster(3, protocol="tcp", host="127.0.0.1") as ctx:
        for solver, x0 in ((CG(0.0, 3), x), (LSMR(0.0, 3), None), (LSMR(0.0, 3), x)):
            assert_same_solve(distribute(A, ctx), A, x + 1, solver, x0)
