"""The example scripts, each run as a user runs it: in a process of its own, from another folder."""

import contextlib
import difflib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from distributed import Client
from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"
PICTURES = {"distributed_physics_forward.png": (1500, 400), "distributed_physics_adjoint.png": (1200, 400)}
ENVIRONMENT = {**os.environ, "PYTHONIOENCODING": "utf-8"}


def run(script, *arguments, cwd):
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), *arguments],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def test_quickstart(tmp_path):
    done = run(EXAMPLES / "quickstart.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "x is (1, 3, 600, 512) float32" in done.stdout
    assert "<Measurements of 3 sensors: 1×3×600×512" in done.stdout
    assert [line.split()[-1] for line in done.stdout.splitlines()[-3:]] == ["True"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_demo(library, tmp_path):
    pytest.importorskip(library)
    done = run(EXAMPLES / f"demo_{library}.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "image (1, 3, 600, 512), 3 sensors: Blur, Blur, Blur" in done.stdout
    assert done.stdout.count("distributed minus plain: mean 0, max 0\n") == 3
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(PICTURES)
    for name, size in PICTURES.items():
        with Image.open(tmp_path / name) as picture:
            assert picture.size == size
            assert np.asarray(picture.convert("L")).std() > 10


def test_the_two_demos_differ_in_the_library_alone():
    texts = [
        (EXAMPLES / f"demo_{library}.py").read_text("utf-8").splitlines() for library in ("numpy", "torch")
    ]
    changed = [line for line in difflib.ndiff(*texts) if line[0] in "-+"]
    assert changed == [
        "- import numpy as torch",
        "+ import torch",
        '-         xp="numpy",',
        '+         xp="torch",',
    ]


# -- a cluster that is there --------------------------------------------------------------------------------


@contextlib.contextmanager
def dask(*arguments, cwd):
    """`dask` with these arguments, running until the block ends."""
    command = [
        sys.executable,
        "-m",
        "dask",
        *arguments,
        "--host",
        "127.0.0.1",
        "--dashboard-address",
        "127.0.0.1:0",
    ]
    with open(cwd / f"{arguments[0]}.log", "a") as log:
        process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def written(file, process):
    """Wait until the scheduler has written its file whole; returns its address."""
    for _ in range(600):
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return json.loads(file.read_text())["address"]
        assert process.poll() is None, "the scheduler ended early"
        time.sleep(0.1)
    raise AssertionError("the scheduler wrote no file")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, each a process that a user could have started; gives its file and address."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    place = ["--scheduler-file", str(file)]
    worker = ["worker", *place, "--nthreads", "1", "--local-directory", str(folder)]
    with dask("scheduler", *place, "--port", "0", cwd=folder) as scheduler:
        address = written(file, scheduler)
        with (
            dask(*worker, "--name", "first", cwd=folder),
            dask(*worker, "--name", "second", cwd=folder),
            Client(address, set_as_default=False) as client,
        ):
            client.wait_for_workers(2, timeout=60)
            yield file, address


@pytest.mark.slow
@pytest.mark.parametrize("way", ["--scheduler-file", "--address"])
def test_cluster_script(cluster, way, tmp_path):
    file, address = cluster
    done = run(
        *(EXAMPLES / "cluster_script.py", way, str(file) if way == "--scheduler-file" else address),
        *("--img-size", "128", "--sensors", "5"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2 workers on cpu, dashboard at http://127.0.0.1:")
    placed = dict(line.split(" holds sensors ") for line in lines[1:3])
    assert sorted(placed) == ["first", "second"]
    assert sorted(sensor for held in placed.values() for sensor in json.loads(held)) == [0, 1, 2, 3, 4]
    assert [line.split(maxsplit=1) for line in lines[3:6]] == [
        [p, "equal to plain"] for p in ("A", "Aᵀ", "AᵀA")
    ]
    assert "A_adjoint_A by the tree" in done.stdout


@pytest.mark.slow
def test_the_command_line_on_the_same_cluster(cluster, tmp_path):
    file, address = cluster
    done = run("-m", "daskphys", "demo", "--img-size", "128", "--scheduler-file", str(file), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"2 (processes, scheduler {address})" in done.stdout
    with Client(address, set_as_default=False) as client:
        assert len(client.scheduler_info()["workers"]) == 2


def test_cluster_script_wants_a_cluster(tmp_path):
    done = run(EXAMPLES / "cluster_script.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "one of the arguments --scheduler-file --address is required" in done.stderr


# -- scripts without a guard ---------------------------------------------------------------------------------

UNGUARDED = """
from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, gaussian_blur, stack

with DistributedContext({arguments}) as ctx:
    A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
    x = load_example("grace_hopper", img_size=64)
    print(ctx.world_size, (distribute(A, ctx).A_adjoint_A(x, method="tree")).shape)
"""


def test_threads_need_no_guard(tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED.format(arguments=""))
    done = run(tmp_path / "script.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("(1, 3, 75, 64)\n")


def test_processes_without_a_guard_are_refused_with_what_to_write(tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED.format(arguments="processes=True"))
    done = run(tmp_path / "script.py", cwd=tmp_path)  # which would time out if it hung
    assert done.returncode == 1
    assert done.stdout == ""
    assert "daskphys.errors.MainGuardError: worker processes import" in done.stderr
    assert 'if __name__ == "__main__":' in done.stderr
    assert "or use threads" in done.stderr


@pytest.mark.slow
def test_processes_under_a_guard(tmp_path):
    body = UNGUARDED.format(arguments="processes=True, n_workers=2").replace("\n", "\n    ")
    (tmp_path / "script.py").write_text(f'if __name__ == "__main__":\n    {body}\n')
    done = run(tmp_path / "script.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "2 (1, 3, 75, 64)\n"


def test_the_list_of_examples_is_whole():
    listed = (EXAMPLES / "README.md").read_text("utf-8")
    assert [f.name for f in EXAMPLES.glob("*.py") if f"`{f.name}`" not in listed] == []


SLOW = ("fluorescence", "generic", "phase_retrieval", "radio", "tomography")


@pytest.mark.parametrize(
    "family",
    [
        "convolution",
        "fluorescence",
        "generic",
        "mri",
        "multi_sensor",
        "noise",
        "noncartesian",
        "phase_retrieval",
        "radio",
        "tomography",
    ],
)
def test_operators(family, tmp_path):
    done = run(EXAMPLES / f"{family}.py", "--output", "out.png", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "distributed and plain results are equal" in done.stdout
    if family in SLOW:
        assert len(done.stdout.splitlines()) >= 5  # a line at each step
    with (
        Image.open(tmp_path / "out.png") as picture,
        Image.open(EXAMPLES.parent / f"docs/images/operators-{family}.png") as shown,
    ):
        assert picture.size == shown.size
