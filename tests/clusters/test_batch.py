"""Batch systems: SLURM's job script, and MPI's ranks."""

import contextlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_scripts import EXAMPLES, certificates, check_worked, needs
from processes import ENVIRONMENT, run


def slurm(*arguments, cwd, env=None):
    return run(
        EXAMPLES / "slurm.py",
        *("--queue", "normal", "--account", "physics", "--cores", "2", "--memory", "3 GiB", *arguments),
        cwd=cwd,
        env=env,
    )


@needs("dask_jobqueue")
def test_slurms_job(tmp_path):
    """The script that would be submitted, line by line."""
    done = slurm("--workers", "2", "--print-job", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, *lines = done.stdout.strip().splitlines()
    assert first.startswith("#!")
    asked = dict(
        line.removeprefix("#SBATCH ").replace("=", " ").split() for line in lines if "#SBATCH" in line
    )
    assert asked == {
        "-J": "dask-worker",
        "-p": "normal",
        "-A": "physics",
        "-n": "1",
        "--cpus-per-task": "2",
        "--mem": "3G",
        "-t": "01:00:00",
    }
    exported = {
        word.partition("=")[0]: word.partition("=")[2]
        for line in lines
        if line.startswith("export ")
        for word in line.split()[1:]
    }
    assert exported["MALLOC_TRIM_THRESHOLD_"] == exported["MALLOC_MMAP_THRESHOLD_"] == str(1 << 30)
    assert exported["OMP_NUM_THREADS"] == "1"
    command = shlex.split(lines[-1])
    assert command[0] == sys.executable
    options = dict(zip(command[4::2], command[5::2], strict=False))
    assert options["--nworkers"] == "2"
    assert options["--nthreads"] == "1"
    assert options["--memory-limit"] == "1.50GiB"


@needs("dask_jobqueue", "cryptography")
def test_slurms_workers_are_told_of_an_encrypted_scheduler(tmp_path):
    made = certificates(tmp_path / "made", tmp_path)
    done = slurm("--print-job", cwd=tmp_path, env={"DASK_CONFIG": str(made / "tls.yaml")})
    assert (done.returncode, done.stderr) == (0, "")
    command = shlex.split(done.stdout.strip().splitlines()[-1])
    assert command[3].startswith("tls://")


#: In the place of a queue: a job starts at once, on this machine.  What is submitted is SLURM's job script as it is,
#: copied, as SLURM does: it is removed as soon as it has been submitted.
SBATCH = """#!/bin/sh
cp "$1" "job$$.sh"
setsid bash "job$$.sh" >>jobs.log 2>&1 &
echo $! >>jobs
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill -TERM -- "-$1"
echo "$1" >>cancelled
"""


@pytest.mark.slow
@needs("dask_jobqueue")
def test_slurms_jobs_run(tmp_path):
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(stat.S_IRWXU)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    try:
        done = slurm("--jobs", "2", "--patience", "150", cwd=tmp_path, env={"PATH": path})
        assert len(check_worked(done)) == 2
        assert "2 jobs submitted, dashboard at http://" in done.stdout
        submitted = (tmp_path / "jobs").read_text().split()
        assert len(submitted) == 2
        assert sorted((tmp_path / "cancelled").read_text().split()) == sorted(submitted)
    finally:
        started = tmp_path / "jobs"
        for job in started.read_text().split() if started.exists() else ():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(job), 9)


def mpi(ranks, cwd, env=None):
    beside = Path(sys.executable).parent / "mpiexec"  # where the wheel of an MPI has put it
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("no mpiexec")
    return subprocess.run(
        [mpiexec, "-n", str(ranks), sys.executable, "-W", "error", str(EXAMPLES / "mpi.py")],
        cwd=cwd,
        env={
            **ENVIRONMENT,
            **(env or {}),
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=240,
    )


@pytest.mark.slow
@needs("dask_mpi", "mpi4py")
def test_mpi(tmp_path):
    done = mpi(4, tmp_path)
    assert done.returncode == 0, done.stderr
    done.stderr = ""  # Dask's log, of all ranks
    assert sorted(check_worked(done)) == ["rank 2", "rank 3"]
    assert done.stdout.startswith("2 workers on cpu, dashboard at http://")


@pytest.mark.slow
@needs("dask_mpi", "mpi4py", "cryptography")
def test_mpi_encrypted(tmp_path):
    made = certificates(tmp_path / "made", tmp_path)
    done = mpi(3, tmp_path, {"DASK_CONFIG": str(made / "tls.yaml")})
    assert done.returncode == 0, done.stderr
    assert "Registered to:      tls://" in done.stderr
    done.stderr = ""
    check_worked(done, workers=1)


@pytest.mark.slow
@needs("dask_mpi", "mpi4py")
def test_mpi_wants_three_ranks(tmp_path):
    done = mpi(2, tmp_path)
    assert done.returncode != 0
    assert "found 2, needs at least 3, one each for the scheduler, client and a worker" in done.stderr
    assert "Traceback" not in done.stderr
