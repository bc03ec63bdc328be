"""Contexts: what they find, what they start, and what they leave behind."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster
from distributed.client import default_client

from daskphys.distributed import DistributedContext, distribute
from daskphys.distributed import cluster as clusters
from daskphys.errors import (
    ContextClosedError,
    NoWorkersError,
    ParameterError,
    SchedulerUnreachableError,
    UnknownKeywordError,
)
from daskphys.physics import StackedPhysics


def listening() -> set[tuple[str, int]]:
    """(address, port) of each TCP socket on which this process listens, from the kernel's own table."""
    inodes = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            link = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if link.startswith("socket:["):
            inodes.add(link[8:-1])
    found = set()
    for table, family, size in (("tcp", socket.AF_INET, 8), ("tcp6", socket.AF_INET6, 32)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                host, port = fields[1].split(":")
                words = [bytes.fromhex(host[i : i + 8])[::-1] for i in range(0, size, 8)]
                found.add((socket.inet_ntop(family, b"".join(words)), int(port, 16)))
    return found


def children() -> set[int]:
    """Processes below this one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found, grown = {os.getpid()}, True
    while grown:
        new = {pid for pid, parent in parents.items() if parent in found} - found
        grown = bool(new)
        found |= new
    return found - {os.getpid()}


def test_a_local_cluster_of_threads() -> None:
    processes, before = children(), listening()
    with DistributedContext(seed=42) as ctx:
        assert (ctx.rank, ctx.device, ctx.seed) == (0, "cpu", 42)
        assert ctx.world_size == len(ctx.workers()) >= 1
        assert default_client() is ctx.client
        opened = listening() - before
        assert {host for host, _ in opened} == {"127.0.0.1"}
        assert ctx.dashboard_link in {f"http://127.0.0.1:{port}/status" for _, port in opened}
        assert children() == processes
    assert listening() == before
    with pytest.raises(ValueError, match="No clients found"):
        default_client()


def test_worker_processes_are_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    before, ports = workers_below(), listening()
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "spawn"}),
        DistributedContext(n_workers=2, processes=True) as ctx,
    ):
        assert len(workers_below() - before) >= 2
        assert {host for host, _ in listening() - ports} == {"127.0.0.1"}
        settings = ctx.client.run(lambda: os.environ["MALLOC_TRIM_THRESHOLD_"])
        assert set(settings.values()) == {str(1 << 30)}
    assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "65536"  # as a nanny of Dask's own left it
    assert not workers_below() - before
    assert listening() == ports


def workers_below() -> set[int]:
    """Processes below this one but for Python's own resource tracker, which stays."""
    return {pid for pid in children() if "resource_tracker" not in _command(pid)}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return "resource_tracker"


@pytest.mark.parametrize("seed", ["a", -1, 1.5, True])
def test_a_seed_that_is_none_is_refused_at_once(seed: Any) -> None:
    before = children()
    with pytest.raises(ParameterError, match=f"DistributedContext expected a seed .* >= 0, got {seed!r}"):
        DistributedContext(seed=seed)
    assert children() == before


def test_a_running_client_is_taken_and_left_open() -> None:
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        with DistributedContext() as ctx:
            assert ctx.client is client
        assert client.status == "running"
        with DistributedContext(client=client) as ctx:
            assert ctx.client is client
        assert client.status == "running"
        with DistributedContext(cluster=cluster) as ctx:
            assert ctx.client is not client
            inner = ctx.client
        assert inner.status == "closed"
        assert cluster.status.name == "running"
        with DistributedContext(cluster="local", n_workers=2) as ctx:
            assert ctx.world_size == 2
            assert ctx.client is not client


def test_a_client_that_is_no_default(blurs: StackedPhysics, image: np.ndarray) -> None:
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        D = distribute(blurs, DistributedContext(client))
        np.testing.assert_array_equal(D.A_adjoint(D(image)), blurs.A_adjoint(blurs(image)))


def test_two_contexts_at_once(blurs: StackedPhysics, image: np.ndarray) -> None:
    with (
        DistributedContext(n_workers=1) as first,
        DistributedContext(n_workers=2) as second,
    ):
        assert first.client is not second.client
        assert first.dashboard_link != second.dashboard_link
        assert second.dashboard_note == "port 8787 is taken"
        assert second.dashboard_note in second._repr_html_()
        one, two = distribute(blurs, first), distribute(blurs, second)
        np.testing.assert_array_equal(one.A_adjoint(two(image)), two.A_adjoint(one(image)))


@pytest.mark.parametrize("processes", [False, True])
def test_a_port_that_is_taken_between_look_and_start(
    processes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(clusters, "_free_port", lambda: taken)
        with DistributedContext(n_workers=1, processes=processes) as ctx:
            assert f":{taken}/" not in ctx.dashboard_link
            with urllib.request.urlopen(ctx.dashboard_link, timeout=30) as page:
                assert page.status == 200


def test_contexts_that_close_at_the_same_time_leave_logging_as_it_was() -> None:
    log = logging.getLogger("distributed.batched")
    before = log.level, list(log.filters)
    contexts = [DistributedContext(n_workers=1) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(DistributedContext.close, contexts))
    assert (log.level, list(log.filters)) == before


def test_two_contexts_closed_in_the_order_of_opening() -> None:
    first, second = DistributedContext(n_workers=1), DistributedContext(n_workers=1)
    first.close()
    second.close()
    assert int(dask.delayed(int)(3).compute()) == 3


def test_an_exception_inside_closes_all() -> None:
    before = listening()
    with pytest.raises(RuntimeError, match="mine"), DistributedContext(n_workers=1):
        raise RuntimeError("mine")
    assert listening() == before


def test_a_closed_context_says_so(blurs: StackedPhysics, image: np.ndarray) -> None:
    ctx = DistributedContext(n_workers=1)
    D = distribute(blurs, ctx)
    ctx.close()
    ctx.close()
    for use in (lambda: D(image), lambda: ctx.client, lambda: ctx.world_size, lambda: distribute(blurs, ctx)):
        with pytest.raises(ContextClosedError, match="closed"):
            use()
    with pytest.raises(ContextClosedError), ctx:
        pass
    assert repr(ctx) == "DistributedContext(closed)"
    assert "closed" in ctx._repr_html_()


def test_no_workers_in_time() -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}),
        LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        pytest.raises(NoWorkersError, match=r"0\.5 s.*dask worker") as caught,
    ):
        DistributedContext(cluster=cluster)
    assert cluster.scheduler_address in str(caught.value)


