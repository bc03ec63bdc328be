"""How operators and partial sums look to Dask: their size (tokens and pickling they bring themselves)."""

from __future__ import annotations

from dask.sizeof import sizeof

from daskphys.pairwise import Partial
from daskphys.physics.measurements import Measurements
from daskphys.physics.value import Value

_OBJECT = 1000  # bytes of a small Python object graph, where parameters are not what counts


@sizeof.register(Value)
def _value(operator: Value) -> int:
    return operator.nbytes + _OBJECT


@sizeof.register(Partial)
def _partial(part: Partial) -> int:
    return int(sizeof(part.value)) + _OBJECT


@sizeof.register(Measurements)
def _measurements(y: Measurements) -> int:
    return sum(int(sizeof(a)) for a in y)
