"""The command line: what it prints, writes and returns."""

import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys

import dask
import numpy as np
import pytest
import zarr
from distributed import LocalCluster
from PIL import Image

import daskphys
from daskphys import __version__, demo
from daskphys.cli import main
from daskphys.cli.progress import Progress
from daskphys.distributed import distribute
from daskphys.physics import Blur, gaussian_blur, stack
from daskphys.storage.single import open_array

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
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "daskphys", "demo", "--img-size", "1024"],
            cwd=folder,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
    finally:
        signal.signal(signal.SIGINT, before)


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


# -- info, plan, apply --------------------------------------------------------------------------------------

BLURS = stack(*[Blur(gaussian_blur(s)) for s in (1.0, 1.1, 1.2)])


@pytest.fixture
def operator(tmp_path):
    BLURS.to_zarr(tmp_path / "A.zarr")
    return str(tmp_path / "A.zarr")


def said(capsys, *arguments):
    """The JSON that a command prints."""
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_info_lists_versions_workers_and_what_is_missing(capsys):
    found = said(capsys, "info", "--workers", "2")
    assert found["versions"]["daskphys"] == __version__
    assert len(found["cluster"]["workers"]) == 2
    assert found["cluster"]["device"] == "cpu"
    assert main(["info", "--workers", "1"]) == 0
    text = capsys.readouterr().out
    assert "allocator" in text
    assert "python -m pip install cupy-cuda13x" in text
    assert "python -m pip install 'dask-cuda[cu13]'" in text


def test_info_shows_what_is_configured_and_where(capsys):
    assert said(capsys, "info", "--workers", "1")["configuration"] == {}
    with dask.config.set({"daskphys.context.n-workers": 2, "daskphys.context.progress": True}):
        found = said(capsys, "info")
        assert len(found["cluster"]["workers"]) == 2
        assert found["configuration"]["context.n-workers"] == {"value": 2, "from": "dask.config.set"}
        assert main(["info", "--workers", "1"]) == 0
        assert "context.progress: True (from dask.config.set)" in capsys.readouterr().out
    with dask.config.set({"daskphys.context.n-worker": 2}):
        assert main(["info"]) == 1
        assert "did you mean 'context.n-workers'?" in capsys.readouterr().err


def test_plan_prints_the_table(operator, capsys):
    found = said(capsys, "plan", operator, "3,64,64", "--workers", "2")
    assert found["shape"] == [3, 64, 64]
    assert found["fits"]
    assert len(found["workers"]) == 2
    assert main(["plan", operator, "3x64x64", "--op", "adjoint", "--workers", "2"]) == 0
    assert "A_adjoint of 3×64×64" in capsys.readouterr().out


def test_apply_there_and_back(operator, tmp_path, capsys):
    x = np.random.default_rng(0).random((48, 40)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    y, back, normal, pinv = (str(tmp_path / name) for name in ("y", "back", "normal", "pinv"))
    common = ("--workers", "2")
    assert said(capsys, "apply", operator, str(tmp_path / "x.npy"), y, *common)["shapes"] == [[48, 40]] * 3
    measured = daskphys.open_measurements(y)
    assert all(np.array_equal(a, b) for a, b in zip(measured, BLURS(x), strict=True))
    assert main(["apply", operator, y, back, "--op", "adjoint", *common]) == 0
    assert main(["apply", operator, str(tmp_path / "x.npy"), normal, "--op", "normal", *common]) == 0
    assert main(["apply", operator, y, pinv, "--op", "pinv", "--dtype", "float64", *common]) == 0
    assert "least squares" in capsys.readouterr().out
    assert np.array_equal(open_array(back).compute(), BLURS.A_adjoint(BLURS(x)))
    assert np.allclose(open_array(normal).compute(), BLURS.A_adjoint_A(x))
    assert np.allclose(open_array(pinv).compute(), x, atol=1e-3)


def test_apply_of_one_operator_needs_no_cluster_and_reads_pictures_and_zarr(tmp_path, capsys):
    A = Blur(gaussian_blur(1.0), "valid")
    A.to_zarr(tmp_path / "A")
    given = [
        "apply",
        str(tmp_path / "A"),
        "grace_hopper",
        str(tmp_path / "y"),
        "--img-size",
        "64",
        "--grayscale",
    ]
    assert main(given) == 0
    expected = A(daskphys.datasets.load_example("grace_hopper", grayscale=True, img_size=64))
    assert np.array_equal(open_array(tmp_path / "y").compute(), expected)
    zarr.save_array(tmp_path / "x", np.ones((32, 32)))
    assert main(["apply", str(tmp_path / "A"), str(tmp_path / "x"), str(tmp_path / "z")]) == 0
    assert open_array(tmp_path / "z").shape == (24, 24)


def test_what_fails_is_one_line_on_stderr_and_leaves_nothing(operator, tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.ones((48, 40), int))
    floats = str(tmp_path / "floats.npy")
    np.save(floats, np.ones((48, 40)))
    there = sorted(path.name for path in tmp_path.iterdir())
    given = ["apply", operator, str(tmp_path / "x.npy"), str(tmp_path / "y"), "--workers", "1"]
    for arguments, part in (
        (given, "give `--dtype float32`"),
        ([*given[:2], floats, *given[3:], "--op", "pinv"], "as `apply --op forward` writes them"),
        ([*given[:2], floats, *given[3:], "--op", "adjoint"], "expected INPUT to be measurements"),
        (["apply", operator, "x.npz", "y"], ".npz is not taken; save the array as .npy"),
        (["apply", str(tmp_path / "B"), "x", "y"], "is not there"),
        (["plan", str(tmp_path / "x.npy"), "3,4"], "holds no operator"),
        (["apply", operator, str(tmp_path / "none.png"), str(tmp_path / "y")], "none.png"),
        (["apply", operator, operator, str(tmp_path / "y")], "array"),
        (["apply", operator, floats, f"{floats}/deeper/y"], f"{floats}' is a file, not a folder"),
        (["apply", operator, floats, operator, "--overwrite"], "A.zarr is OPERATOR"),
    ):
        assert main(arguments) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"daskphys {arguments[0]}: error: ")
        assert err.count("\n") == 1
        assert part in err
    with pytest.raises(daskphys.errors.StoreNotFoundError):
        main(["apply", str(tmp_path / "B"), "x", "y", "--debug"])
    for usage, part in (
        (["plan", operator, "3,a"], "expected a shape"),
        (["plan", operator, "3,4", "--dtype", "flaot32"], "did you mean 'float32'?"),
        ([*given, "--dtype", "flaot32"], "did you mean 'float32'?"),
        (["apply", operator, floats, str(tmp_path / "y.npy")], "OUTPUT is a Zarr store, as in y.zarr"),
        ([*given, "--overwite"], "unrecognized arguments: --overwite: did you mean '--overwrite'?"),
        ([*given, "more"], "unrecognized arguments: more\n"),
    ):
        with pytest.raises(SystemExit) as wrong:
            main(usage)
        assert wrong.value.code == 2
        assert part in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == there


