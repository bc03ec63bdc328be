"""The benchmarks run, say what is not there, survive what fails, and judge figures rightly."""

import importlib
import inspect
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks import __main__ as command
from benchmarks import comparison, figure, rivals, runner, targets
from benchmarks.peers import hand, launch
from benchmarks.problems import Problem, relative
from benchmarks.timing import Bench, Case, Spread, Timings
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


def run_quickly(folder, *only):
    arguments = [part for case in only for part in ("--only", case)]
    return command.main(["--quick", "--out", str(folder), *arguments])


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


# -- the command --------------------------------------------------------------------------------------------


def test_one_case_writes_table_json_and_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv(launch.VARIABLE, raising=False)
    small = Problem(3, (3, 96, 80))
    cases = (
        comparison.merged_growth,
        comparison.products_of(small),
        comparison.products_of(Problem(8, (9, 9))),
    )
    monkeypatch.setitem(command.GROUPS, "peers", cases)
    assert run_quickly(tmp_path, "merged_growth", small.name) == 0
    printed = capsys.readouterr().out
    text = (tmp_path / "peers.txt").read_text("utf-8")
    report = json.loads((tmp_path / "peers.json").read_text("utf-8"))
    assert {path.name for path in tmp_path.iterdir()} == {"peers.txt", "peers.json", "peers.png", "peers.svg"}
    assert set(text[text.index("growth. ") :].splitlines()) <= set(printed.splitlines())
    assert {"date", "python", "numpy", "cores", "load at start", "load at end"} <= set(report["environment"])
    assert [case["case"] for case in report["cases"]] == ["growth", "96x80x3-n3", "targets"]
    by = [row["by"] for row in report["cases"][1]["rows"] if row["product"] == "AᵀA"]
    assert by[:3] == ["daskphys", "bare pair", "NumPy by hand"]
    kept = report["cases"][1]["rounds, ms"]["AᵀA, 96×80×3, N=3"]
    assert len(kept["daskphys"]) == len(kept["bare pair"]) >= 3
    assert "deepinv: not installed" in text
    verdicts = {row["target"]: row[""] for row in report["cases"][2]["rows"]}
    assert verdicts["A plain against deepinv's fastest, 767×512×3, N=3"] == "not measured"
    with Image.open(tmp_path / "peers.png") as picture:
        assert picture.size[0] == 1100


def test_a_case_that_does_not_exist_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_quickly(tmp_path, "merged_groth")
    assert "merged_growth" in capsys.readouterr().err


def test_every_case_has_a_name_of_its_own():
    names = [case.__name__ for cases in command.GROUPS.values() for case in cases]
    assert len(set(names)) == len(names)


def test_what_was_measured_outlives_a_case_that_fails(tmp_path, capsys):
    def fails(bench):
        raise ValueError("no such luck")

    def works(bench):
        return Case("works", "works", [{"figure": 1}])

    bench = Bench(quick=True)
    reports, _ = runner.run({"some": (works, fails, works)}, bench, tmp_path, "peers")
    report = json.loads((tmp_path / "some.json").read_text("utf-8"))
    assert [case["title"] for case in report["cases"]] == ["works", "failed", "works"]
    assert report["cases"][1]["notes"][0] == "failed: ValueError: no such luck"
    assert reports["some"].failed == ["fails"]
    assert "no such luck" in capsys.readouterr().err


# -- peers --------------------------------------------------------------------------------------------------


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


# -- targets and picture ------------------------------------------------------------------------------------


def by_name(found):
    return {target.what: target for target in targets.targets(found)}