def test_workers_that_are_all_gone(blurs: StackedPhysics, image: np.ndarray) -> None:
    with LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        ctx = DistributedContext(cluster=cluster)
        D = distribute(blurs, ctx)
        cluster.scale(0)
        deadline = time.monotonic() + 30
        while ctx.world_size and time.monotonic() < deadline:
            time.sleep(0.05)
        assert ctx.world_size == 0
        with dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}), pytest.raises(NoWorkersError):
            D(image)
        cluster.scale(1)
        np.testing.assert_array_equal(D.A_adjoint(D(image)), blurs.A_adjoint(blurs(image)))
        ctx.close()


def test_an_unreachable_scheduler(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}):
        with pytest.raises(SchedulerUnreachableError, match=address):
            DistributedContext(address=address)
        with pytest.raises(SchedulerUnreachableError, match="does not exist"):
            DistributedContext(scheduler_file=tmp_path / "none.json")
        for address in ("nowhere", 3, "tcp://127.0.0.1"):
            with pytest.raises(SchedulerUnreachableError, match="HOST:PORT"):
                DistributedContext(address=address)  # type: ignore[arg-type]
        for content in ("{}", "[1]", "no JSON"):
            (tmp_path / "wrong.json").write_text(content)
            with pytest.raises(SchedulerUnreachableError, match="no scheduler file"):
                DistributedContext(scheduler_file=tmp_path / "wrong.json")
    with pytest.raises(ValueError, match="No clients found"):
        default_client()
    assert int(dask.delayed(int)(3).compute()) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cluster": "gpu"}, "'auto', 'local', 'cuda'"),
        ({"n_workers": 0}, "positive integer"),
        ({"device": "tpu"}, "'auto', 'cpu' or 'cuda'"),
        ({"address": "a", "scheduler_file": "b"}, "one of"),
        ({"address": "tcp://127.0.0.1:1", "n_workers": 2}, "starts nothing"),
        ({"client": "tcp://127.0.0.1:1"}, "distributed.Client"),
        ({"cluster": "cuda", "device": "cpu"}, "leave one"),
        ({"cluster": None}, "or a cluster, got None"),
        ({"cluster": object()}, "or a cluster, got <object"),
        ({"n_workers": True}, "positive integer"),
    ],
)
def test_bad_arguments(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        DistributedContext(**given)


def test_unknown_keywords(threads: DistributedContext, blurs: StackedPhysics) -> None:
    with pytest.raises(UnknownKeywordError, match="'n_workers'"):
        DistributedContext(workers=2)  # type: ignore[call-arg]
    with pytest.raises(UnknownKeywordError, match="'chunks'"):
        distribute(blurs, threads, chunk=2)  # type: ignore[call-arg]


def test_in_a_loop_like_a_notebook(blurs: StackedPhysics, image: np.ndarray) -> None:
    """A notebook's cells run under a live event loop in the same thread."""
    import asyncio

    async def cell() -> bool:
        with DistributedContext(n_workers=2) as ctx:
            return bool(np.array_equal(distribute(blurs, ctx)(image)[0], blurs(image)[0]))

    assert asyncio.run(cell())


def test_a_scheduler_that_dies(blurs: StackedPhysics, image: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    command = [
        sys.executable,
        "-m",
        "dask",
        "scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
    ]
    scheduler = subprocess.Popen([*command, "--scheduler-file", str(file)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        worker = [sys.executable, "-m", "dask", "worker", "--no-dashboard", "--scheduler-file", str(file)]
        worker += [
            "--nworkers",
            "1",
            "--nthreads",
            "1",
            "--death-timeout",
            "60",
            "--local-directory",
            str(tmp_path),
        ]
        with subprocess.Popen(worker, stderr=subprocess.DEVNULL) as process:
            with dask.config.set({"distributed.comm.timeouts.connect": "15s"}):
                ctx = DistributedContext(scheduler_file=file)
            D = distribute(blurs, ctx)
            np.testing.assert_array_equal(D(image)[0], blurs(image)[0])
            with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
                scheduler.send_signal(signal.SIGKILL)
                scheduler.wait()
                with pytest.raises((SchedulerUnreachableError, ContextClosedError)):
                    D(image)
                ctx.close()
            process.terminate()
    finally:
        scheduler.kill()
        scheduler.wait()
