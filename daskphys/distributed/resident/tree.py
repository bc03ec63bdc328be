"""The tree of workers along which images go down and partial sums come up.

Workers stand in the order of their first sensor, and the tree is cut as the canonical sum is (`pairwise`): the
root's children are the first of the second half, of the second quarter, and so on.  Where each worker holds one
whole subtree of the sensors it sends one partial sum, whatever is below it, so a product moves W − 1 images down
and W − 1 sums up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Block(NamedTuple):
    """Sensors ``start … stop-1``, and the key under which a worker keeps their operators."""

    start: int
    stop: int
    key: Any


@dataclass(frozen=True)
class Node:
    """A worker, its blocks in ascending order, and the workers below it.

    `share` is ``(its threads, the threads of all workers of the tree on its host)``.
    """

    address: str
    blocks: tuple[Block, ...]
    share: tuple[int, int]
    children: tuple[Node, ...]

    def __iter__(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child


def grow(
    blocks: Sequence[Block],
    homes: Sequence[str],
    threads: Mapping[str, int],
    hosts: Mapping[str, str],
    root: str,
) -> Node:
    """The tree over the workers that hold `blocks`, with `root` on top.

    Parameters
    ----------
    blocks, homes
        All blocks in ascending order, and the worker that evaluates each.
    threads, hosts
        Of each worker: its threads, and the machine that it is on.
    root
        The worker on top, one of `homes`.

    Examples
    --------
    >>> from daskphys.distributed.resident.tree import Block, grow
    >>> blocks = [Block(i, i + 1, i) for i in range(4)]
    >>> one, host = dict.fromkeys("abcd", 1), dict.fromkeys("abcd", "here")
    >>> [(node.address, [c.address for c in node.children]) for node in grow(blocks, "abcd", one, host, "a")]
    [('a', ['c', 'b']), ('c', ['d']), ('d', []), ('b', [])]
    """
    held: dict[str, list[Block]] = {}
    for block, home in zip(blocks, homes, strict=True):
        held.setdefault(home, []).append(block)
    order = [root, *(address for address in held if address != root)]
    busy: dict[str, int] = {}
    for address in order:
        busy[hosts[address]] = busy.get(hosts[address], 0) + threads[address]

    def node(addresses: Sequence[str]) -> Node:
        first, children, size = addresses[0], [], 1
        while size < len(addresses):
            children.append(node(addresses[size : 2 * size]))
            size *= 2
        share = (threads[first], busy[hosts[first]])
        return Node(first, tuple(held[first]), share, tuple(reversed(children)))

    return node(order)
