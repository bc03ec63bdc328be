"""The reduction as a tree: where nodes stand, and what crossed the wire."""

from daskphys.dashboard.calls import Calls, Ended
from daskphys.dashboard.record import Record
from daskphys.dashboard.trees import of_solve

HERE, THERE = "tcp://127.0.0.1:1", "tcp://127.0.0.1:2"


def known(chunks=4, scheme="tcp"):
    """A record of one operator, half of whose blocks are on each of two workers."""
    record = Record()
    record.names.update({HERE: 0, THERE: 1})
    operator = record.operator("token", "sensors")
    for i in range(chunks):
        operator.holds(("block-token", i, i + 1, "home"), HERE if i < chunks // 2 else THERE)
    return record


def part(i, worker, call="0123-1", seconds=0.5, nbytes=100, product="gram"):
    name = f"{product}-{call}" if product == "forward" else f"{product}-block-{call}"
    needed = {("block-token", i, i + 1, "home"): 8, f"image-{call}": 1000}
    return Ended((name, i), worker, nbytes, seconds, needed)


def root(parts, worker, call="0123-1"):
    return Ended((f"gram-{call}",), worker, 100, 0.1, {p.key: p.nbytes for p in parts})


def test_a_call_becomes_a_tree():
    record = known()
    calls = Calls(record)
    parts = [part(i, HERE if i < 2 else THERE, seconds=i + 1.0) for i in range(4)]
    for ended in reversed(parts):  # the last sensor's ends first
        calls.ended(ended)
    assert record.tree is None
    calls.ended(root(parts, HERE))
    tree = record.tree
    assert tree.title == "A_adjoint_A"
    assert [node.label for node in tree.nodes.values()] == [*(f"sensor {i}" for i in range(4)), "sum"]
    assert [node.worker for node in tree.nodes.values()] == [0, 0, 1, 1, 0]
    assert list(list(tree.nodes.values())[-1].sources.values()) == [0, 0, 100, 100]
    assert tree.up == 200
    assert tree.down == 1000  # the image went to the other worker once, for both of its tasks
    assert list(tree.places().values()) == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1.5)]
    took = record.operators["token"].took
    assert [took[i, i + 1].last for i in range(4)] == [1.0, 2.0, 3.0, 4.0]


def test_levels_of_a_deep_tree():
    record = known()
    calls = Calls(record)
    parts = [part(i, HERE if i < 2 else THERE) for i in range(4)]
    joins = [
        Ended(("gram-0123-1-join", 0, n), where, 60, 0.1, {p.key: 100 for p in parts[2 * n : 2 * n + 2]})
        for n, where in enumerate((HERE, THERE))
    ]
    for ended in (*parts, *joins, root(joins, HERE)):
        calls.ended(ended)
    assert record.tree.up == 60
    assert [x for x, _ in record.tree.places().values()] == [0, 0, 1, 0, 0, 1, 2]


def test_tasks_of_others_are_left_alone():
    record = known()
    calls = Calls(record)
    calls.ended(Ended(("gram-block-0123-1", 0), HERE, 1, 1.0, {"something": 4}))
    calls.ended(Ended(("gram-0123-1",), HERE, 1, 1.0, {("gram-block-0123-1", 0): 4}))
    calls.ended(Ended(("normal-distribution", 0, 0), HERE, 1, 1.0, {("block-other", 0, 1, "home"): 4}))
    assert record.tree is None
    assert not record.operators["token"].took


def test_measurements_are_not_added_up():
    record = known()
    Calls(record).ended(part(1, HERE, product="forward"))
    assert record.tree is None
    assert record.operators["token"].took[1, 2].calls == 1


