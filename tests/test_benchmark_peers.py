"""Peers take turns with us, are left out where they differ, and may fail; by hand is the same mathematics."""

import os
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import rivals
from benchmarks.family_rivals import compare
from benchmarks.peers import hand
from benchmarks.peers.launch import DEEPINV, FAMILIES, Peers
from benchmarks.problems import Problem, relative
from benchmarks.timing import Bench, Case
from daskphys.distributed import DistributedContext

#: The way of running deepinv that needs no torchrun.
PLAIN = replace(DEEPINV, modes={"deepinv": None})

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
def stand_in(tmp_path):
    """Peers that run the stand-in, which may differ from us or die; only the way without torchrun."""

    def make(behaviour):
        script = tmp_path / f"{behaviour}.py"
        script.write_text(f"BEHAVIOUR = {behaviour!r}\n{STAND_IN}", "utf-8")
        return Peers(sys.executable, replace(PLAIN, script=script))

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
def test_an_interpreter_without_deepinv_says_so(python):
    peers = Peers(python, PLAIN)
    assert peers.running() == {}
    (note,) = peers.notes()
    assert "does not run" in note or "No module named 'deepinv'" in note


@pytest.mark.slow
@pytest.mark.skipif(DEEPINV.variable not in os.environ, reason=f"{DEEPINV.variable} names no interpreter")
def test_deepinv_itself_agrees_in_all_its_ways():
    times, notes = compared(Peers(os.environ[DEEPINV.variable]))
    assert set(times.rounds) == {"daskphys", *DEEPINV.modes}
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


# -- peers of families --------------------------------------------------------------------------------------

#: Peers of a family, as files in `benchmarks/peers/families` have them.
FAMILY = """
import os
import numpy as np

def calls(factor, normal=None):
    def make(arrays, *, shift):
        x = arrays["x"] + shift
        found = {"A": lambda: [factor * x[:1], factor * x[1:]]}
        return found if normal is None else found | {"AᵀA": normal}
    return make

def missing(arrays, *, shift):
    import no_such_library

def dies():
    os._exit(3)

def raises():
    raise ValueError("no such luck")

PEERS = {
    "numpy": calls(2), "another": calls(3), "missing": missing, "raises": calls(2, raises),
    "dies": calls(2, dies), "after": calls(2, lambda: 4),
}
"""


def compared_family(tmp_path, python, products):
    """A comparison with the stand-in family."""
    script = tmp_path / "script.py"
    (tmp_path / "stand_in_family.py").write_text(FAMILY, "utf-8")
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
        f"import benchmarks.peers.families as families\nfamilies.__path__.append({str(tmp_path)!r})\n"
        "from benchmarks.peers import family_products\nfamily_products.main()\n",
        "utf-8",
    )
    bench = Bench(quick=True, family_peers=Peers(python, replace(FAMILIES, script=script)))
    case, x = Case("stand-in", "stand-in"), np.arange(6.0)
    calls = {
        "A": {"daskphys": lambda: 2 * x + 2, "by hand": lambda: 2 * (x + 1), "wrong": lambda: x},
        "AᵀA": {"daskphys": lambda: np.array(4.0)},
        "more": {"daskphys": lambda: x},
    }
    wanted = {product: calls[product] for product in products}
    try:
        family = "stand_in_family"
        found = compare(bench, case, family, {"x": x}, wanted, options={"shift": 1}, seconds=0.1)
    finally:
        bench.close()
    return case, found, bench.family_peers.versions


def test_peers_of_a_family_take_turns_with_us(tmp_path):
    case, found, versions = compared_family(tmp_path, sys.executable, ["A", "more"])
    agreed = ["daskphys", "by hand", "numpy", "raises", "dies", "after"]
    assert list(found["A"].rounds) == agreed
    assert len({len(rounds) for rounds in found["A"].rounds.values()}) == 1
    assert list(found["more"].rounds) == ["daskphys"]
    assert [row["by"] for row in case.rows] == [*agreed, "daskphys"]
    assert case.notes == [
        "missing: not there: ModuleNotFoundError: No module named 'no_such_library'",
        "wrong: A is left out: it differs from ours by 0.58",
        "another: A is left out: it differs from ours by 0.5",
    ]
    assert versions == {"numpy (peer)": np.__version__}


def test_a_peer_of_a_family_that_fails_is_left_out(tmp_path):
    case, found, _ = compared_family(tmp_path, sys.executable, ["AᵀA", "more"])
    assert list(found["AᵀA"].rounds) == ["daskphys"]  # `after` was in the process that died
    refused, died = case.notes[1:]
    assert refused == "raises: failed: result: ValueError: no such luck"
    assert died.startswith("dies: failed: result: the process has ended")
    assert list(found["more"].rounds) == ["daskphys"]


@pytest.mark.parametrize("python", [None, "/no/such/python"])
def test_without_the_environment_of_the_peers_a_note_says_so(tmp_path, python):
    case, found, _ = compared_family(tmp_path, python, ["AᵀA"])
    assert list(found["AᵀA"].rounds) == ["daskphys"]
    (note,) = case.notes
    assert "DASKPHYS_PEERS_PYTHON" in note if python is None else "does not run" in note
