"""The oldest versions that are tried are the oldest that are promised."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

#: Extras for who works on the package, and for GPUs, which no test here has.
NOT_TRIED = {"docs", "notebooks", "test", "cuda12", "cuda13"}


def pins():
    lines = [line for line in (ROOT / ".ci" / "oldest.txt").read_text("utf-8").splitlines() if line]
    found = [line.split("==") for line in lines if not line.startswith("#")]
    assert len({name for name, _ in found}) == len(found)
    return {name: Version(number) for name, number in found}


def bounds(requirements):
    """Name and lower bound of each requirement."""
    for requirement in map(Requirement, requirements):
        lower = [Version(s.version) for s in requirement.specifier if s.operator == ">="]
        yield requirement.name, lower[0] if lower else None


def test_each_pin_is_the_bound_wherever_it_is_named():
    extras = PROJECT["optional-dependencies"].values()
    every = [*bounds(PROJECT["dependencies"]), *(b for extra in extras for b in bounds(extra))]
    pinned = pins()
    assert pinned.keys() <= {name for name, _ in every}
    differ = {
        name: (str(lower), str(pinned[name])) for name, lower in every if pinned.get(name, lower) != lower
    }
    assert not differ, "pyproject.toml and .ci/oldest.txt"


def test_all_that_users_install_is_tried():
    tried = PROJECT["optional-dependencies"].keys() - NOT_TRIED
    asked = [
        *PROJECT["dependencies"],
        *(r for extra in tried for r in PROJECT["optional-dependencies"][extra]),
    ]
    assert {name for name, _ in bounds(asked)} <= pins().keys()
    script = (ROOT / ".ci" / "oldest").read_text("utf-8")
    assert set(re.search(r"^EXTRAS=(\S+)", script, re.MULTILINE)[1].split(",")) == tried - {"torch"}


def test_the_oldest_python_is_the_one_that_is_tried():
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert f"python=python{oldest}\n" in (ROOT / ".ci" / "oldest").read_text("utf-8")
