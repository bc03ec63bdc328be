"""Which worker holds which block."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Generic, TypeVar

W = TypeVar("W", bound=Hashable)

#: Bytes of parameters that cost a worker as much time as one sensor's transforms do.  No image size is known when
#: blocks are placed; a pair of FFTs of 512² takes 3 to 4 ms on one core, in which it reads about 32 MiB.
BYTES_PER_SENSOR = 32 << 20


def block_cost(sensors: int, nbytes: int) -> float:
    """What a block costs in time, in units of one sensor: its transforms, and reading its parameters.

    Examples
    --------
    >>> from daskphys.graph.placement import block_cost
    >>> block_cost(8, nbytes=8 * 9 * 8), block_cost(1, nbytes=96 << 20)  # small kernels; a large matrix
    (8.0000171661376..., 4.0)
    """
    return sensors + nbytes / BYTES_PER_SENSOR


def place(
    costs: Sequence[float],
    capacity: Mapping[W, float],
    *,
    sizes: Sequence[int] | None = None,
    room: Mapping[W, float] | None = None,
    homes: Sequence[W | None] | None = None,
) -> list[W]:
    """A worker for each block: neighbours together, in proportion to what each worker can do.

    Parameters
    ----------
    costs
        What each block costs, in any one unit.
    capacity
        What each worker can do, in any one unit (its threads).
    sizes, room
        Bytes of each block, and bytes that each worker can hold.  A worker gets more than its room only where
        no other has any left.
    homes
        Where the blocks are now.  They stay there, but for those whose worker is gone and those that another has
        so much less to do than theirs that it helps (a worker has joined): these move.

    Examples
    --------
    >>> from daskphys.graph.placement import place
    >>> place([1, 1, 1, 1], {"a": 1, "b": 1})
    ['a', 'a', 'b', 'b']
    >>> place([1, 1, 1, 1], {"a": 3, "b": 1})
    ['a', 'a', 'a', 'b']
    >>> place([1, 1, 1, 1], {"a": 1, "b": 1}, sizes=[8, 8, 8, 8], room={"a": 8, "b": 24})
    ['a', 'b', 'b', 'b']
    >>> place([1] * 6, {"a": 1, "b": 1, "c": 1}, homes=["a"] * 3 + ["b"] * 3)  # c has joined
    ['a', 'a', 'c', 'c', 'b', 'b']
    """
    if not costs:
        return []
    loads = _Loads(costs, sizes or [0] * len(costs), capacity, room or {})
    if homes is None:
        loads.put([*_spread(costs, capacity)])
    else:
        loads.put([home if home in capacity else None for home in homes])
        loads.even_out()
    loads.clear_overfull()
    loads.settle()
    return [home for home in loads.homes if home is not None]


def stand_ins(
    first: Sequence[W], workers: Sequence[W], replicas: int, held: Sequence[Sequence[W]] | None = None
) -> list[list[W]]:
    """The homes of all replicas of each block, `first` in front: no two on one worker, as many as there can be.

    Those that hold the block already (`held`) stay before others are asked: the next in the order of workers.

    Examples
    --------
    >>> from daskphys.graph.placement import stand_ins
    >>> stand_ins(["a", "b", "c"], ["a", "b", "c"], 2)
    [['a', 'b'], ['b', 'c'], ['c', 'a']]
    >>> stand_ins(["c"], ["a", "c", "d"], 2, held=[["a", "b"]])  # b is gone
    [['c', 'a']]
    """
    homes = []
    for block, home in enumerate(first):
        at = workers.index(home)
        there = [w for w in (held[block] if held else ()) if w in workers]
        homes.append(list(dict.fromkeys([home, *there, *workers[at:], *workers[:at]]))[:replicas])
    return homes


def runs(homes: Sequence[W | None]) -> Iterator[tuple[int, int]]:
    """The ``(first, last + 1)`` blocks of each run of neighbours with one home."""
    first = 0
    for _, group in groupby(homes):
        last = first + len(list(group))
        yield first, last
        first = last


def parts(costs: Sequence[float], n: int) -> list[tuple[int, int]]:
    """A run of blocks in at most `n` parts of neighbours, of about the same cost each.

    Examples
    --------
    >>> from daskphys.graph.placement import parts
    >>> parts([1, 1, 1, 1, 1], 2), parts([1], 4)
    ([(0, 3), (3, 5)], [(0, 1)])
    """
    return list(runs(_spread(costs, dict.fromkeys(range(n), 1.0))))


def _spread(costs: Sequence[float], capacity: Mapping[W, float]) -> list[W]:
    """One run of neighbours for each worker."""
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


@dataclass
class _Loads(Generic[W]):
    """Blocks on their way to workers; None: a block that has none yet."""

    costs: Sequence[float]
    sizes: Sequence[int]
    capacity: Mapping[W, float]
    room: Mapping[W, float]

    def put(self, homes: Sequence[W | None]) -> None:
        self.homes = list(homes)
        self.load = dict.fromkeys(self.capacity, 0.0)
        self.held = dict.fromkeys(self.capacity, 0)
        for block, home in enumerate(self.homes):
            if home is not None:
                self._add(block, home, 1)

    def _add(self, block: int, worker: W, sign: int) -> None:
        self.load[worker] += sign * self.costs[block]
        self.held[worker] += sign * self.sizes[block]

    def _share(self, worker: W) -> float:
        return sum(self.costs) * self.capacity[worker] / sum(self.capacity.values())

    def _limit(self, worker: W) -> float:
        return self.room.get(worker, float("inf"))

    def _take(self, block: int, worker: W) -> None:
        self.homes[block] = None
        self._add(block, worker, -1)

    def even_out(self) -> None:
        """Take blocks from those that have the most to do, as long as somebody has so much less that it helps."""
        mine: dict[W, deque[int]] = {w: deque() for w in self.capacity}
        for block, home in enumerate(self.homes):
            if home is not None:
                mine[home].append(block)
        then = dict(self.load)  # what each will have when all has settled
        for block, home in enumerate(self.homes):
            if home is None:
                then[self._idlest(then, self.costs[block])] += self.costs[block]
        while True:
            giver = max(self.capacity, key=lambda w: then[w] / self.capacity[w])
            if not mine[giver]:
                return
            # One worker gives from its end and the next from its beginning: what they give is one run again.
            from_end = list(self.capacity).index(giver) % 2 == 0
            block = mine[giver][-1 if from_end else 0]
            cost = self.costs[block]
            taker = self._idlest(then, cost)
            if (then[taker] + cost) / self.capacity[taker] >= then[giver] / self.capacity[giver] * (1 - 1e-9):
                return
            mine[giver].remove(block)
            self._take(block, giver)
            then[giver] -= cost
            then[taker] += cost

    def _idlest(self, load: Mapping[W, float], cost: float) -> W:
        return min(self.capacity, key=lambda w: (load[w] + cost) / self.capacity[w])

    def clear_overfull(self) -> None:
        """Take blocks from those that have no room for them, from the end of what they have."""
        for block in reversed(range(len(self.homes))):
            home = self.homes[block]
            if home is not None and self.held[home] > self._limit(home):
                self._take(block, home)

    def settle(self) -> None:
        """Give each block that has no worker to the one with the least to do; runs of them stay together."""
        taker: W | None = None
        for block, home in enumerate(self.homes):
            if home is not None:
                continue
            cost, size = self.costs[block], self.sizes[block]
            fits = [w for w in self.capacity if self.held[w] + size <= self._limit(w)]
            if not fits:  # none has room: it goes where the most is left
                taker = max(self.capacity, key=lambda w: self._limit(w) - self.held[w])
            elif taker not in fits or self.load[taker] + cost / 2 > self._share(taker):
                taker = min(fits, key=lambda w: (self.load[w] + cost) / self.capacity[w])
            self.homes[block] = taker
            self._add(block, taker, 1)
