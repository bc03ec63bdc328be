"""The reduction of a call or a solve as a tree of nodes on workers, with the bytes that went from one to another."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daskphys.markup import span


@dataclass
class Node:
    """A task, or a worker's share in a solve.

    Attributes
    ----------
    label : str
        Which sensors, or what it does.
    worker
        The worker's name.
    sources : dict
        The nodes that it adds up, and the bytes that came from each by wire (0 where it is on the same worker).
    """

    label: str
    worker: Any
    sources: dict[Hashable, int] = field(default_factory=dict)


@dataclass
class Tree:
    """All nodes of a reduction, by their keys; the root is the last."""

    title: str
    nodes: dict[Hashable, Node] = field(default_factory=dict)
    #: Bytes of the image, which went to workers.
    down: int = 0

    @property
    def up(self) -> int:
        """Bytes of partial sums that went from one worker to another."""
        return sum(sum(node.sources.values()) for node in self.nodes.values())

    def places(self) -> dict[Hashable, tuple[float, float]]:
        """Where to draw each node: how many levels above the leaves, and between those that it adds up."""
        found: dict[Hashable, tuple[float, float]] = {}
        leaves = 0
        for key, node in self.nodes.items():
            below = [found[source] for source in node.sources if source in found]
            if below:
                found[key] = max(x for x, _ in below) + 1, sum(y for _, y in below) / len(below)
            else:
                found[key], leaves = (0.0, float(leaves)), leaves + 1
        return found


def of_solve(
    title: str,
    edges: Sequence[Sequence[str]],
    shares: Sequence[Sequence[Any]],
    down: int,
    names: Mapping[str, Any],
) -> Tree:
    """The tree of workers of a resident solve: a leaf for what each has itself, and a sum where there are workers below.

    Parameters
    ----------
    title
        The solver's.
    edges
        Worker above, worker below: their addresses.
    shares
        Of each worker its address, its runs ``(start, stop, seconds)``, and the bytes of the sums that it sent to the worker
        above; the root first.
    down
        Bytes of images that went to workers below.
    names
        Of workers, by their addresses.
    """
    own = {address: (runs, up) for address, runs, up in shares}
    below: dict[str, list[str]] = {}
    for above, under in edges:
        below.setdefault(above, []).append(under)
    tree = Tree(title, down=down)

    def grown(address: str) -> Hashable:
        name, (runs, _) = names.get(address, address), own[address]
        leaf = address, "own"
        tree.nodes[leaf] = Node(", ".join(span(start, stop) for start, stop, _ in runs), name)
        if address not in below:
            return leaf
        sources: dict[Hashable, int] = {leaf: 0}
        sources |= {grown(under): own[under][1] for under in below[address]}
        tree.nodes[address, "sum"] = Node("sum", name, sources)
        return address, "sum"

    grown(shares[0][0])
    return tree
