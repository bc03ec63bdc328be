"""What all tests share: where `cases` is found, how hypothesis runs, and the reference vectors."""

import json
import multiprocessing
import sys
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed.utils import get_mp_context
from hypothesis import settings

# With --import-mode=importlib pytest puts no folder on the path; tests say `from cases import …`.
sys.path.insert(0, str(Path(__file__).parent))

# The same examples in every run, and none refused for being slow on a busy machine.
settings.register_profile("daskphys", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("daskphys")

# Worker processes are forked from one that has imported what they need, which takes each of them two seconds else.
# Scripts and commands that tests run are not told, and start theirs as Dask does.
dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
get_mp_context()  # sets Dask's own list, once
multiprocessing.get_context("forkserver").set_forkserver_preload(["daskphys.distributed"])


class Vector:
    """One case of ``tests/reference``: its arrays by name, and `op`, which says what it is."""

    def __init__(self, name):
        with np.load(Path(__file__).parent / "reference" / f"{name}.npz") as file:
            self.arrays = {key: file[key] for key in file.files}
        self.op = json.loads(str(self.arrays.pop("op")))

    def __getitem__(self, key):
        return self.arrays[key]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def reference():
    """A function from the name of a case to its `Vector`."""
    return Vector
