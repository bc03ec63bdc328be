"""The page in a real browser, beside a cluster that works."""

import json
import os
import signal
import urllib.request

import numpy as np
import processes
import pytest
from browsers import wait_until
from distributed import Client, LocalCluster

from daskphys import dashboard, optim
from daskphys.dashboard.pages import PANELS
from daskphys.distributed import DistributedContext
from daskphys.errors import MissingDependencyError

pytestmark = pytest.mark.slow

EMPTY = (
    "No operator is distributed",
    "Nothing was added up",
    "No solver has run",
    "no call is planned yet",
    "Nothing has happened",
)


def base(ctx):
    return ctx.dashboard_link.removesuffix("/status")


def listed(address):
    return json.loads(fetched(f"{address}/individual-plots.json"))


def test_panels_are_listed_for_jupyterlab(ctx):
    found = listed(base(ctx))
    assert {f"/individual-daskphys-{name}" for name in PANELS} <= set(found.values())
    assert "/individual-task-stream" in found.values()


def test_an_empty_page_says_what_to_do(browser):
    with DistributedContext(n_workers=1) as ctx:
        browser.open(f"{base(ctx)}/daskphys")
        browser.shows(*EMPTY)
        browser.open(f"{base(ctx)}/individual-daskphys-sensors")
        browser.shows("No operator is distributed")
        browser.open(f"{base(ctx)}/status")
        assert "Daskphys" in browser.text()


def test_the_page_follows_the_work(browser, ctx, D, x):
    browser.open(f"{base(ctx)}/daskphys")
    browser.shows("8 blocks on 2 workers")
    y = D(x)
    D.A_adjoint(y)
    browser.shows("A_adjoint; ", "of sums went from one process to another", "largest planned peak")
    wait_until(lambda: browser.data("ms") and all(ms > 0 for ms in browser.data("ms")[0]))
    assert sorted(browser.data("left")[0]) == [i - 0.5 for i in range(8)]
    assert all(now > 1 << 20 for now in browser.data("now")[0])
    optim.lsmr(D, y, rtol=1e-3)
    browser.shows("LSMR ended after")
    assert len(browser.data("ys")[0][-1]) > 1
    assert not browser.errors()
    assert {url.split("//")[1].split("/")[0] for url in browser.requests()} == {base(ctx).split("//")[1]}


class EnoughError(Exception):
    pass


def test_a_residual_grows_while_the_solver_runs(browser, ctx, D, x):
    """The solver goes on until the browser has shown three lengths of its line."""
    browser.open(f"{base(ctx)}/individual-daskphys-convergence")
    lengths = [0]

    def look(iteration, residual):
        lines = browser.data("ys")
        if "LSMR running" in browser.text() and lines and lines[0] and len(lines[0][-1]) > lengths[-1]:
            lengths.append(len(lines[0][-1]))
        if len(lengths) > 3:
            raise EnoughError

    with pytest.raises(EnoughError):
        optim.lsmr(D, D(x), rtol=0.0, max_iter=10**6, callback=look)
    browser.shows("LSMR stopped after")


def test_a_killed_worker_is_an_event(browser, ctx, D, x):
    browser.open(f"{base(ctx)}/daskphys")
    expected = D.A_adjoint_A(x)
    name = next(iter(D.placement))
    address = ctx.workers()[name].address
    os.kill(ctx.client.run(os.getpid, workers=[address])[address], signal.SIGKILL)
    np.testing.assert_array_equal(D.A_adjoint_A(x), expected)
    browser.shows(f"worker {name} is gone, which held sensors", "made again on worker")


def another(**scheduler):
    return LocalCluster(
        n_workers=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        scheduler_kwargs=scheduler,
    )


def fetched(address):
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read()


def test_clusters_of_others_have_it_by_install():
    with another() as cluster, Client(cluster) as client:
        assert dashboard.install(client)
        port = client.scheduler_info()["services"]["dashboard"]
        assert b"daskphys" in fetched(f"http://127.0.0.1:{port}/daskphys")


def test_a_scheduler_without_dashboard():
    with another(dashboard=False) as cluster, Client(cluster) as client:
        assert not dashboard.install(client)


def test_preloaded_on_a_scheduler(tmp_path):
    file = tmp_path / "scheduler.json"
    options = ["--port", "0", "--preload", "daskphys.dashboard", "--scheduler-file", str(file)]
    with processes.dask("scheduler", *options, cwd=tmp_path) as scheduler:
        processes.written(file, scheduler)
        address = f"http://127.0.0.1:{json.loads(file.read_text())['services']['dashboard']}"
        wait_until(lambda: "/individual-daskphys-events" in listed(address).values())
        assert fetched(f"{address}/daskphys").count(b">Daskphys<") == 1  # in Dask's own navigation


def test_a_scheduler_that_has_no_daskphys(tmp_path):
    file = tmp_path / "scheduler.json"
    (tmp_path / "blind.py").write_text("import sys\nsys.modules['daskphys'] = None\n")
    options = ["--port", "0", "--preload", str(tmp_path / "blind.py"), "--scheduler-file", str(file)]
    with processes.dask("scheduler", *options, cwd=tmp_path) as scheduler:
        processes.written(file, scheduler)
        with (
            Client(scheduler_file=str(file)) as client,
            pytest.raises(MissingDependencyError, match="install it there"),
        ):
            dashboard.install(client)
