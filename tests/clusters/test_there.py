"""Clusters that are there: a scheduler's file or address, and GPUs of this machine."""

import os
import re
from itertools import chain

import pytest
from cluster_scripts import EXAMPLES, check_worked, placed
from distributed import Client
from processes import cluster, run

#: As docs/howto/clusters.md has it.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "1073741824", "MALLOC_MMAP_THRESHOLD_": "1073741824"}


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A scheduler and two workers, each a process that a user could have started; gives its file and address."""
    with cluster(tmp_path_factory.mktemp("cluster"), env=ALLOCATOR) as (file, address, _):
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
        yield file, address


@pytest.mark.slow
@pytest.mark.parametrize("way", ["--scheduler-file", "--address"])
def test_scheduler_file(there, way, tmp_path):
    file, address = there
    done = run(
        *(EXAMPLES / "scheduler_file.py", way, str(file) if way == "--scheduler-file" else address),
        *("--img-size", "128", "--sensors", "5"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2 workers on cpu, dashboard at http://127.0.0.1:")
    found = placed(lines)
    assert sorted(found) == ["first", "second"]
    assert sorted(chain(*found.values())) == [0, 1, 2, 3, 4]
    assert [line.split(maxsplit=1) for line in lines[3:6]] == [
        [p, "equal to plain"] for p in ("A", "Aᵀ", "AᵀA")
    ]
    assert "A_adjoint_A by the tree" in done.stdout


@pytest.mark.slow
def test_what_the_environment_of_workers_says_is_kept(there):
    """A nanny writes settings of its own into its worker's environment, but not over ours."""
    _, address = there
    with Client(address, set_as_default=False) as client:
        found = client.run(lambda: dict(os.environ)).values()
    assert len(found) == 2
    for environment in found:
        assert {name: environment[name] for name in ALLOCATOR} == ALLOCATOR
        assert environment["OMP_NUM_THREADS"] == os.environ.get("OMP_NUM_THREADS", "1")


@pytest.mark.slow
def test_the_command_line_on_the_same_cluster(there, tmp_path):
    file, address = there
    done = run("-m", "daskphys", "demo", "--img-size", "128", "--scheduler-file", str(file), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"2 (processes, scheduler {address})" in done.stdout
    with Client(address, set_as_default=False) as client:
        assert len(client.scheduler_info()["workers"]) == 2


def test_scheduler_file_wants_a_cluster(tmp_path):
    done = run(EXAMPLES / "scheduler_file.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "one of the arguments --scheduler-file --address is required" in done.stderr


@pytest.mark.slow
def test_gpus_or_why_not(tmp_path):
    """One of three machines: with a GPU, without one, without dask-cuda."""
    done = run(EXAMPLES / "gpus.py", cwd=tmp_path)
    if done.returncode == 0:
        assert "workers on cuda" in done.stdout
        return
    assert (done.returncode, done.stdout) == (1, "")
    reason = done.stderr.strip().removeprefix("gpus.py: ")
    assert re.match(r"cluster='cuda' needs (dask-cuda and CuPy: pip install|a GPU with its driver)", reason)

    done = run(EXAMPLES / "gpus.py", "--fall-back", cwd=tmp_path)
    assert done.stdout.splitlines()[0] == f"on the CPU, since {reason}"
    workers = int(re.search(r"(\d+) workers on cpu", done.stdout)[1])
    check_worked(done, workers=min(workers, 12))


def test_each_script_says_how_to_run_it():
    listed = (EXAMPLES.parent / "README.md").read_text("utf-8")
    scripts = sorted(EXAMPLES.glob("*.py"))
    assert len(scripts) == 6
    for script in scripts:
        assert f"`cluster/{script.name}`" in listed
        heading, _, body = script.read_text("utf-8").partition('"""\n\nimport')
        assert body, script
        assert re.search(rf"^    .*\b{script.name}\b", heading, re.MULTILINE), (
            f"{script.name} shows no command"
        )
