"""The blocks of a stack as graphs refer to them, one by one or in groups of neighbours on one worker."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from daskphys.graph.blocks import Bounds
from daskphys.graph.placement import parts, runs


@dataclass(frozen=True)
class Blocks:
    """The blocks of a stack as a graph refers to them.

    Parameters
    ----------
    bounds
        ``(start, stop)`` of each block.
    refs
        The task (or future) that gives each block as a `StackedPhysics`; a list of them where several blocks
        are evaluated as one.
    homes
        The worker that each block should be on, or None.
    shared
        Whether all sensors of the whole stack have one `transform`.
    device
        Where blocks compute: ``"cpu"`` or ``"cuda"``, with results in host memory; None: where the image is.
    """

    bounds: Bounds
    refs: Sequence[Any]
    homes: Sequence[Hashable]
    shared: bool
    device: str | None = "cpu"

    def __iter__(self) -> Any:
        return iter(zip(self.bounds, self.refs, self.homes, strict=True))

    @property
    def first(self) -> Any:
        """One of them, for what all have in common."""
        ref = self.refs[0]
        return ref[0] if isinstance(ref, list) else ref

    def grouped(self, threads: Mapping[Hashable, int]) -> Blocks:
        """The same with neighbours on one worker as one block: at least one for each of its threads, if there are.

        One task evaluates them and shares their first transform: tasks grow with the workers and not with the
        sensors.  Sums keep their order, since a task's partial sums are those of its whole run of sensors.
        """
        costs = [float(stop - start) for start, stop in self.bounds]
        runs_of: dict[Hashable, list[tuple[int, int]]] = {}
        for first, last in runs(self.homes):
            runs_of.setdefault(self.homes[first], []).append((first, last))
        found = []
        for home, mine in runs_of.items():
            total = sum(sum(costs[first:last]) for first, last in mine)
            for first, last in mine:
                # Each run gets its part of the threads.
                n = max(1, round(threads.get(home, 1) * sum(costs[first:last]) / total))
                found += [(first + a, first + b) for a, b in parts(costs[first:last], n)]
        found.sort()
        return replace(
            self,
            bounds=tuple((self.bounds[a][0], self.bounds[b - 1][1]) for a, b in found),
            refs=[list(self.refs[a:b]) for a, b in found],
            homes=[self.homes[a] for a, _ in found],
        )
