"""The command line: what it prints, writes and returns."""

import io
import json
import logging
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from distributed import LocalCluster
from PIL import Image

from daskphys import __version__, demo
from daskphys.cli import Progress, main
from daskphys.distributed import distribute
from daskphys.physics import stack

SMALL = ["demo", "--img-size", "64", "--workers", "2"]
PICTURES = {"distributed_physics_forward.png": (1500, 400), "distributed_physics_adjoint.png": (1200, 400)}


def python(*arguments, cwd, **environment):
    """Run Python in a process of its own, where warnings are errors too."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


def check_pictures(folder):
    assert sorted(file.name for file in folder.iterdir()) == sorted(PICTURES)
    for name, size in PICTURES.items():
        with Image.open(folder / name) as picture:
            assert picture.size == size
            assert np.asarray(picture.convert("L")).std() > 10


@pytest.fixture
def cluster():
    """A cluster that is there, with a TCP address."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster


def test_demo_prints_everything_and_writes_both_pictures(tmp_path, capsys):
    assert main([*SMALL, "--out", str(tmp_path / "new" / "folder")]) == 0
    check_pictures(tmp_path / "new" / "folder")
    out, err = capsys.readouterr()
    assert err == ""
    for expected in (
        "http://127.0.0.1:",
        f"daskphys {__version__}",
        "2 (threads of this process)",
        "grace_hopper, 1×3×75×64 float32",
        "A    mean 0, max 0, of 3 × (1×3×75×64)",
        "Aᵀ   mean 0, max 0, of 1×3×75×64",
        "AᵀA  mean 0, max 0, of 1×3×75×64",
        "by the tree instead of merged",
        "‖A‖     1.732051",
        "on worker 0  sensors 0, 1",
        "on worker 1  sensors 2",
        "Median of 5 calls",
        "A_adjoint_A by the tree",
        "Distributed and plain results are equal.",
    ):
        assert expected in out


