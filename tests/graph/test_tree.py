"""Task graphs of tree reductions: their shape, their pins, and the same bits for any fan-in."""

import math

import dask
import dask.array as da
import dask.threaded
import numpy as np
import pytest
from dask.highlevelgraph import HighLevelGraph
from hypothesis import given
from hypothesis import strategies as st

from daskphys.graph.builder import GraphBuilder
from daskphys.graph.tree import FAN_IN, reduce_tree
from daskphys.pairwise import PairwiseSum, pairwise_sum

CALLS = []


@pytest.fixture(autouse=True)
def _no_calls_yet():
    CALLS.clear()


def terms(n):
    rng = np.random.default_rng(0)
    return [
        rng.standard_normal(3).astype(np.float32) * np.float32(10.0) ** rng.integers(-6, 6) for _ in range(n)
    ]


def leaf(values, start):
    CALLS.append("leaf")
    total = PairwiseSum()
    for i, value in enumerate(values, start):
        total.append(i, value)
    return total.parts


def finish(parts, *extra):
    CALLS.append("finish")
    return (PairwiseSum.join(parts).total(), *extra)


def tree(values, sizes, fan_in=FAN_IN, homes=None, suffix=()):
    """A graph that sums `values` in blocks of `sizes`."""
    builder, blocks, start = GraphBuilder("sum"), [], 0
    homes = homes or [None] * len(sizes)
    for size, home in zip(sizes, homes, strict=True):
        key = ("leaf", start, *suffix)
        blocks.append(builder.add(key, leaf, values[start : start + size], start, worker=home))
        start += size
    root = reduce_tree(builder, "root", blocks, homes, finish, "done", suffix=suffix, fan_in=fan_in)
    return builder, builder.build(), root


def nodes(blocks, fan_in):
    """How many tasks join `blocks` blocks, the root with them."""
    count = 1
    while blocks > fan_in:
        blocks = math.ceil(blocks / fan_in)
        count += blocks
    return count


@given(st.lists(st.integers(1, 4), min_size=1, max_size=40), st.integers(2, 9))
def test_any_blocks_and_any_fan_in_have_the_same_bits(sizes, fan_in):
    values = terms(sum(sizes))
    _, graph, root = tree(values, sizes, fan_in)
    graph.validate()
    for get in (dask.get, dask.threaded.get):
        total, done = get(graph, root.key)
        assert done == "done"
        assert total.tobytes() == pairwise_sum(values).tobytes()


@given(st.integers(1, 300), st.integers(2, 9))
def test_tasks_are_as_many_as_the_tree_has_nodes(n, fan_in):
    builder, graph, _ = tree(terms(n), [1] * n, fan_in)
    assert len(builder) == len(graph.to_dict()) == n + nodes(n, fan_in)
    for layer in graph.layers.values():
        for task in layer.values():
            assert len(task.dependencies) <= fan_in


def test_few_blocks_need_the_root_alone():
    assert nodes(FAN_IN, FAN_IN) == 1
    builder, _, root = tree(terms(FAN_IN), [1] * FAN_IN)
    assert len(builder) == FAN_IN + 1
    assert root.key == ("root",)


def test_building_computes_nothing():
    _, graph, root = tree(terms(50), [1] * 50)
    graph.to_dict()
    assert CALLS == []
    dask.get(graph, root.key)
    assert CALLS.count("leaf") == 50
    assert CALLS.count("finish") == 1


def test_a_suffix_keeps_trees_apart():
    builder = GraphBuilder("sum")
    roots = []
    for chunk in range(3):
        blocks = [builder.add(("leaf", i, chunk), leaf, [float(10**chunk)], i) for i in range(20)]
        roots.append(reduce_tree(builder, "root", blocks, [None] * 20, finish, suffix=(chunk,)))
    assert [r.key for r in roots] == [("root", 0), ("root", 1), ("root", 2)]
    assert [r[0] for r in dask.get(builder.build(), [r.key for r in roots])] == [20, 200, 2000]


def test_tasks_are_pinned_where_their_blocks_are_but_softly():
    homes = ["a"] * 10 + ["b"] * 10
    _, graph, root = tree(terms(20), [1] * 20, fan_in=4, homes=homes)
    where = {}
    for layer in graph.layers.values():
        assert layer.annotations["allow_other_workers"] is True
        (worker,) = layer.annotations["workers"]
        where.update(dict.fromkeys(layer, worker))
    assert [where["leaf", i] for i in range(20)] == homes
    assert [where["root-join", 0, node] for node in range(5)] == ["a", "a", "a", "b", "b"]
    assert [where["root-join", 1, node] for node in range(2)] == ["a", "b"]
    assert where[root.key] == "a"


def test_without_workers_there_are_no_pins():
    _, graph, _ = tree(terms(20), [1] * 20)
    assert all(layer.annotations is None for layer in graph.layers.values())


def test_layers_follow_their_dependencies():
    homes = ["a", "b"] * 10
    _, graph, _ = tree(terms(20), [1] * 20, fan_in=4, homes=homes)
    graph.validate()
    assert (
        len(graph.layers) == 2 + 1 + 1 + 1
    )  # blocks on either worker, two levels of joins and the root on one
    key_layer = {key: name for name, layer in graph.layers.items() for key in layer}
    for name, layer in graph.layers.items():
        needed = {key_layer[k] for task in layer.values() for k in task.dependencies}
        assert needed - {name} == set(graph.dependencies[name])


def test_a_layer_of_its_own_makes_a_collection():
    builder = GraphBuilder("image")
    for i in range(2):
        parts = [builder.add(("part", i, j), np.full, 3, float(i), layer=None) for j in range(2)]
        builder.add(("image", i), np.add, *parts, layer="image")
    image = da.Array(builder.build(), "image", chunks=((3, 3),), dtype=float)
    assert "image" in image.dask.layers
    np.testing.assert_array_equal(image.compute(scheduler="sync"), [0, 0, 0, 2, 2, 2])


def test_graphs_stand_on_collections():
    x = da.from_array(np.arange(6.0), chunks=2) + 1
    single = dask.delayed(sum)([1, 2])
    builder = GraphBuilder("on")
    ref = builder.add("small", np.sum, GraphBuilder("x").add(x.__dask_keys__()[0], np.sum))
    builder.add("all", np.add, ref, GraphBuilder("y").add(single.key, np.sum))
    graph = builder.build([x, single])
    graph.validate()
    assert isinstance(graph, HighLevelGraph)
    assert dask.get(graph, "all") == (1 + 2) + 3
    assert CALLS == []


def test_an_argument_may_be_a_list_of_results():
    builder = GraphBuilder("lists")
    one, two = builder.add("one", int, "1"), builder.add("two", int, "2")
    builder.add("sum", sum, [one, two, one])
    builder.add("plain", sum, [1, 2, 3])
    assert dask.get(builder.build(), ["sum", "plain"]) == (4, 6)