def test_targets_of_figures_that_meet_them_and_miss_them():
    found = {
        "AᵀA, 512×512×3, N=8": Timings(
            {
                "daskphys": [1.0, 2.0, 1.0],
                "bare pair": [0.9, 1.0, 0.9],
                "deepinv": [30.0, 30.0, 30.0],
                "deepinv, 2 processes": [12.0, 16.0, 11.0],
            }
        ),
        "AᵀA, 512×512×3, N=32": Timings({"daskphys": [1.0], "bare pair": [0.5], "deepinv": [39.0]}),
        "AᵀA merged, growth": Timings({"N=1": [1.0], "N=128": [1.3]}),
        "A left on workers, 2048×2048, N=8": Timings(
            {
                "one process": [8.0],
                "two independent processes": [10.0],
                "daskphys, 2 processes": [6.0],
            }
        ),
        "A whole, 767×512×3, N=3": Timings(
            {
                "daskphys, 2 threads": [19.0],
                "daskphys, 2 processes": [50.0],
                "deepinv": [5.0],
                "deepinv, 1 process": [20.0],
                "one empty graph, threads": [4.0],
                "one empty graph, processes": [10.0],
            }
        ),
        "CG, 512×512, N=8": Timings(
            {"daskphys, 2 processes": [10.0], "deepinv": [20.0], "deepinv, 2 processes": [150.0]}
        ),
    }
    made = by_name(found)

    # The fastest way of the peer counts, round by round.
    eight = made["AᵀA merged against deepinv's fastest, 512×512×3, N=8"]
    assert (eight.figure, eight.met) == (Spread(8.0, 11.0, 12.0, 3), True)
    assert eight.rests_on == "deepinv, 2 processes ÷ daskphys"
    assert made["AᵀA merged against deepinv's fastest, 512×512×3, N=32"].met is False
    assert made["AᵀA merged, N=128 against N=1, 512×512×3"].met is False
    assert made["AᵀA merged against a bare FFT pair, 512×512×3, N=8"].met is True
    assert made["AᵀA merged against a bare FFT pair, 512×512×3, N=32"].met is False

    # 8 ÷ 6 of 2 · 8 ÷ 10.
    alone = made["A on 2 workers, part of the speed-up of 2 lone processes, 2048×2048, N=8"]
    assert alone.figure.mid == pytest.approx((8 / 6) / 1.6)
    assert alone.met is True

    # What is not distributed does not count here; faster than the peer is met, without a finite margin.
    threads = made["A on 2 threads against deepinv's, floors slower, 767×512×3, N=3"]
    assert (threads.figure.mid, threads.met, threads.margin) == (-0.25, True, float("inf"))
    assert "(4.0 ms)" in threads.rests_on
    processes = made["A on 2 processes against deepinv's, floors slower, 767×512×3, N=3"]
    assert (processes.figure.mid, processes.met) == (3.0, False)

    solved = made["CG to 1e-5 against deepinv distributed, 512×512, N=8"]
    assert (solved.figure.mid, solved.met) == (15.0, True)
    assert made["CG to 1e-5 against deepinv distributed, 1024×1024, N=8"].met is None

    rows = [target.row() for target in made.values()]
    assert {row[""] for row in rows} == {"met", "missed", "not measured"}
    table = targets.table(list(made.values())).text()
    assert "≥ 10×" in table
    assert "8.00 / 11.0 / 12.0" in table


def test_the_picture_of_nothing_says_so(tmp_path):
    written = figure.draw({}, targets.targets({}), tmp_path / "empty")
    assert "not measured in this run" in written[1].read_text("utf-8")  # a comment: the text itself is paths


def test_labels_do_not_overlap():
    placed = figure._apart([100.0, 101.0, 5.0, 102.0])
    assert placed[2] == 5.0
    assert all(b / a >= 1.27 for a, b in zip(sorted(placed), sorted(placed)[1:], strict=False))


# -- asv ----------------------------------------------------------------------------------------------------


def regressions():
    for name in ("products", "graphs"):
        module = importlib.import_module(f"benchmarks.regressions.{name}")
        for made in vars(module).values():
            if inspect.isclass(made) and made.__module__ == module.__name__:
                yield made


@pytest.mark.slow
@pytest.mark.parametrize("suite", list(regressions()), ids=lambda suite: suite.__name__)
def test_what_asv_tracks_runs(suite):
    """As asv calls it: an instance for each parameter, set up and torn down."""
    params = (suite.params[0],) if hasattr(suite, "params") else ()
    methods = [name for name in dir(suite) if name.split("_")[0] in ("time", "track", "peakmem", "timeraw")]
    assert methods
    made = suite()
    getattr(made, "setup", lambda *_: None)(*params)
    try:
        for name in methods:
            result = getattr(made, name)(*params)
            if name.startswith("track"):
                assert result > 0
                assert getattr(suite, name).unit in ("tasks", "bytes", "FFTs")
    finally:
        getattr(made, "teardown", lambda *_: None)()
