"""Graphs stay small: tasks and bytes of the calls of 10,000 sensors, counted on what goes to the scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from daskphys.distributed import DistributedContext, distribute
from daskphys.distributed.physics import DistributedPhysics
from daskphys.errors import ShapeError
from daskphys.graph.blocks import cut
from daskphys.physics import Blur, Measurements

N = 10_000


class Sent:
    """The graphs that a client sends: how many there were, and their bytes."""

    def __init__(self) -> None:
        self.bytes: list[int] = []

    def graph(self, message: dict[str, Any]) -> None:
        if message["op"] == "update-graph":
            self.bytes.append(sum(memoryview(frame).nbytes for frame in message["expr_ser"].frames))


@pytest.fixture
def sent(threads: DistributedContext, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    found, send = Sent(), threads.client._send_to_scheduler

    def sending(message: dict[str, Any]) -> None:
        found.graph(message)
        send(message)

    monkeypatch.setattr(threads.client, "_send_to_scheduler", sending)
    return found


@pytest.fixture(scope="module")
def many(threads: DistributedContext) -> DistributedPhysics:
    def factory(index: int) -> Blur:
        return Blur(np.array([[0.5, 1.0, index / N]]), padding="valid")

    return distribute(factory, threads, num_operators=N)


def test_a_factory_takes_two_graphs(threads: DistributedContext, sent: Sent) -> None:
    D = distribute(lambda index: Blur(np.ones((1, 3))), threads, num_operators=N)
    assert len(D.bounds) == len(cut(N)) == 157
    assert len(sent.bytes) == 2  # blocks, and what their sensors have in common
    assert sum(sent.bytes) < 20 * N
    assert D.nbytes == N * 24


def test_calls_of_ten_thousand_sensors(many: DistributedPhysics, sent: Sent) -> None:
    x = np.random.default_rng(0).random((4, 6))
    y = many(x)
    assert (len(y), many.report().tasks) == (N, 3)
    many.A_adjoint(y)
    assert many.report().tasks == 4
    many.A_adjoint_A(x)
    assert many.report().tasks == 4
    assert len(sent.bytes) == 3
    # The limit of the library is 200 bytes a sensor; the blocks' names are all there is.
    assert max(sent.bytes) < 5 * N
    assert {i for e in many.report().blocks if e.block for i in range(*e.block)} == set(range(N))


def test_the_most_tasks(many: DistributedPhysics) -> None:
    """Also where every block is a task of its own, on as many workers or threads as there are blocks."""
    blocks = many.holding.blocks()
    assert len(blocks.bounds) == 157
    alone = blocks.grouped(dict.fromkeys(blocks.homes, 1000))
    assert alone.bounds == blocks.bounds
    assert len(blocks.grouped({}).bounds) == 3
    four = blocks.grouped(dict.fromkeys(blocks.homes, 4))
    assert len(four.bounds) == 12
    sensors = [stop - start for start, stop in four.bounds]
    assert max(sensors) <= 1.1 * N / 12
    assert [ref for group in four.refs for ref in group] == list(blocks.refs)


def test_measurements_travel_as_one_object_a_task(
    many: DistributedPhysics, threads: DistributedContext
) -> None:
    y = Measurements(np.ones((4, 4)) for _ in range(N))
    sent: list[int] = []
    scatter = threads.client.scatter

    def counting(data: Any, **how: Any) -> Any:
        sent.append(len(data))
        return scatter(data, **how)

    threads.client.scatter = counting
    try:
        many.A_adjoint(y)
    finally:
        del threads.client.scatter
    assert sent == [1, 1, 1]  # one round trip for each worker, one object for each of its tasks


def test_a_wrong_measurement_is_named_by_its_own_number(many: DistributedPhysics) -> None:
    shapes = [(4, 4)] * N
    shapes[7777] = (4, 5)
    with pytest.raises(ShapeError, match="sensor 7777"):
        many.A_adjoint(Measurements(map(np.ones, shapes)))
