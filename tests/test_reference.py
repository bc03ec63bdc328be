"""The reference: every public name has a page, and a docstring with the sections that its readers look for."""

import functools
import importlib
import inspect
import pkgutil
import runpy
from pathlib import Path

import pytest
from numpydoc.validate import validate

import daskphys

#: The names that the tables of docs/reference/ list, as the site reads them.
LISTED = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "_ext" / "names.py"))["listed"]()

#: Modules whose `__all__` is for the rooms of this package, not for its users.  The reference lists what else they offer.
INTERNAL = {"daskphys.backend", "daskphys.plotting.images"}

#: What numpydoc's validator is asked: a docstring and its summary; each parameter by its name, with a type and a
#: description; what is returned or yielded, with a description; an example.
CHECKS = {"GL08", "SS01", "SS03", "SS04", "SS06", "RT01", "RT03", "YD01", "EX01"} | {
    f"PR{n:02}" for n in (1, 2, 3, 4, 5, 6, 7, 10)
}

#: Methods that are no users' but the algebra's.
HOOKS = {"apply_core", "of"}

#: What holds what was read refuses nothing.
RECORDS = {"daskphys.interop.ismrmrd.Scan"}

#: Every operator has it, and its base class says what it is.
SHARED = "Parameters {'noise_model'} not documented"


def public():
    """Full name of each name that a public module exports, where it is first exported."""
    found = {}
    modules = ["daskphys", *(m.name for m in pkgutil.walk_packages(daskphys.__path__, "daskphys."))]
    for module in sorted(modules, key=lambda name: (name.count("."), name)):
        if module in INTERNAL or module.endswith("__main__"):
            continue
        loaded = importlib.import_module(module)
        for name in getattr(loaded, "__all__", ()):
            value = getattr(loaded, name)
            if not inspect.ismodule(value) and not name.startswith("__"):
                found.setdefault((name, id(value)), f"{module}.{name}")
    return sorted(found.values())


def test_every_public_name_is_in_the_reference():
    assert len(set(LISTED)) == len(LISTED)
    assert not set(public()) - set(LISTED), "add these to a table of docs/reference/"


@pytest.mark.parametrize("module", sorted({name.rpartition(".")[0] for name in LISTED}))
def test_the_reference_lists_only_what_is_there(module):
    loaded = importlib.import_module(module)
    missing = [
        n for n in LISTED if n.rpartition(".")[0] == module and not hasattr(loaded, n.rpartition(".")[2])
    ]
    assert not missing


def found(name):
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


CALLABLES = {name: found(name) for name in LISTED if callable(found(name))}
EXCEPTIONS = {
    name for name, it in CALLABLES.items() if isinstance(it, type) and issubclass(it, BaseException)
}
CLASSES = {name: it for name, it in CALLABLES.items() if isinstance(it, type)}


def complaints(name, checks):
    """What the validator says of a docstring, of what it is asked."""
    said = [(code, text) for code, text in validate(name)["errors"] if code in checks and text != SHARED]
    return [f"{name}: {code} {text}" for code, text in said]


def test_every_public_name_has_the_sections_of_a_reference():
    wrong = []
    for name, it in CALLABLES.items():
        wrong += complaints(name, CHECKS - {"EX01", "PR01"} if name in EXCEPTIONS else CHECKS)
        takes = name not in EXCEPTIONS | RECORDS and inspect.signature(it).parameters
        if takes and "Raises\n" not in inspect.getdoc(it):
            wrong.append(f"{name}: no section Raises")
    assert not wrong, "\n".join(wrong)


def members(cls):
    """The public methods and properties that a class or a base of it in this package defines itself."""
    for base in cls.__mro__:
        if not base.__module__.startswith("daskphys."):
            continue
        for name, member in vars(base).items():
            member = inspect.unwrap(getattr(member, "__func__", member))
            if "<locals>" in getattr(member, "__qualname__", ""):
                continue  # what a sensor that is not linear says instead
            if not name.startswith("_") and (
                inspect.isroutine(member) or isinstance(member, property | functools.cached_property)
            ):
                yield base, name, member


def test_every_public_member_says_what_it_is():
    """A method or property says so itself, or implements one that does, or an attribute, which has a comment."""
    silent = set()
    for cls in CLASSES.values():
        own = list(members(cls))
        said = {name for _, name, member in own if member.__doc__}
        said |= {n for base in cls.__mro__ for n, it in vars(base).items() if isinstance(it, int | None)}
        said |= {n for base in cls.__mro__ for n in inspect.get_annotations(base)}
        silent |= {name for _, name, _ in own} - said
    assert not silent


@pytest.mark.parametrize(
    "name",
    [
        "physics.LinearPhysics",
        "physics.Physics",
        "physics.Measurements",
        "distributed.DistributedContext",
        "distributed.DistributedPhysics",
    ],
)
def test_methods_that_users_call_name_their_parameters_and_what_they_return(name):
    cls = CLASSES[f"daskphys.{name}"]
    wrong = []
    for base, method, member in members(cls):
        documented = base.__module__.rpartition(".")[2] not in {"hooks", "forward"} or method == "with_noise"
        if inspect.isroutine(member) and member.__doc__ and documented and method not in HOOKS:
            wrong += complaints(f"{base.__module__}.{base.__qualname__}.{method}", CHECKS - {"EX01"})
    assert not wrong, "\n".join(sorted(set(wrong)))
