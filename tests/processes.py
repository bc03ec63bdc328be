"""Schedulers, workers and scripts as processes of their own, as a user starts them."""

import contextlib
import json
import os
import subprocess
import sys
import time

ENVIRONMENT = {**os.environ, "PYTHONIOENCODING": "utf-8"}


def run(script, *arguments, cwd, env=None, timeout=240):
    """A script until it ends; any warning in it is an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), *arguments],
        cwd=cwd,
        env={**ENVIRONMENT, **(env or {})},
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
    )


@contextlib.contextmanager
def dask(*arguments, cwd, env=None):
    """`dask` with these arguments, running until the block ends; what it says is in a file of `cwd`."""
    place = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
    with open(cwd / f"{arguments[0]}.log", "a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, *place],
            cwd=cwd,
            env={**ENVIRONMENT, **(env or {})},
            stdout=log,
            stderr=log,
        )
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


@contextlib.contextmanager
def cluster(folder, *, names=("first", "second"), env=None, options=()):
    """A scheduler and a worker of each name; gives the scheduler's file and address, and the workers' processes."""
    file = folder / "scheduler.json"
    place = ["--scheduler-file", str(file)]
    worker = ["worker", *place, "--nthreads", "1", "--local-directory", str(folder), *options]
    with dask("scheduler", *place, "--port", "0", cwd=folder, env=env) as scheduler:
        address = written(file, scheduler)
        with contextlib.ExitStack() as stack:
            workers = [
                stack.enter_context(dask(*worker, "--name", name, cwd=folder, env=env)) for name in names
            ]
            yield file, address, workers
