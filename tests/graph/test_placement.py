"""Placing blocks: neighbours together, in proportion to what workers can do."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from daskphys.graph.placement import place

COSTS = st.lists(st.integers(1, 1000), min_size=1, max_size=60)
CAPACITIES = st.lists(st.integers(1, 16), min_size=1, max_size=12).map(
    lambda c: {f"w{i}": n for i, n in enumerate(c)}
)


@given(COSTS, CAPACITIES)
def test_neighbours_are_together(costs, capacity):
    placed = place(costs, capacity)
    assert len(placed) == len(costs)
    runs = [worker for worker, _ in itertools.groupby(placed)]
    assert runs == [worker for worker in capacity if worker in set(placed)]  # each one run, in their order


@given(COSTS, CAPACITIES)
def test_no_worker_has_a_block_more_than_its_share(costs, capacity):
    placed = place(costs, capacity)
    for worker, power in capacity.items():
        load = sum(cost for cost, at in zip(costs, placed, strict=True) if at == worker)
        assert load <= sum(costs) * power / sum(capacity.values()) + max(costs) + 1e-6


@given(st.integers(1, 12), st.integers(0, 40))
def test_like_blocks_use_every_worker(workers, more):
    placed = place([3.0] * (workers + more), dict.fromkeys(range(workers), 2))
    loads = [placed.count(worker) for worker in range(workers)]
    assert min(loads) >= 1
    assert max(loads) - min(loads) <= 1


@given(COSTS, CAPACITIES, st.sampled_from([2.0**-30, 0.5, 2.0**40]))
def test_units_do_not_matter(costs, capacity, unit):
    assert place(costs, capacity) == place([c * unit for c in costs], capacity)


def test_it_is_the_same_every_time():
    costs = [random.Random(0).random() for _ in range(100)]
    assert place(costs, {"a": 1, "b": 2}) == place(list(costs), {"a": 1, "b": 2})


def test_nothing_to_place():
    assert place([], {"a": 1}) == []
