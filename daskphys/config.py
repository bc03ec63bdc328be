"""Defaults of arguments that a user sets once: what Dask's configuration has under ``daskphys``.

``daskphys.yaml`` lists them.  A default here is that of a documented argument which changes where work runs or what is
shown, never a number of a result.  Nothing is copied into the user's folders: a copy would keep yesterday's defaults.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import dask

from daskphys.errors import ParameterError, describe, nearest

NAME = "daskphys"


class Kind(NamedTuple):
    """What a key may be: in words, and as a test."""

    expected: str
    fits: Callable[[Any], bool]


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_TEXT = Kind("text", lambda value: isinstance(value, str) and bool(value.strip()))
_COUNT = Kind("a positive integer", _count)
_SWITCH = Kind("true or false", lambda value: isinstance(value, bool))

KEYS: dict[str, Kind] = {
    "context.address": _TEXT,
    "context.scheduler-file": _TEXT,
    "context.n-workers": _COUNT,
    "context.processes": _SWITCH,
    "context.device": Kind(
        "'auto', 'cpu' or 'cuda'", lambda value: isinstance(value, str) and value in ("auto", "cpu", "cuda")
    ),
    "context.progress": _SWITCH,
    "distribute.chunks": Kind(
        "'auto' or a positive integer",
        lambda value: value == "auto" if isinstance(value, str) else _count(value),
    ),
    "distribute.replicas": _COUNT,
}
_SECTIONS = {key.partition(".")[0] for key in KEYS}
_TREES = {"", *_SECTIONS}


def _flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each key below `path` with its value; Dask takes ``n_workers`` for ``n-workers``, and so do we.

    A section is among them only where it is no section, but a value.
    """
    if path in _TREES and isinstance(tree, Mapping):
        for name, below in tree.items():
            yield from _flat(below, f"{path}.{name}".strip(".").replace("_", "-"))
    elif path not in _TREES or tree is not None:  # an empty section of a file is none
        yield path, tree


(_FILE,) = dask.config.collect_yaml([str(Path(__file__).with_name("daskphys.yaml"))])
DEFAULTS: dict[str, Any] = dict(_flat(_FILE[NAME]))
#: Values that stand where a section should: Dask puts defaults over them, after which they cannot be seen any more.
_HIDDEN: list[tuple[str, Any]] = [
    (key, value)
    for tree in (*dask.config.collect_yaml(dask.config.paths), dask.config.collect_env())
    for key, value in _flat(tree.get(NAME))
    if key in _TREES
]
dask.config.update_defaults(_FILE)


def configured() -> dict[str, Any]:
    """Every key with the value that holds now.

    Raises
    ------
    ParameterError
        There is a key that is none of ours, or a value that its key cannot have; the message says where it is from.
    """
    found = dict(DEFAULTS)
    for key, value in (*_HIDDEN, *_flat(dask.config.get(NAME, None))):
        if key in _TREES:
            where = f"{NAME}.{key}".strip(".")
            known = ", ".join(sorted(_SECTIONS) if not key else (k for k in KEYS if k.startswith(f"{key}.")))
            raise ParameterError(
                f"{where} in Dask's configuration expected keys below it ({known}), got {value!r}, from "
                f"{origin(key, value)}: mend it there"
            )
        if key not in KEYS:
            known_keys = KEYS if "." in key else {*KEYS, *_SECTIONS}
            raise ParameterError(
                f"Dask's configuration has {NAME}.{key}, from {origin(key, value)}, which daskphys does not know: "
                f"{nearest(key, known_keys)}"
            )
        if value is None:
            continue
        if not KEYS[key].fits(value):
            got = repr(value) if isinstance(value, str | int | float) else describe(value)
            raise ParameterError(
                f"{NAME}.{key} in Dask's configuration expected {KEYS[key].expected}, got {got}, from "
                f"{origin(key, value)}: mend it there"
            )
        found[key] = value
    return found


def default(key: str, given: Any) -> Any:
    """An argument: `given`, or where that is None what is configured."""
    found = configured()[key]  # asked for in any case, so that a mistake shows at the first call
    return found if given is None else given


def changed() -> dict[str, tuple[Any, str]]:
    """The keys whose values differ from the package's, each with its value and where that is from."""
    return {key: (value, origin(key, value)) for key, value in configured().items() if value != DEFAULTS[key]}


def origin(key: str, value: Any) -> str:
    """Where a configured value is from, in words: the nearest of what Dask reads that has it."""
    full = f"{NAME}.{key}".strip(".")
    for name, text in os.environ.items():
        named = name.removeprefix("DASK_").lower().replace("__", ".").replace("_", "-")
        ours = name.startswith("DASK_") and named == full
        if ours and dask.config.interpret_value(text) == value:
            return f"the environment's {name}"
    for path, tree in reversed(list(dask.config.collect_yaml(dask.config.paths, return_paths=True))):
        if dask.config.get(full, None, config=tree) == value:
            return str(path)
    return "dask.config.set"
