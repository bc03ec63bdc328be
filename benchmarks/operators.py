"""Each family of operators against its best peer: one module a family, in `benchmarks.families`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from benchmarks import families
from benchmarks.runner import Measure

CASES: Sequence[Measure] = [
    case
    for module in sorted(m.name for m in pkgutil.iter_modules(families.__path__))
    for case in importlib.import_module(f"{families.__name__}.{module}").CASES
]
