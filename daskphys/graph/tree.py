"""Tree reduction of blocks, in the canonical order.

Every block's task gives a list of partial sums (`daskphys.pairwise`); a node of the tree joins the lists of
up to `FAN_IN` neighbours.  However the tree is cut, additions are made in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.pairwise import PairwiseSum, Partial

#: Blocks that one task joins.  Measured on 64 blocks of 256² (benchmarks/results/foundation.txt): 8 takes 1.2
#: to 1.35 times as long as 16, and 32 about as long; but a node holds its blocks in memory and adds them in turn.
FAN_IN = 16


def join(blocks: Sequence[Sequence[Partial]]) -> list[Partial]:
    """The partial sums of neighbouring blocks as those of one block."""
    return PairwiseSum.join(blocks).parts


def reduce_tree(
    builder: GraphBuilder,
    name: str,
    blocks: Sequence[Ref],
    homes: Sequence[Hashable],
    finish: Callable[..., Any],
    *finish_args: Any,
    suffix: tuple[int, ...] = (),
    layer: str | None = None,
    fan_in: int = FAN_IN,
) -> Ref:
    """Add the tasks that reduce `blocks`, and ``finish(parts, *finish_args)`` as the root.

    Parameters
    ----------
    name, suffix
        Keys are ``(name, level, node, *suffix)``, the root's ``(name, *suffix)``.
    homes
        The worker of each block; a node runs where its first block does.
    layer
        The name of the root's layer.
    """
    level = 0
    refs, at = list(blocks), list(homes)
    while len(refs) > fan_in:
        groups = range(0, len(refs), fan_in)
        refs = [
            builder.add(
                (f"{name}-join", level, node, *suffix), join, refs[first : first + fan_in], worker=at[first]
            )
            for node, first in enumerate(groups)
        ]
        at, level = [at[first] for first in groups], level + 1
    return builder.add((name, *suffix), finish, refs, *finish_args, worker=at[0], layer=layer)
