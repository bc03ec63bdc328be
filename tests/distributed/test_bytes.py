"""Operators travel once: counted on the sockets of this process, which holds client and scheduler."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from distributed.comm.tcp import TCP

from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, StackedPhysics, stack


class Written:
    """Bytes that this process wrote to its sockets."""

    def __init__(self) -> None:
        self.total = 0

    def since(self, before: int) -> int:
        return self.total - before


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    counter = Written()
    write = TCP.write

    async def counting(self: TCP, *args: object, **kwargs: object) -> int:
        n = await write(self, *args, **kwargs)
        counter.total += n
        return n

    monkeypatch.setattr(TCP, "write", counting)
    return counter


@pytest.fixture(scope="module")
def heavy() -> StackedPhysics:
    """Operators of 128 KiB each, larger than the images that they see."""
    rng = np.random.default_rng(0)
    return stack(*[Blur(rng.random((128, 128))) for _ in range(6)])


def test_operators_are_sent_once(
    processes: DistributedContext, heavy: StackedPhysics, written: Written
) -> None:
    x = np.random.default_rng(1).random((128, 128), dtype=np.float32)
    y = heavy(x)
    before = written.total
    D = distribute(heavy, processes)
    # From the client to the scheduler, and from there to the block's worker.
    assert heavy.nbytes <= written.since(before) <= 2.2 * heavy.nbytes
    light = distribute(stack(*[Blur(np.ones((3, 3)) / (i + 1)) for i in range(6)]), processes)
    for call in (lambda P: P.A_adjoint(y), lambda P: P(x), lambda P: P.A_adjoint_A(x, method="tree")):
        sent = []
        for P in (light, D, D, D):
            before = written.total
            call(P)
            sent.append(written.since(before))
        # A call of large operators sends what a call of small ones does: images alone.
        assert max(sent) - min(sent) < 0.1 * heavy.nbytes
    assert D.report().bytes_operators == heavy.nbytes
    assert D.report().bytes_sent < 2 * x.nbytes


def test_distributing_twice_keeps_one_copy(processes: DistributedContext, heavy: StackedPhysics) -> None:
    first, second = distribute(heavy, processes), distribute(heavy, processes)
    assert first == second
    sizes = processes.client.nbytes(summary=False)
    blocks = [size for key, size in sizes.items() if str(key[0]).startswith(f"block-{first.recipe.token}")]
    assert len(blocks) == len(heavy)
    assert all(b >= heavy.nbytes / len(heavy) for b in blocks)


def test_a_merged_product_sends_nothing(
    processes: DistributedContext, heavy: StackedPhysics, written: Written
) -> None:
    x = np.random.default_rng(1).random((128, 128), dtype=np.float32)
    D = distribute(heavy, processes)
    D.A_adjoint_A(x)
    settled, now = -1, transitions(processes)
    while settled != now:  # the scheduler is still forgetting the set-up
        time.sleep(0.3)
        settled, now = now, transitions(processes)
    D.A_adjoint_A(x)
    assert (D.report().tasks, D.report().transforms) == (0, 2)
    assert transitions(processes) == now


def transitions(ctx: DistributedContext) -> int:
    """How many changes of a task's state the scheduler has made so far."""
    return int(ctx.client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter))


def test_a_factory_sends_no_parameters(processes: DistributedContext, written: Written) -> None:
    def factory(index: int) -> Blur:
        return Blur(np.random.default_rng(index).random((128, 128)))

    before = written.total
    D = distribute(factory, processes, num_operators=6)
    assert written.since(before) < 100_000 < D.nbytes
    x = np.random.default_rng(1).random((128, 128), dtype=np.float32)
    plain = stack(*[factory(i) for i in range(6)])
    np.testing.assert_array_equal(D.A_adjoint(D(x)), plain.A_adjoint(plain(x)))
