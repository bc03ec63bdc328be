"""The example scripts, each run as a user runs it: in a process of its own, from another folder."""

import difflib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import run

EXAMPLES = Path(__file__).parent.parent / "examples"
PICTURES = {"distributed_physics_forward.png": (1500, 400), "distributed_physics_adjoint.png": (1200, 400)}


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


@pytest.mark.slow
def test_unrolled(tmp_path):
    pytest.importorskip("torch")
    done = run(EXAMPLES / "unrolled.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *steps, last = done.stdout.splitlines()
    losses = [float(line.split()[-1]) for line in steps]
    assert len(losses) == 5
    assert losses[-1] < 0.95 * losses[0]
    assert float(last.split()[-1]) < 1e-6


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
