"""What is configured is what contexts and `distribute` do where their arguments leave it open."""

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import DeviceError, MissingDependencyError, ParameterError, SchedulerUnreachableError
from daskphys.physics import Blur, gaussian_blur, stack

A = stack(*[Blur(gaussian_blur(s)) for s in (0.6, 0.8, 1.0, 1.2)])
X = np.random.default_rng(0).random((24, 20), dtype=np.float32)


def configured(**settings):
    """Settings of `context`, or of `distribute`."""
    section = "distribute" if {"chunks", "replicas"} & set(settings) else "context"
    return dask.config.set({f"daskphys.{section}.{key}": value for key, value in settings.items()})


@pytest.fixture
def there():
    """A scheduler that runs already, with two workers."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster


def test_workers_are_as_many_as_configured_unless_it_is_said():
    with configured(n_workers=3), DistributedContext() as ctx:
        assert ctx.world_size == 3
    with configured(n_workers=3), DistributedContext(n_workers=2) as ctx:
        assert ctx.world_size == 2
    with configured(n_workers=3), DistributedContext(cluster="local") as ctx:
        assert ctx.world_size == 3


@pytest.mark.slow
def test_processes_as_configured_unless_it_is_said():
    with configured(processes=True), DistributedContext(n_workers=1) as ctx:
        assert ctx.client.scheduler.address.startswith("tcp://127.0.0.1")
    with configured(processes=True), DistributedContext(n_workers=1, processes=False) as ctx:
        assert ctx.client.scheduler.address.startswith("inproc")


def test_a_cluster_that_is_given_is_used_as_it_is(there):
    with configured(n_workers=3, processes=True, address="tcp://127.0.0.1:1"):
        with DistributedContext(address=there.scheduler_address) as ctx:
            assert ctx.world_size == 2
        with DistributedContext(cluster=there) as ctx:
            assert ctx.world_size == 2
        with Client(there) as client, DistributedContext(client=client) as ctx:
            assert ctx.client is client


def test_a_scheduler_that_is_configured(there, tmp_path):
    with configured(address=there.scheduler_address):
        with DistributedContext() as ctx:
            assert ctx.client.scheduler.address == there.scheduler_address
            client = ctx.client
        assert client.status == "closed"
        with DistributedContext(n_workers=1) as ctx:  # who asks for workers gets a cluster of their own
            assert ctx.client.scheduler.address != there.scheduler_address
    file = tmp_path / "scheduler.json"
    file.write_text(f'{{"address": "{there.scheduler_address}"}}')
    with configured(**{"scheduler-file": str(file)}), DistributedContext() as ctx:
        assert ctx.world_size == 2


def test_a_client_of_this_program_comes_before_a_scheduler_that_is_configured(there):
    with configured(address="tcp://127.0.0.1:1"), Client(there) as client, DistributedContext() as ctx:
        assert ctx.client is client


def test_a_scheduler_that_is_configured_and_not_there_is_told_as_such(tmp_path):
    missing = str(tmp_path / "none.json")
    with (
        configured(**{"scheduler-file": missing}),
        pytest.raises(SchedulerUnreachableError, match=r"none.json does not exist.*took daskphys.context.scheduler-file"),
    ):  # fmt: skip
        DistributedContext()
    with (
        configured(**{"scheduler-file": missing, "address": "tcp://127.0.0.1:1"}),
        pytest.raises(ParameterError, match=r"both daskphys.context.address .* set one of them to null"),
    ):
        DistributedContext()


def test_the_device_is_as_configured_unless_it_is_said():
    with configured(device="cuda"):
        with pytest.raises((DeviceError, MissingDependencyError), match="cuda"):  # with and without dask-cuda
            DistributedContext(n_workers=1)
        with DistributedContext(n_workers=1, device="cpu") as ctx:
            assert ctx.device == "cpu"
        with DistributedContext(n_workers=1, cluster="local") as ctx:
            assert ctx.device == "cpu"


def test_progress_is_as_configured_unless_it_is_said():
    with configured(progress=True):
        with DistributedContext(n_workers=1) as ctx:
            assert ctx.shows_progress
        with DistributedContext(n_workers=1, progress=False) as ctx:
            assert not ctx.shows_progress
            with ctx.progress():
                assert ctx.shows_progress
    with pytest.raises(ParameterError, match="progress as True or False, got 1"):
        DistributedContext(progress=1)


def test_chunks_and_replicas_are_as_configured_unless_it_is_said():
    with DistributedContext(n_workers=2) as ctx:
        with configured(chunks=2, replicas=2):
            D = distribute(A, ctx)
            assert (D.holding.replicas, len(D.holding.blocks().bounds)) == (2, 2)
            said = distribute(A, ctx, chunks="auto", replicas=1)
            assert (said.holding.replicas, len(said.holding.blocks().bounds)) == (1, 4)
            assert all(map(np.array_equal, D(X), A(X)))
            assert np.array_equal(D.A_adjoint(A(X)), A.A_adjoint(A(X)))
        with pytest.raises(ParameterError, match="replicas from 1 to 2"):
            distribute(A, ctx, replicas=3)
        with configured(replicas=3):  # it is for clusters of all sizes
            assert distribute(A, ctx).holding.replicas == 2


def test_a_mistake_in_the_configuration_shows_at_the_first_call_and_starts_nothing():
    mistake = dask.config.set({"daskphys.context.n-worker": 2})
    with mistake, pytest.raises(ParameterError, match=r"context\.n-workers"):
        DistributedContext(n_workers=1)
    with DistributedContext(n_workers=1) as ctx, configured(replicas=0), pytest.raises(ParameterError):
        distribute(A, ctx, replicas=1)
