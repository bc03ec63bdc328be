"""Cutting the sensor axis into blocks, by a rule that depends on the operator alone."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

from daskphys.errors import ParameterError

#: Blocks that "auto" makes at most: enough for any number of workers, few enough for the scheduler.
MAX_BLOCKS = 256

Bounds = tuple[tuple[int, int], ...]


def cut(n: int, chunks: Any = "auto") -> Bounds:
    """The blocks ``(start, stop)`` of `n` sensors.

    Parameters
    ----------
    n
        The number of sensors.
    chunks : "auto", int or sequence of int
        "auto": one sensor a block up to 256 sensors, beyond that the smallest power of two (whole subtrees of
        the canonical sum).  A number: so many sensors a block, fewer in the last.  A sequence: the size of
        each block.

    Examples
    --------
    >>> from daskphys.graph.blocks import cut
    >>> cut(3), cut(5, chunks=2), len(cut(10_000))
    (((0, 1), (1, 2), (2, 3)), ((0, 2), (2, 4), (4, 5)), 157)
    """
    if isinstance(chunks, str) and chunks == "auto":
        size = 1
        while n > size * MAX_BLOCKS:
            size *= 2
        sizes = _equal(n, size)
    elif isinstance(chunks, numbers.Integral) and int(chunks) > 0:
        sizes = _equal(n, int(chunks))
    elif isinstance(chunks, Sequence) and not isinstance(chunks, str):
        sizes = list(chunks)
        if not all(isinstance(s, numbers.Integral) and int(s) > 0 for s in sizes) or sum(sizes) != n:
            raise ParameterError(
                f"distribute expected chunks that add up to {n} sensors, got {tuple(chunks)}"
            )
    else:
        raise ParameterError(
            f"distribute expected chunks as 'auto', a positive number of sensors or a sequence of them, got {chunks!r}"
        )
    bounds, start = [], 0
    for length in sizes:
        bounds.append((start, start + int(length)))
        start += int(length)
    return tuple(bounds)


def _equal(n: int, size: int) -> list[int]:
    return [min(size, n - start) for start in range(0, n, size)]
