"""Benchmarks of families of operators: the cases of each file in `benchmarks/families`."""

from __future__ import annotations

import importlib
import pkgutil

from benchmarks import families
from benchmarks.runner import Measure


def _cases() -> tuple[Measure, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules(families.__path__))
    modules = [importlib.import_module(f"{families.__name__}.{name}") for name in names]
    return tuple(case for module in modules for case in module.CASES)


CASES = _cases()
