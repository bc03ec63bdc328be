"""Peers take turns with us, are left out where they differ, and may fail; by hand is the same mathematics."""

import os
import sys

import numpy as np
import pytest

from benchmarks import rivals
from benchmarks.peers import hand, launch
from benchmarks.problems import Problem, relative
from benchmarks.timing import Bench
from daskphys.distributed import DistributedContext

#: Speaks for deepinv where it is not installed: the same socket and the same questions, answered with NumPy's AᵀA.
STAND_IN = """
import json, os, socket, sys
import numpy as np
place = sys.argv[sys.argv.index("--threads") - 1]
connection = socket.socket(socket.AF_UNIX)
connection.connect(place)
lines = connection.makefile("rw", encoding="utf-8")
def tell(answer):
    lines.write(json.dumps(answer) + "\\n")
    lines.flush()
tell({"deepinv": "0", "torch": "0"})
for line in lines:
    question = json.loads(line)
    do = question["do"]
    if do == "load":
        held = np.load(question["path"])
        x, kernels = held["x"], [held[name] for name in held.files if name != "x"]
        tell({"chosen": {p: "Blur" for p in question["products"]}, "tried": {}})
    elif do == "time":
        if BEHAVIOUR == "dies":
            os._exit(3)
        tell({"rounds": [100.0]})
    elif do == "result":
        total = np.zeros_like(x)
        for k in kernels:
            placed = np.zeros(x.shape[-2:])
            placed[: k.shape[0], : k.shape[1]] = k
            h = np.fft.fft2(np.roll(placed, (-(k.shape[0] // 2), -(k.shape[1] // 2)), (0, 1)))
            total += np.fft.ifft2(np.fft.fft2(x) * abs(h) ** 2).real.astype(x.dtype)
        np.save(question["path"], total * (2 if BEHAVIOUR == "differs" else 1))
        tell({"products": None})
    else:
        tell({})
        break
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Peers that run the stand-in, which may differ from us or die; only the way without torchrun."""

    def make(behaviour):
        script = tmp_path / f"{behaviour}.py"
        script.write_text(f"BEHAVIOUR = {behaviour!r}\n{STAND_IN}", "utf-8")
        monkeypatch.setattr(launch, "_SCRIPT", script)
        monkeypatch.setattr(launch, "MODES", {"deepinv": None})
        return launch.Peers(sys.executable)

    return make


def compared(peers):
    """AᵀA against the peers: its rounds, and what is said about the peers."""
    problem, bench = Problem(2, (64, 64)), Bench(quick=True, peers=peers)
    A, x = problem.operator(), problem.image()
    try:
        with rivals.Rivals.of(bench, A, x, ["AᵀA"]) as given:
            given.check("AᵀA", A.A_adjoint_A(x))
            return given.time("AᵀA", {"daskphys": lambda: A.A_adjoint_A(x)}, 0.1), peers.notes()
    finally:
        bench.close()


def test_a_peer_takes_turns_with_us(stand_in):
    times, notes = compared(stand_in("agrees"))
    assert set(times.rounds) == {"daskphys", "deepinv"}
    assert len(times.rounds["daskphys"]) == len(times.rounds["deepinv"])
    assert set(times.rounds["deepinv"]) == {100.0}
    assert notes == []


def test_a_peer_with_another_result_is_left_out(stand_in):
    times, notes = compared(stand_in("differs"))
    assert set(times.rounds) == {"daskphys"}
    (note,) = notes
    assert "another result than ours, relative difference 1" in note


def test_a_peer_that_dies_does_not_take_the_rest_with_it(stand_in):
    times, notes = compared(stand_in("dies"))
    assert set(times.rounds) == {"daskphys"}
    (note,) = notes
    assert note.startswith("deepinv: failed: time: the process has ended")


@pytest.mark.parametrize("python", ["/no/such/python", sys.executable])
def test_an_interpreter_without_deepinv_says_so(python, monkeypatch):
    monkeypatch.setattr(launch, "MODES", {"deepinv": None})
    peers = launch.Peers(python)
    assert peers.running() == {}
    (note,) = peers.notes()
    assert "does not run" in note or "No module named 'deepinv'" in note


@pytest.mark.slow
@pytest.mark.skipif(launch.VARIABLE not in os.environ, reason=f"{launch.VARIABLE} names no interpreter")
def test_deepinv_itself_agrees_in_all_its_ways():
    times, notes = compared(launch.Peers(os.environ[launch.VARIABLE]))
    assert set(times.rounds) == {"daskphys", *launch.MODES}
    assert notes == []


@pytest.mark.parametrize("problem", [Problem(2, (3, 40, 32)), Problem(2, (20, 32, 24), ndim=3)], ids=str)
def test_what_is_written_by_hand_is_the_same_mathematics(problem):
    A, x = problem.operator(), problem.image()
    y = A(x)
    made = [hand.numpy_by_hand(A, problem.space), hand.torch_by_hand(A, problem.space)]
    with DistributedContext(n_workers=2, processes=False) as ctx:
        made.append(hand.DelayedByHand(A, problem.space, ctx.client))
        for by_hand in made:
            assert relative(np.stack([np.asarray(a) for a in by_hand.A(x)]), y.stack()) < rivals.AGREES
            assert relative(np.asarray(by_hand.At(list(y))), A.A_adjoint(y)) < rivals.AGREES
            assert relative(np.asarray(by_hand.AtA(x)), A.A_adjoint_A(x)) < rivals.AGREES
    assert relative(hand.pair(x, problem.space), x) < 1e-6
