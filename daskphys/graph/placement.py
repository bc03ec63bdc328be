"""Which worker holds which block."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

W = TypeVar("W", bound=Hashable)


def place(costs: Sequence[float], capacity: Mapping[W, float]) -> list[W]:
    """A worker for each block: neighbours together, in proportion to what each worker can do.

    Parameters
    ----------
    costs
        What each block costs, in any one unit.
    capacity
        What each worker can do, in any one unit (its threads).

    Examples
    --------
    >>> from daskphys.graph.placement import place
    >>> place([1, 1, 1, 1], {"a": 1, "b": 1})
    ['a', 'a', 'b', 'b']
    >>> place([1, 1, 1, 1], {"a": 3, "b": 1})
    ['a', 'a', 'a', 'b']
    """
    workers = list(capacity)
    total, power = float(sum(costs)) or 1.0, float(sum(capacity.values()))
    shares = list(accumulate(capacity[w] / power for w in workers))
    placed, before, current = [], 0.0, 0
    for cost in costs:
        middle = (before + cost / 2) / total
        while current < len(workers) - 1 and middle > shares[current]:
            current += 1
        placed.append(workers[current])
        before += cost
    return placed
