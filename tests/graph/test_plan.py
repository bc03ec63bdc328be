"""Accounts of graphs: tasks, bytes on the wire, peaks and time, on graphs small enough to count by hand."""

from dataclasses import replace

import pytest

from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.graph.plan import Rates, Work, account, repeated, together

APART = {"a": "a", "b": "b"}
RATES = Rates(flops=100.0, client_flops=200.0, wire=10.0, trip=1.0, task=0.5)


def two_blocks(threads=1, processes=APART, per_worker=1):
    """`per_worker` blocks on each of two workers, from one image on the first, and a sum on the first."""
    builder = GraphBuilder("call")
    blocks = [
        builder.add(("block", w, i), print, Ref("image"), Ref("operator"), worker=w)
        for w in "ab"
        for i in range(per_worker)
    ]
    root = builder.add("sum", print, blocks, worker="a")
    works = {ref.key: Work(transforms=2, flops=50.0, workspace=100, result=10, kept=7) for ref in blocks}
    works[root.key] = Work(transforms=1, workspace=5, result=20)
    tasks = builder.tasks()
    return account(
        {key: node for key, (node, _) in tasks.items()},
        {key: home for key, (_, home) in tasks.items()},
        works,
        {"image": (1000, "a")},
        [root.key],
        dict.fromkeys("ab", threads),
        processes,
    )


def test_bytes_and_transforms_are_counted_once():
    found = two_blocks()
    assert (found.tasks, found.transforms, found.sent, found.returned) == (3, 5, 1000, 20)
    assert found.between == 1000 + 10  # the image to b, and b's part to a
    assert (found.loads["a"].received, found.loads["b"].received) == (10, 1000)
    assert (found.loads["a"].kept, found.loads["b"].kept) == (7, 7)


def test_the_peak_is_that_of_the_fullest_level():
    found = two_blocks()
    # a: the image, a block's workspace and result; b the same.
    assert (found.loads["a"].peak, found.loads["b"].peak) == (1110, 1110)


def test_as_many_workspaces_as_there_are_threads():
    one, two = two_blocks(threads=1, per_worker=3), two_blocks(threads=2, per_worker=3)
    assert two.loads["a"].peak - one.loads["a"].peak == 100


def test_workers_of_one_process_hold_a_thing_once():
    found = two_blocks(processes={"a": "p", "b": "p"})
    assert found.loads["a"].peak == found.loads["b"].peak == 1000 + 2 * 110


def test_time_is_that_of_the_busiest_worker_and_of_the_wire():
    found = two_blocks()
    expected = 1.0 + 3 * 0.5 + (1000 + 20 + 1000) / 10.0 + 50 / 100
    assert found.seconds(RATES, {"a": 1, "b": 1}) == pytest.approx(expected)
    assert found.seconds(replace(RATES, flops=200.0), {"a": 1, "b": 1}) == pytest.approx(expected - 0.25)


def test_chunks_repeat_a_graph_and_keep_spectra_once():
    one = two_blocks()
    many = repeated(one, 4, {"a": 2, "b": 1})
    assert (many.tasks, many.transforms, many.between, many.sent) == (12, 20, 4 * one.between, 0)
    assert (many.loads["a"].peak, many.loads["b"].peak) == (2 * 1110, 1110)
    assert many.loads["a"].kept == 7
    both = together([one, many])
    assert (both.tasks, both.loads["a"].peak, both.loads["a"].kept) == (15, 2220, 7)
