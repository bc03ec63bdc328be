"""One operator for all that equal it: what the cluster has once computed for one serves them all."""

from __future__ import annotations

import weakref
from typing import Any

from daskphys.physics.value import Value

_firsts: weakref.WeakValueDictionary[Any, Value] = weakref.WeakValueDictionary()


def first_equal(operator: Value) -> Value:
    """The first operator alive with the content (the tokens) of `operator`: itself, as a rule."""
    kept = operator.__dict__.get("_first")
    first: Value | None = kept() if kept is not None else None
    if first is None:
        first = _firsts.setdefault(operator._content(), operator)
        operator.__dict__["_first"] = weakref.ref(first)
    return first
