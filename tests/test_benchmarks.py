"""The benchmarks run, say what is not there, survive what fails, and judge figures rightly."""

import importlib
import inspect
import json

import pytest
from PIL import Image

from benchmarks import __main__ as command
from benchmarks import comparison, figure, overview, runner, targets
from benchmarks.peers.launch import DEEPINV
from benchmarks.problems import Problem
from benchmarks.timing import Bench, Case, Spread, Timings


def run_quickly(folder, *only):
    arguments = [part for case in only for part in ("--only", case)]
    return command.main(["--quick", "--out", str(folder), *arguments])


# -- the command --------------------------------------------------------------------------------------------


def test_one_case_writes_table_json_and_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv(DEEPINV.variable, raising=False)
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


def test_the_plot_of_the_readme_is_that_of_the_committed_run(tmp_path):
    with Image.open(overview.PICTURE) as picture:
        assert picture.info["Source"] == f"benchmarks/results/peers.json {overview.digest()}"
        size = picture.size
    overview.draw(tmp_path / "drawn.png")
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.size == size
    results = json.loads(overview.RESULTS.read_text("utf-8"))
    for product in overview.PRODUCTS:
        drawn = overview.lines(results, product)
        assert all(tuple(line) == overview.SENSORS for line in drawn.values()), product
        peers = [row for case in results["cases"] if case["case"] == "512x512x3-n8" for row in case["rows"]]
        fastest = min(r["time"]["median"] for r in peers if r["product"] == product and "deepinv" in r["by"])
        assert drawn["deepinv"][8][0] <= 1.05 * fastest  # fastest by ratios of one round, not by medians
