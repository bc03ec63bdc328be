"""What the tests of `examples/cluster` share: where the scripts are, and what each of them must have done."""

import importlib.util
import json
import re
from itertools import chain
from pathlib import Path

import pytest
from processes import run

EXAMPLES = Path(__file__).parent.parent / "examples" / "cluster"


def needs(*packages):
    """Skip where one is not installed, without importing it: mpi4py would start MPI in this process."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


def placed(lines):
    """Worker → sensors, of the lines that say so; all sensors must be somewhere."""
    found = dict(line.split(" holds sensors ") for line in lines if " holds sensors " in line)
    return {worker: json.loads(sensors) for worker, sensors in found.items()}


def check_worked(done, workers=2):
    """The script ended well, used all workers, and its pseudo-inverse is one."""
    assert (done.returncode, done.stderr) == (0, "")
    found = placed(done.stdout.splitlines())
    assert sorted(chain(*found.values())) == list(range(12))
    assert len(found) == workers
    assert all(found.values())
    assert float(re.search(r"error of the pseudo-inverse: (\S+)", done.stdout)[1]) < 1e-2
    return found


def certificates(folder, cwd):
    done = run(EXAMPLES / "tls_certificates.py", str(folder), cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return folder
