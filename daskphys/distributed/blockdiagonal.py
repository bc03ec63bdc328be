"""Block-diagonal operators on a cluster: each block is on a worker, and its array goes there and comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daskphys import backend
from daskphys.distributed import calls
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.context import DistributedContext
from daskphys.distributed.physics import DistributedPhysics
from daskphys.distributed.placed import Placement
from daskphys.distributed.recipes import StackRecipe
from daskphys.distributed.report import Report
from daskphys.errors import DaskphysError
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.physics.base import LinearPhysics
from daskphys.physics.blockdiagonal import BlockDiagonal
from daskphys.physics.measurements import Measurements
from daskphys.physics.stack import StackedPhysics
from daskphys.physics.stacked import Stacked
from daskphys.physics.value import value


@value
class Beside(StackedPhysics):
    """Operators that workers hold, each for an array of its own: some may have real images and others complex ones."""

    def __post_init__(self) -> None:
        Stacked.__post_init__(self)

    def _of(self, sensors: tuple[Any, ...]) -> Beside:
        return Beside(sensors)


@value
class DistributedBlockDiagonal(BlockDiagonal):
    """A block-diagonal operator whose blocks live on the workers of a cluster; made by `distribute`.

    It has the methods of the plain operator and the same bits.  `held` has the blocks on the workers, in the order of
    `blocks`; its own products, of one image, mean nothing here.
    """

    held: DistributedPhysics

    @property
    def ctx(self) -> DistributedContext:
        """The cluster."""
        return self.held.ctx

    @property
    def placement(self) -> Placement:
        """Worker → the blocks that it holds now."""
        return self.held.placement

    @property
    def local_indexes(self) -> list[int]:
        """The blocks that this client commands: all of them."""
        return self.held.local_indexes

    def to(self, device: Any) -> DistributedBlockDiagonal:
        """Itself, where `device` is its context's."""
        self.held.to(device)
        return self

    def plan(self, *_: Any, **__: Any) -> Any:
        """There is none: an error says so, and what there is instead."""
        raise DaskphysError(
            f"{self!r} has no plan, for each block has an image of its own: D.placement says where blocks are, "
            f"D.report() what the last call did, and distribute(stack(A), ctx).plan(shape) plans one block"
        )

    def report(self) -> Report:
        """What the last call did, by block and worker."""
        return self.held.report()

    def _made(self, blocks: tuple[LinearPhysics, ...]) -> BlockDiagonal:
        made = BlockDiagonal(blocks)
        return placed(made, self.ctx, "auto", self.held.holding.replicas) if made._travels else made

    def _products(self, product: Callable[[LinearPhysics, Any], Any], x: Any) -> Measurements:
        def add(builder: GraphBuilder, call: str, blocks: Blocks, parts: Any) -> list[Ref]:
            return calls.each(builder, call, blocks, parts, product)

        made = self.held.runner.run(f"block by block {product.__name__}", x, add)
        return Measurements(backend.like(a, x[0]) for block in made for a in block)

    def _rows(self) -> list[tuple[str, str]]:
        return self.held._rows()


def placed(A: BlockDiagonal, ctx: DistributedContext, chunks: Any, replicas: int) -> DistributedBlockDiagonal:
    """The blocks of an operator on the workers of `ctx`."""
    held = DistributedPhysics(StackRecipe(Beside(A.blocks)), ctx, chunks, replicas)
    return DistributedBlockDiagonal(A.blocks, held)
