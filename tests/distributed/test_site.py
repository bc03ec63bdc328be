"""Where a merged AᴴA runs, decided from numbers alone."""

from __future__ import annotations

import numpy as np
import pytest

from daskphys.distributed.merged import batch_of, pieces_of
from daskphys.distributed.site import CLEARLY, choose
from daskphys.graph.plan import Rates

LAN = Rates(flops=1e9, client_flops=4e9, wire=1e9, trip=5e-3, task=1e-4)
GPU = Rates(flops=1e12, client_flops=4e9, wire=5e9, trip=5e-3, task=1e-4)


def test_workers_on_this_machine_get_nothing():
    assert choose(1e12, 1 << 30, 64, [8, 8], None).site == "client"


def test_one_image_stays_where_it_is():
    assert choose(1e12, 1 << 20, 1, [8] * 8, LAN).site == "client"


def test_a_batch_goes_to_many_remote_threads_when_the_arithmetic_is_worth_the_wire():
    assert choose(1e11, 1 << 28, 64, [8] * 4, LAN).site == "workers"
    assert choose(1e9, 1 << 28, 64, [8] * 4, LAN).site == "client"  # the wire takes longer than the work
    assert choose(1e11, 1 << 28, 64, [4], LAN).site == "client"  # as many threads as are here


def test_a_host_image_goes_to_a_gpu_where_it_is_large_enough():
    assert choose(1e10, 1 << 28, 1, [1], GPU, gpu=True).site == "workers"
    assert choose(1e6, 1 << 16, 1, [1], GPU, gpu=True).site == "client"
    assert choose(1e10, 1 << 28, 1, [1], GPU, gpu=True, image_on_gpu=True).site == "client"


@pytest.mark.parametrize("flops", 10.0 ** np.arange(6, 14))
def test_it_must_be_clearly_faster(flops):
    found = choose(flops, 1 << 24, 32, [8] * 8, LAN)
    assert (found.site == "workers") == (CLEARLY * found.workers < found.client)


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 8, 17])
@pytest.mark.parametrize("threads", [{"a": 1}, {"a": 2, "b": 3}, {"a": 1, "b": 1, "c": 1}])
def test_pieces_are_the_batch_in_order(batch, threads):
    x = np.arange(2 * batch * 16).reshape(2, batch, 4, 4) if batch > 1 else np.arange(16).reshape(4, 4)
    pieces = pieces_of(x.shape, 2, threads)
    assert len(pieces) == min(batch_of(x.shape, 2), sum(threads.values()))
    axis = pieces[0].axis
    together = pieces[0].of(x) if axis is None else np.concatenate([p.of(x) for p in pieces], axis)
    assert np.array_equal(together, x)
    assert [p.of(x).shape for p in pieces] == [p.shape(x.shape) for p in pieces]
    for worker, n in threads.items():
        assert sum(p.home == worker for p in pieces) <= n