def test_apply_says_overwrite_in_its_own_words_and_reads_stores_and_zips_of_any_name(
    operator, tmp_path, capsys
):
    np.save(tmp_path / "x.npy", np.ones((48, 40), "float32"))
    y, back, other = (str(tmp_path / name) for name in ("y.zarr", "back.zarr", "other"))
    given = ["apply", operator, str(tmp_path / "x.npy"), y, "--quiet", "--workers", "1"]
    assert main(given) == 0
    assert main(given) == 1
    assert "y.zarr is there already; give --overwrite, or" in capsys.readouterr().err
    assert main([given[0], "missing.zarr", *given[2:]]) == 1  # said before anything is read
    assert "y.zarr is there already" in capsys.readouterr().err
    assert main([*given, "--overwrite"]) == 0
    os.mkdir(other)
    np.save(os.path.join(other, "mine.npy"), np.ones(3))
    assert main([*given[:3], other, *given[4:], "--overwrite"]) == 1
    assert "so --overwrite does not replace it" in capsys.readouterr().err
    assert main([*given, "--op", "normal", "--overwrite"]) == 0  # an image in place of measurements
    assert main([*given, "--overwrite"]) == 0
    assert main(["apply", operator, y, back, "--quiet"]) == 1
    assert "got measurements of 3 sensors: --op adjoint" in capsys.readouterr().err
    shutil.copytree(operator, tmp_path / "B")
    assert main([*given[:3], str(tmp_path / "B"), *given[4:], "--overwrite"]) == 1
    assert "its kind is 'operator', not 'measurements', so --overwrite does" in capsys.readouterr().err
    shutil.copytree(y, tmp_path / "y.npy")
    for store in (str(tmp_path / "y.npy"), shutil.make_archive(y, "zip", y)):
        assert main(["apply", operator, store, back, "--op", "adjoint", *given[4:], "--overwrite"]) == 0
    packed = shutil.make_archive(str(tmp_path / "A"), "zip", operator)
    assert main(["apply", packed, *given[2:], "--overwrite"]) == 0


def test_apply_writes_into_neither_its_operator_nor_its_input(operator, tmp_path, capsys):
    image = str(tmp_path / "x.npy")
    np.save(image, np.ones((48, 40), "float32"))
    x = str(tmp_path / "x.zarr")
    assert main(["apply", operator, image, x, "--op", "normal", "--quiet", "--workers", "1"]) == 0
    for arguments, said in (
        ([operator, image, f"{operator}/y.zarr"], "lies in OPERATOR"),
        ([operator, f"{x}/arrays/0", x, "--overwrite"], "holds INPUT"),
        ([operator, x, f"{x}/arrays/9"], "lies in INPUT"),
    ):
        assert main(["apply", *arguments]) == 1
        assert said in capsys.readouterr().err
    assert open_array(x).shape == (48, 40)


