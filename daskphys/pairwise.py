"""The one order in which sums over sensors are taken.

Floating-point addition is not associative, so the bits of Σᵢ aᵢ depend on the order.  Here the order is fixed
by the sensor index alone: ``sum[0:n) = sum[0:p) + sum[p:n)`` with p the largest power of two below n (and a
single term is itself).  Any cut of the sensors into blocks, on any number of workers, can follow it: a block
``[i, j)`` is the union of at most 2 log₂ n whole subtrees, and sends one partial sum for each.  Pairwise
summation also keeps the rounding error at O(log n).
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any


@dataclass
class Partial:
    """The sum of the terms ``start … stop-1``, a whole subtree of the canonical tree."""

    start: int
    stop: int
    value: Any
    owned: bool = False  # made here, so that it may be added to in place

    def merge(self, right: Partial, add: Callable[[Any, Any], Any]) -> Partial:
        if add is not operator.add:
            value = add(self.value, right.value)
        elif getattr(self.value, "dtype", None) != getattr(right.value, "dtype", None):
            value = self.value + right.value
        elif self.owned:
            value = operator.iadd(self.value, right.value)  # type: ignore[no-untyped-call]
        elif right.owned:  # a + b has the bits of b + a
            value = operator.iadd(right.value, self.value)  # type: ignore[no-untyped-call]
        else:
            value = self.value + right.value
        return Partial(self.start, right.stop, value, owned=True)


class PairwiseSum:
    """Adds terms, or partial sums of neighbouring blocks, in ascending order of their index.

    Parameters
    ----------
    add
        How two terms are added; by default ``+``, in place where the left one was made here.

    Examples
    --------
    >>> from daskphys.pairwise import PairwiseSum
    >>> left, right = PairwiseSum(), PairwiseSum()
    >>> for i in range(3):
    ...     left.append(i, 10.0**i)
    >>> for i in range(3, 5):
    ...     right.append(i, 10.0**i)
    >>> PairwiseSum.join([left.parts, right.parts]).total()
    11111.0
    """

    def __init__(self, add: Callable[[Any, Any], Any] = operator.add) -> None:
        self.parts: list[Partial] = []
        self._add = add

    def append(self, index: int, value: Any) -> None:
        """Add the term of one index."""
        self._push(Partial(index, index + 1, value))

    def _push(self, part: Partial) -> None:
        self.parts.append(part)
        while len(self.parts) > 1 and _siblings(*self.parts[-2:]):
            right = self.parts.pop()
            self.parts.append(self.parts.pop().merge(right, self._add))

    @classmethod
    def join(
        cls,
        blocks: Iterable[Iterable[Partial]],
        add: Callable[[Any, Any], Any] = operator.add,
        given_up: bool = False,
    ) -> PairwiseSum:
        """The sum of neighbouring blocks, whose parts stay as they were unless they are `given_up`."""
        joined = cls(add)
        for parts in blocks:
            for part in parts:
                joined._push(part if given_up else Partial(part.start, part.stop, part.value))
        return joined

    def total(self) -> Any:
        """The sum of everything, when the terms 0 … n-1 are all there."""
        total = replace(self.parts[-1], owned=False)
        for part in reversed(self.parts[:-1]):
            total = replace(part, owned=False).merge(total, self._add)
        return total.value


class SharedPairwiseSum:
    """The same sum of neighbouring terms that several threads add, in any order of time.

    Two partial sums are added as soon as both are there, by the thread that brings the second one.

    Examples
    --------
    >>> from daskphys.pairwise import SharedPairwiseSum
    >>> total = SharedPairwiseSum()
    >>> for i in (2, 0, 1):
    ...     total.append(i, 10.0**i)
    >>> [(p.start, p.stop, p.value) for p in total.parts]
    [(0, 2, 11.0), (2, 3, 100.0)]
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], Partial] = {}
        self._lock = threading.Lock()

    def append(self, index: int, value: Any, owned: bool = False) -> None:
        """Add the term of one index; an `owned` one may be added to in place."""
        part = Partial(index, index + 1, value, owned)
        while True:
            length = part.stop - part.start
            first = part.start % (2 * length) == 0
            sibling = part.start + (length if first else -length)
            with self._lock:
                other = self._waiting.pop((sibling, length), None)
                if other is None:
                    self._waiting[part.start, length] = part
                    return
            left, right = (part, other) if first else (other, part)
            part = left.merge(right, operator.add)

    @property
    def parts(self) -> list[Partial]:
        """The whole subtrees, in the order of their terms."""
        return sorted(self._waiting.values(), key=lambda part: part.start)


def pairwise_sum(terms: Iterable[Any], add: Callable[[Any, Any], Any] = operator.add) -> Any:
    """The sum of `terms`, at least one, in the canonical order; holds O(log n) of them at a time."""
    total = PairwiseSum(add)
    for index, term in enumerate(terms):
        total.append(index, term)
    return total.total()


def _siblings(left: Partial, right: Partial) -> bool:
    length = left.stop - left.start
    return right.stop - right.start == length and left.start % (2 * length) == 0


def subtrees(start: int, stop: int) -> int:
    """How many partial sums the terms ``start … stop-1`` have: the whole subtrees that they are made of.

    Examples
    --------
    >>> from daskphys.pairwise import subtrees
    >>> subtrees(0, 8), subtrees(0, 7), subtrees(3, 5)
    (1, 3, 2)
    """
    count = 0
    while start < stop:
        largest = 1 << ((stop - start).bit_length() - 1)
        start += min(start & -start, largest) if start else largest
        count += 1
    return count
