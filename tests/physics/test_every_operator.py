"""Every law on every operator of the one list, and the list has every operator of the package."""

import importlib
import inspect
import pkgutil

import pytest
from cases import BEHIND_METHODS, CASES, OF_DEEPINV, ON_A_CLUSTER

import daskphys
from daskphys.physics import Physics
from daskphys.testing import check_physics


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_laws(case):
    check_physics(case.operator, case.shapes, dtypes=case.dtypes, portable=case.portable)


def test_the_list_has_every_operator():
    for module in pkgutil.walk_packages(daskphys.__path__, "daskphys."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    concrete = {
        cls.__name__
        for cls in subclasses(Physics)
        if cls.__module__.startswith("daskphys.") and not inspect.isabstract(cls)
    }
    covered = {type(case.operator).__name__ for case in CASES} | {*ON_A_CLUSTER, *BEHIND_METHODS, *OF_DEEPINV}
    assert concrete - covered == set(), "operators that are not in tests/cases.py"
    assert covered - concrete == set(), "names in tests/cases.py that are no operators any more"


def subclasses(cls):
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)