def test_apply_ignores_no_option(operator, tmp_path, capsys):
    image, complex_image = str(tmp_path / "x.npy"), str(tmp_path / "z.npy")
    np.save(image, np.ones((48, 40), "float32"))
    np.save(complex_image, np.ones((48, 40), "complex64"))
    given = ["apply", operator, image, str(tmp_path / "y")]
    for options, said in (
        (["--max-iter", "3"], "--max-iter is for --op pinv, not for --op forward"),
        (["--seed", "3", "--op", "normal"], "--seed is for --op forward, not for --op normal"),
        (["--over"], "unrecognized arguments: --over: did you mean '--overwrite'?"),
        (["--workers", "1", "--scheduler", "tcp://127.0.0.1:1"], "not for one that is there"),
    ):
        with pytest.raises(SystemExit) as wrong:
            main([*given, *options])
        assert wrong.value.code == 2
        assert said in capsys.readouterr().err
    for url in ("s3://bucket/y", "file:///data/y", ""):
        with pytest.raises(SystemExit):
            main([*given[:3], url])
        assert "OUTPUT is the path of a folder" in capsys.readouterr().err
    (tmp_path / "empty.npy").touch()
    np.save(tmp_path / "words.npy", np.array(["one", "two"]))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    np.savez(tmp_path / "many.npz", a=np.ones(3), b=np.ones(3))
    (tmp_path / "many.npz").rename(tmp_path / "many.NPY")
    for arguments, said in (
        ([operator, image, given[3], "--img-size", "64"], "--img-size are for pictures"),
        ([operator, image, given[3], "--grayscale"], "x.npy is none"),
        ([operator, complex_image, given[3], "--dtype", "float32"], "would drop its imaginary part"),
        ([operator, "memory://x", given[3]], "INPUT is the path"),
        ([operator, str(tmp_path / "words.npy"), given[3], "--dtype", "float32"], "INPUT holds <U3"),
        ([operator, image, str(tmp_path / "loop" / "y")], "loop"),
        ([operator, str(tmp_path / "empty.npy"), given[3]], "is no .npy file"),
        ([operator, str(tmp_path / "many.NPY"), given[3]], "holds several arrays"),
    ):
        assert main(["apply", *arguments]) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "y").exists()
    assert (
        main([*given[:2], complex_image, given[3], "--dtype", "complex128", "--quiet", "--workers", "1"]) == 0
    )
    assert daskphys.open_measurements(given[3])[0].dtype == "complex128"


def test_a_pseudo_inverse_that_iterates_takes_what_apply_wrote(tmp_path, capsys):
    A = stack(*[Blur(gaussian_blur(s), "valid") for s in (0.5, 0.8)])
    A.to_zarr(tmp_path / "A")
    image = np.random.default_rng(0).random((24, 20))
    np.save(tmp_path / "x.npy", image)
    operator, y, x = (str(tmp_path / name) for name in ("A", "y", "x"))
    given = ["--quiet", "--workers", "1"]
    assert main(["apply", operator, str(tmp_path / "x.npy"), y, *given]) == 0
    with pytest.warns(daskphys.errors.ConvergenceWarning):
        assert main(["apply", operator, y, x, "--op", "pinv", "--max-iter", "5", *given]) == 0
    with pytest.warns(daskphys.errors.ConvergenceWarning):
        expected = A.A_dagger(A(image), max_iter=5)
    assert np.allclose(open_array(x), expected)


def test_plan_of_an_operator_without_sensors(tmp_path, capsys):
    Blur(gaussian_blur(1.0)).to_zarr(tmp_path / "B")
    assert main(["plan", str(tmp_path / "B"), "3,64,48"]) == 1
    assert "expected OPERATOR to have sensors" in capsys.readouterr().err


def test_apply_replaces_neither_its_operator_nor_its_input(operator, tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.ones((48, 40), "float32"))
    y = str(tmp_path / "y.zarr")
    given = ["--quiet", "--workers", "1", "--overwrite"]
    assert main(["apply", operator, str(tmp_path / "x.npy"), y, *given]) == 0
    again = os.path.join(os.path.dirname(operator), ".", os.path.basename(operator))  # by another name
    assert main(["apply", operator, str(tmp_path / "x.npy"), again, *given]) == 1
    assert "A.zarr is OPERATOR" in capsys.readouterr().err
    assert main(["apply", operator, y, y, "--op", "adjoint", *given]) == 1
    assert "is INPUT" in capsys.readouterr().err
    assert main(["apply", operator, y, str(tmp_path / "back.zarr"), "--op", "adjoint", *given]) == 0


def test_a_demo_that_fails_makes_no_folder(tmp_path):
    picture = tmp_path / "cut.jpg"
    Image.fromarray(np.arange(60 * 80, dtype=np.uint8).reshape(60, 80)).save(picture)
    picture.write_bytes(picture.read_bytes()[:300])
    assert main(["demo", "--quiet", "--image", str(picture), "--out", str(tmp_path / "out")]) == 1
    assert main(["demo", "--quiet", "--img-size", "4", "--out", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()
