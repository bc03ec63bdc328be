"""Reduction without tasks of its own: each block's task takes in what earlier blocks have summed."""

from __future__ import annotations

from daskphys.graph.tree import FAN_IN


def joins(count: int, fan_in: int = FAN_IN) -> list[list[int]]:
    """For each of `count` blocks, the earlier ones whose sums its task takes in, in their order.

    The last block's task gives the whole sum.  A sum goes through at most one level more than in a tree of
    this fan-in (`daskphys.graph.tree`), and there are no tasks but those of the blocks.

    Examples
    --------
    >>> from daskphys.graph.joining import joins
    >>> joins(7, fan_in=3)
    [[], [], [0, 1], [], [], [3, 4], [2, 5]]
    """
    taken: list[list[int]] = []
    waiting: list[tuple[int, int]] = []  # blocks whose sums nobody has taken in yet, and their levels
    for block in range(count):
        mine: list[int] = []
        level = 0
        while [own for _, own in waiting[1 - fan_in :]] == [level] * (fan_in - 1):
            mine = [b for b, _ in waiting[1 - fan_in :]] + mine
            del waiting[1 - fan_in :]
            level += 1
        waiting.append((block, level))
        taken.append(mine)
    taken[-1] = [b for b, _ in waiting[:-1]] + taken[-1]
    return taken
