"""Placing blocks: neighbours together, in proportion to what workers can do."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from daskphys.graph.placement import BYTES_PER_SENSOR, block_cost, parts, place, stand_ins

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


def moved(before, after):
    return sum(a != b for a, b in zip(before, after, strict=True))


def runs_of(placed):
    return [worker for worker, _ in itertools.groupby(placed)]


def test_a_worker_that_joins_gets_its_share_and_little_else_moves():
    costs = [1.0] * 64
    before = place(costs, dict.fromkeys("abcd", 1))
    after = place(costs, dict.fromkeys("abcde", 1), homes=before)
    assert sorted(after.count(w) for w in "abcde") == [12, 13, 13, 13, 13]
    assert moved(before, after) == after.count("e")  # nothing moves but to the new one
    assert moved(before, after) <= 64 // 5 + 1
    assert runs_of(after).count("e") <= 2


@given(st.integers(1, 100), st.integers(1, 9), st.integers(1, 4))
def test_nothing_moves_where_nothing_has_changed(n, workers, threads):
    capacity = dict.fromkeys(range(workers), threads)
    before = place([1.0] * n, capacity)
    assert place([1.0] * n, capacity, homes=before) == before


@given(st.integers(1, 100), st.integers(2, 8), st.data())
def test_blocks_of_a_lost_worker_move_and_no_others(n, workers, data):
    costs = [1.0] * n
    before = place(costs, dict.fromkeys(range(workers), 2))
    lost = data.draw(st.integers(0, workers - 1))
    left = dict.fromkeys(set(range(workers)) - {lost}, 2)
    after = place(costs, left, homes=before)
    assert moved(before, after) == before.count(lost)
    assert set(after) <= set(left)
    loads = [after.count(w) for w in left]
    assert max(loads) - min(loads) <= 2


@given(COSTS, CAPACITIES, st.integers(1, 4), st.data())
def test_joining_and_leaving_ends_near_the_shares(costs, capacity, threads, data):
    homes = place(costs, capacity)
    for step in range(4):
        capacity = dict(capacity)
        if len(capacity) > 1 and data.draw(st.booleans()):
            del capacity[data.draw(st.sampled_from(sorted(capacity)))]
        else:
            capacity[f"new{step}"] = threads
        homes = place(costs, capacity, homes=homes)
        for worker, power in capacity.items():
            load = sum(cost for cost, at in zip(costs, homes, strict=True) if at == worker)
            assert load <= sum(costs) * power / sum(capacity.values()) + 2 * max(costs) + 1e-6


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=40),
    st.lists(st.integers(0, 2000), min_size=1, max_size=6),
)
def test_memory_is_kept_to_where_it_can_be(sizes, rooms):
    room = {f"w{i}": r for i, r in enumerate(rooms)}
    placed = place([1.0] * len(sizes), dict.fromkeys(room, 1), sizes=sizes, room=room)
    held = {w: sum(s for s, at in zip(sizes, placed, strict=True) if at == w) for w in room}
    over = [w for w in room if held[w] > room[w]]
    if over:  # then nobody had room for the smallest block that is too much
        worst = [s for s, at in zip(sizes, placed, strict=True) if at in over and s]
        assert all(room[w] - held[w] < max(worst) for w in room if w not in over)


def test_a_worker_with_little_memory_gets_few_blocks():
    placed = place([1.0] * 8, {"small": 1, "large": 1}, sizes=[10] * 8, room={"small": 20, "large": 1000})
    assert placed == ["small"] * 2 + ["large"] * 6
    # Without a limit there is none.
    assert place([1.0] * 8, {"small": 1, "large": 1}, sizes=[10] * 8).count("small") == 4


def test_bytes_cost_time_only_where_they_are_many():
    assert block_cost(4, 4 * 257 * 257 * 8) < 4.1
    assert block_cost(1, 8 * BYTES_PER_SENSOR) == 9.0


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=30), st.integers(1, 4))
def test_replicas_are_on_different_workers(first, replicas):
    workers = list("abcde")
    homes = stand_ins(first, workers, replicas)
    assert [h[0] for h in homes] == first
    assert all(len(set(h)) == replicas for h in homes)
    # One worker goes: who holds a block goes on holding it.
    left = workers[1:]
    moved_to = [h[0] if h[0] in left else h[-1] if h[-1] in left else "b" for h in homes]
    again = stand_ins(moved_to, left, replicas, homes)
    for old, new in zip(homes, again, strict=True):
        assert len(new) == min(replicas, len(left))
        assert set(old) & set(left) <= set(new)


def test_parts_of_a_run_are_alike():
    assert parts([1.0] * 8, 3) == [(0, 3), (3, 5), (5, 8)]
    assert parts([1.0, 1.0, 6.0], 2) == [(0, 2), (2, 3)]
    assert parts([1.0] * 2, 5) == [(0, 1), (1, 2)]