def test_chunks_of_a_lazy_image_are_calls_of_their_own():
    record = known()
    calls = Calls(record)
    for chunk in (0, 1):
        parts = [part(i, HERE) for i in range(4)]
        parts = [Ended((*p.key, chunk), p.worker, p.nbytes, p.seconds, p.needed) for p in parts]
        for ended in parts:
            calls.ended(ended)
        calls.ended(Ended(("gram-0123-1", chunk), HERE, 1, 0.1, {p.key: 100 for p in parts}))
        assert len(record.tree.nodes) == 5
    assert record.operators["token"].took[0, 1].calls == 2


def test_other_tasks_of_the_same_sensors_replace_them():
    operator = known().operators["token"]
    operator.ran((0, 2), 1.0)
    operator.ran((2, 4), 1.0)
    operator.ran((0, 1), 3.0)
    operator.ran((0, 1), 5.0)
    assert set(operator.took) == {(0, 1), (2, 4)}
    assert (operator.took[0, 1].last, operator.took[0, 1].total, operator.took[0, 1].calls) == (5.0, 8.0, 2)


def test_a_solve_becomes_a_tree_of_workers():
    shares = [
        ("a", [(0, 2, 0.1)], 0),
        ("c", [(4, 6, 0.1)], 30),
        ("d", [(6, 8, 0.1)], 10),
        ("b", [(2, 4, 0.1)], 20),
    ]
    tree = of_solve("cg", [("a", "c"), ("a", "b"), ("c", "d")], shares, 500, {"a": 0, "b": 1, "c": 2, "d": 3})
    nodes = tree.nodes
    assert (tree.up, tree.down) == (60, 500)
    assert nodes["a", "sum"].sources == {("a", "own"): 0, ("c", "sum"): 30, ("b", "own"): 20}
    assert nodes["c", "sum"].sources == {("c", "own"): 0, ("d", "own"): 10}
    assert nodes["d", "own"].label == "sensors 6…7"
    assert list(nodes)[-1] == ("a", "sum")
    assert len(of_solve("cg", [], shares[:1], 0, {}).nodes) == 1


def test_what_happens_to_many_sensors_at_once_is_one_line():
    record = known()
    for i in range(3):
        record.happened_to((i, i + 1), "{} made again on worker 1")
    record.happened("a fall-back with {}")
    record.happened_to((7, 8), "{} made again on worker {x}")
    record.gone(THERE, {2, 3}, {4})
    record.gone(HERE, set(), set())
    assert [known.text for known in record.happenings] == [
        "sensors 0…2 made again on worker 1",
        "a fall-back with {}",
        "sensor 7 made again on worker {x}",
        "worker 1 is gone, which held sensors 2, 3; other workers have its sensor 4",
        "worker 0 is gone",
    ]


def test_no_more_is_remembered_than_is_shown():
    record = Record()
    for i in range(40):
        record.operator(str(i), "")
        record.progressed({"solve": f"{i:012x}-1", "title": "cg", "iterations": [(1, 0.5)]})
        record.heard({"kind": "plan", "method": f"call {i}", "peaks": {HERE: (40 - i, 100)}})
    assert list(record.operators)[-1] == "39"
    assert len(record.operators) == 16
    assert len(record.solves) == 6
    assert record.planned[HERE].method == "call 0"  # the largest
    for i in range(5000):
        record.progressed({"solve": "a-1", "title": "cg", "iterations": [(i, 1 / (i + 1))]})
    points = record.solves["a-1"].points
    assert 1000 <= len(points) <= 2001
    assert (points[0], points[-1]) == ((0, 1.0), (4999, 1 / 5000))
    assert points == sorted(points)


def test_an_operator_that_workers_hold_is_not_forgotten():
    record = known()
    for i in range(40):
        record.operator(str(i), "").holds((f"block-{i}", 0, 1, HERE), HERE)
        record.operators[str(i)].forgets((f"block-{i}", 0, 1, HERE))
        if i % 4 == 0:
            record.ran("token", (0, 1), 1.0)
            assert list(record.operators)[-1] == "token"
    assert len(record.operators) == 16
    assert record.operators["token"].took[0, 1].calls == 10
