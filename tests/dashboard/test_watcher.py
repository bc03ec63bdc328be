"""What the plugin on the scheduler of a live cluster sees, and what calls cost with it."""

import os
import signal

import numpy as np
import pytest
from browsers import wait_until
from cases import raises

from daskphys import dashboard, optim
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import ConvergenceWarning, ParameterError
from daskphys.physics import Blur, stack

pytestmark = pytest.mark.slow


def test_an_operator_and_its_calls(D, x, record):
    operator = wait_until(lambda: record.operators.get(D.recipe.token))
    assert operator.title.startswith("8 sensors: Blur")
    wait_until(lambda: len(operator.homes) == 8)
    assert sorted(key[1:3] for key in operator.homes) == [(i, i + 1) for i in range(8)]
    y = D(x)
    assert sum(t.calls for t in operator.took.values()) == len(D.report().blocks)
    D.A_adjoint(y)
    tree = wait_until(lambda: record.tree)
    assert tree.title == "A_adjoint"
    assert {node.worker for node in tree.nodes.values()} == set(D.placement)
    assert tree.down == 0  # measurements go from the client to where their sensors are
    between = D.report().bytes_between
    assert 0 < tree.up <= between < 1.1 * tree.up + 4096  # what Dask writes around arrays is not counted


def test_an_image_crosses_once_for_each_other_worker(D, x, record):
    D.A_adjoint_A(x)
    tree = wait_until(lambda: record.tree if record.tree.title == "A_adjoint_A" else None)
    assert x.nbytes <= tree.down < x.nbytes + 1024
    assert tree.up >= x.nbytes


def test_a_solve_is_told_to_its_end(D, x, record):
    y = D(x)
    heard = []
    with pytest.warns(ConvergenceWarning):
        optim.lsmr(D, y, rtol=0.0, max_iter=40, callback=lambda i, r: heard.append((i, r)))
    solve = wait_until(lambda: next((s for s in record.solves.values() if s.state == "ended after"), None))
    assert solve.title == "LSMR"
    assert solve.points == heard
    assert len(record.tree.nodes) == 3  # each of two workers has something, and one adds both
    assert record.tree.up + record.tree.down == D.report().bytes_between
    assert all(t.calls >= 40 for t in record.operators[D.recipe.token].took.values())


def test_planned_and_measured_memory(D, x, record, ctx):
    D(x)
    addresses = {w.address for w in ctx.workers().values()}
    wait_until(lambda: addresses <= record.planned.keys())
    assert addresses <= record.measured.keys()
    for address in addresses:
        planned = record.planned[address]
        assert 0 < planned.total <= planned.room
        assert record.measured[address] > 1 << 20


def test_operators_that_nobody_wants_leave(ctx, record):
    other = [distribute(stack(*[Blur(np.full((3, 3), i + 1.0)) for i in range(2)]), ctx)]
    operator = wait_until(lambda: record.operators.get(other[0].recipe.token))
    wait_until(lambda: operator.homes)
    other.clear()
    wait_until(lambda: not operator.homes)


def test_fall_backs_are_told(ctx, record):
    ctx.fell_back("one algorithm to another")
    wait_until(lambda: any(h.text == "fall-back: one algorithm to another" for h in record.happenings))
    assert ctx.fallbacks.pop() == "one algorithm to another"


def test_installing_twice_changes_nothing(ctx, record):
    pages = ctx._cluster.scheduler.http_application.applications
    before = len(pages)
    assert dashboard.install(ctx.client)
    ctx.client.unregister_scheduler_plugin("daskphys")
    assert dashboard.install(ctx.client)
    assert len(pages) == before
    assert ctx._cluster.scheduler.plugins["daskphys"].record is record


def test_what_is_no_client_has_no_page(ctx):
    with raises(ParameterError, "install(ctx.client)", "DistributedContext"):
        dashboard.install(ctx)


def test_a_solve_that_is_stopped_says_so(D, x, record):
    class EnoughError(Exception):
        pass

    def stop(iteration, residual):
        raise EnoughError

    with pytest.raises(EnoughError):
        optim.lsmr(D, D(x), rtol=0.0, max_iter=10**6, callback=stop)
    wait_until(lambda: list(record.solves.values())[-1].state == "stopped after")


def test_a_worker_that_retires_hands_its_sensors_over(A):
    with DistributedContext(n_workers=2) as ctx:
        record = ctx._cluster.scheduler.plugins["daskphys"].record
        D = distribute(A, ctx, chunks=1)
        operator = wait_until(lambda: record.operators.get(D.recipe.token))
        wait_until(lambda: len(operator.homes) == 8)
        first, second = ctx.workers().values()
        ctx.client.retire_workers([first.address])
        (gone,) = wait_until(lambda: [h.text for h in record.happenings if "is gone" in h.text])
        assert gone == "worker 0 is gone; other workers have its sensors 0…3"
        assert set(operator.homes.values()) == {second.address}


def test_a_lost_worker_and_its_blocks(D, x, record, ctx):
    """Last, for it kills one."""
    expected = D.A_adjoint_A(x)
    name, sensors = next(iter(D.placement.items()))
    address = ctx.workers()[name].address
    os.kill(ctx.client.run(os.getpid, workers=[address])[address], signal.SIGKILL)
    np.testing.assert_array_equal(D.A_adjoint_A(x), expected)
    texts = wait_until(lambda: [h.text for h in record.happenings if "is gone" in h.text])
    assert f"worker {name} is gone, which held sensors" in texts[0]
    assert all(str(i) in texts[0] for i in (sensors[0], sensors[-1]))
    wait_until(lambda: any("made again on worker" in h.text for h in record.happenings))


def test_threads_have_no_wire():
    with DistributedContext(n_workers=2) as ctx:
        record = ctx._cluster.scheduler.plugins["daskphys"].record
        D = distribute(stack(*[Blur(np.ones((2, 2)), "valid") for _ in range(2)]), ctx)
        D.A_adjoint_A(np.ones((8, 8)))
        tree = wait_until(lambda: record.tree)
        assert (tree.up, tree.down) == (0, 0)
        assert len(tree.nodes) == 3
