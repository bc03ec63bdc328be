"""A bar for calls that take long, drawn by the thread that waits, and none for others."""

import asyncio
import sys
import time

import numpy as np
import pytest

from daskphys.distributed import DistributedContext, distribute, watching
from daskphys.errors import SensorError
from daskphys.physics import LinearPhysics, stack, value


@value
class Slow(LinearPhysics):
    """The identity, after a while; an error where that is negative."""

    seconds: float

    def _forward(self, x):
        if self.seconds < 0:
            time.sleep(1.0)
            raise ZeroDivisionError("no such time")
        time.sleep(self.seconds)
        return x

    def _adjoint(self, y, shape):
        return y


@pytest.fixture(scope="module")
def ctx():
    with DistributedContext(n_workers=2, processes=False) as ctx:
        yield ctx


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(watching, "DELAY", 0.15)


@pytest.mark.parametrize("module", ["tqdm.auto", "tqdm.none"])
def test_a_long_call_has_a_bar_of_its_tasks(ctx, capsys, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    D, x = distribute(stack(Slow(0.1), Slow(0.9)), ctx), np.eye(4)
    with ctx.progress():
        y = D(x)
    np.testing.assert_array_equal(y[1], x)
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.replace("\n", "\r").split("\r") if line.strip()]
    assert any("A: 1 of 2 tasks" in line for line in lines)
    assert "A: 2 of 2 tasks" in lines[-1]
    assert err.endswith("\n")


def test_a_short_call_has_none_and_no_call_outside(ctx, capsys):
    quick, slow = (distribute(stack(Slow(s), Slow(s / 2)), ctx) for s in (0.0, 0.4))
    with ctx.progress():
        quick(np.eye(4))
    slow(np.eye(4))
    assert capsys.readouterr() == ("", "")


def test_the_bar_ends_where_a_sensor_fails(ctx, capsys):
    D = distribute(stack(Slow(0.0), Slow(-1.0)), ctx)
    with ctx.progress(), pytest.raises(SensorError):
        D(np.eye(4))
    assert not ctx.shows_progress
    err = capsys.readouterr().err
    assert "2 of 2" not in err
    assert "A: 1 of 2 tasks" in err
    assert err.endswith("\n")


def test_nothing_listens_when_the_call_is_over(ctx):
    with ctx.progress():
        distribute(stack(Slow(0.3)), ctx)(np.eye(4))

    async def listeners():
        await asyncio.sleep(0.2)  # what was cancelled ends
        return [task for task in asyncio.all_tasks() if "until_told_all" in repr(task)]

    assert not ctx.client.sync(listeners)