def test_quiet_prints_nothing(tmp_path, capsys):
    assert main([*SMALL, "--quiet", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", "")
    check_pictures(tmp_path)


def test_an_image_file_and_three_workers(tmp_path, capsys):
    picture = tmp_path / "mine.png"
    Image.fromarray(np.arange(60 * 80, dtype=np.uint8).reshape(60, 80)).save(picture)
    out = tmp_path / "out"
    assert (
        main(["demo", "--image", str(picture), "--img-size", "60", "--workers", "3", "--out", str(out)]) == 0
    )
    check_pictures(out)
    printed = capsys.readouterr().out
    assert "1×3×60×80" in printed
    assert "on worker 2  sensors 2" in printed


@pytest.mark.slow
def test_a_black_image_has_no_relative_difference(tmp_path, capsys):
    picture = tmp_path / "black.png"
    Image.new("L", (64, 64)).save(picture)
    assert main([*SMALL, "--image", str(picture), "--out", str(tmp_path)]) == 0
    assert "0.0e+00 relative" in capsys.readouterr().out


@pytest.mark.slow
def test_the_module_with_worker_processes(tmp_path):
    done = python("-m", "daskphys", "demo", "--processes", "--out", str(tmp_path / "out"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "(processes, scheduler tcp://127.0.0.1:" in done.stdout
    check_pictures(tmp_path / "out")


@pytest.mark.slow
def test_the_demo_needs_no_optional_package(tmp_path):
    script = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'cupy', 'xarray', 'skimage']));"
        f"from daskphys.cli import main; sys.exit(main({SMALL!r}))"
    )
    done = python("-c", script, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    check_pictures(tmp_path)


@pytest.mark.slow
def test_a_terminal_without_our_signs_gets_question_marks(tmp_path):
    done = python("-m", "daskphys", *SMALL, cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "A?A  mean 0, max 0" in done.stdout


def test_a_cluster_that_is_there_is_used_and_left_alone(cluster, tmp_path, capsys):
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": cluster.scheduler_address}))
    small = ["demo", "--img-size", "64", "--out", str(tmp_path)]
    assert main([*small, "--scheduler", cluster.scheduler_address]) == 0
    assert main([*small, "--scheduler-file", str(file)]) == 0
    assert capsys.readouterr().out.count(f"scheduler {cluster.scheduler_address}") == 2
    assert cluster.status.name == "running"
    assert len(cluster.workers) == 1


def test_a_difference_gives_exit_code_1_and_one_line_each(tmp_path, monkeypatch, capsys):
    def wrong(A, ctx):
        return distribute(stack(A[0], A[1], 1.5 * A[2]), ctx)

    monkeypatch.setattr(demo, "distribute", wrong)
    assert main([*SMALL, "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "are equal" not in out
    lines = err.splitlines()
    assert [line.split(" differs ")[0] for line in lines] == [
        f"daskphys demo: error: {p}" for p in ("A", "Aᵀ", "AᵀA")
    ]


def test_a_tree_that_differs_is_a_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "relative_difference", lambda found, expected: float("nan"))
    assert main([*SMALL, "--quiet", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(
        "daskphys demo: error: AᵀA by the tree differs from the merged one"
    )


@pytest.mark.parametrize(
    ("found", "expected", "largest"),
    [
        (np.float32([1, 2]), np.float32([1, 2]), 0),
        (np.float32([1, 2]), np.float32([1, 4]), 2),
        (np.float32([1, np.nan]), np.float32([1, np.nan]), np.nan),
        (np.float32([1, np.inf]), np.float32([1, np.inf]), np.nan),
        (np.float32([1, 2]), np.float64([1, 2]), np.inf),
        (np.float32([1, 1]), np.float32([[1, 1]]), np.inf),
    ],
)
def test_comparison(found, expected, largest):
    comparison = demo.compare("A", found, expected)
    np.testing.assert_equal(comparison.max, largest)
    assert comparison.equal is (largest == 0)


def test_relative_difference():
    assert demo.relative_difference(np.float32([3, 4]), np.float32([0, 5])) == pytest.approx(10**0.5 / 5)
    assert demo.relative_difference(np.zeros(2), np.zeros(2)) == 0
    assert demo.relative_difference(np.ones(2), np.zeros(2)) == np.inf


def test_an_unknown_image_lists_those_that_exist(tmp_path, capsys):
    assert main([*SMALL, "--quiet", "--image", "grace_hoper", "--out", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("daskphys demo: error: no example and no file is named 'grace_hoper'")
    assert "did you mean 'grace_hopper'?" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image", "text.txt"], "cannot be read as an image"),
        (["--image", "."], "is a folder, not an image"),
        (["--img-size", "4"], "expected an image of at least 9×9"),
        (["--out", "text.txt"], "text.txt"),
        (["--scheduler-file", "none.json"], "the scheduler file none.json does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("not an image")
    assert main(["demo", "--quiet", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("daskphys demo: error: ")
    assert message in line


def test_an_unreachable_scheduler_is_one_line(tmp_path):
    done = python(
        *("-m", "daskphys", "demo", "--scheduler", "tcp://127.0.0.1:1"),
        cwd=tmp_path,
        DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="1s",
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("daskphys demo: error: no scheduler answers at tcp://127.0.0.1:1 within 1 s")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dmeo"],
        ["demo", "--workers", "0"],
        ["demo", "--workers", "two"],
        ["demo", "--img-size", "-1"],
        ["demo", "--processes", "--threads"],
        ["demo", "--scheduler", "tcp://127.0.0.1:1", "--scheduler-file", "scheduler.json"],
        ["demo", "--scheduler", "tcp://127.0.0.1:1", "--workers", "2"],
        ["demo", "--scheduler-file", "scheduler.json", "--threads"],
    ],
)
def test_wrong_usage_gives_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: daskphys")


def test_version_and_help(tmp_path):
    assert python("-m", "daskphys", "--version", cwd=tmp_path).stdout == f"daskphys {__version__}\n"
    assert "demo" in python("-m", "daskphys", "--help", cwd=tmp_path).stdout
    shown = python("-m", "daskphys", "demo", "--help", cwd=tmp_path, PYTHONIOENCODING="ascii").stdout
    for option in (
        "--image",
        "--img-size",
        "--workers",
        "--processes",
        "--threads",
        "--scheduler",
        "--out",
        "--quiet",
    ):
        assert option in shown


def test_an_interrupt_gives_exit_code_130(monkeypatch, capsys):
    def interrupted(options, say, step):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupted)
    level = logging.getLogger("asyncio").level
    try:
        assert main(["demo"]) == 130
    finally:
        logging.getLogger("asyncio").setLevel(level)
    assert capsys.readouterr() == ("", "")


def demo_process(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "daskphys", "demo", "--img-size", "1024"],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def test_ctrl_c_ends_the_demo_without_a_traceback(tmp_path):
    with demo_process(tmp_path) as process:
        process.stdout.readline()  # the cluster is up, and the work goes on
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")


def test_a_reader_that_leaves_ends_the_demo_without_a_traceback(tmp_path):
    with demo_process(tmp_path) as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=60)
    assert (process.returncode, err) == (1, "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_appears_on_a_terminal_when_the_work_takes_long(capsys):
    terminal = Terminal()
    with Progress(4, terminal, delay=0) as progress:
        progress._timer.join()
        progress.step("first")
        progress.step("second")
        progress.say("a paragraph")
    assert capsys.readouterr().out == "a paragraph\n\n"
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert drawn[2:] == [
        f"[{' ' * 20}] first",
        f"[{'#' * 5}{' ' * 15}] second",
        "",
        f"[{'#' * 5}{' ' * 15}] second",
        "",
    ]


@pytest.mark.parametrize(
    ("terminal", "quiet", "delay"),
    [(io.StringIO(), False, 0), (Terminal(), True, 0), (Terminal(), False, 3600)],
    ids=["no terminal", "quiet", "done before it appears"],
)
def test_no_bar(terminal, quiet, delay):
    with Progress(1, terminal, quiet=quiet, delay=delay) as progress:
        progress.step("first")
    assert terminal.getvalue() == ""


def test_the_demo_takes_as_many_steps_as_it_says(tmp_path):
    steps = []
    assert (
        demo.run(demo.Options(img_size=64, workers=1, out=tmp_path), lambda paragraph: None, steps.append)
        == []
    )
    assert len(steps) == demo.STEPS
