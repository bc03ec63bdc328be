"""The graph of a call as it would be submitted, with what each of its tasks takes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

from daskphys.distributed import calls, calltasks
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.cluster import WorkerInfo
from daskphys.distributed.facts import Facts
from daskphys.distributed.recipes import Recipe
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.graph.plan import Account, Work, account
from daskphys.graph.tree import join
from daskphys.pairwise import subtrees
from daskphys.physics import blockcost
from daskphys.physics.blockdiagonal import adjoint, forward, gram
from daskphys.physics.cost import Cost, all_of, nbytes
from daskphys.physics.hooks import Hooks
from daskphys.physics.transform import Plain

Bound = tuple[int, int]


@dataclass(frozen=True)
class Each:
    """Adds the tasks of a product of each sensor with an array of its own; of a call, shapes and dtypes are one a sensor.

    Parameters
    ----------
    product
        The product.
    cost
        What it costs: of a sensor, and of its array's shape and dtype.
    """

    product: Callable[..., Any]
    cost: Callable[[Any, Any, str], Cost]

    def __call__(self, builder: GraphBuilder, call: str, blocks: Blocks, x: Any) -> list[Ref]:
        return calls.each(builder, call, blocks, x, self.product)


def _each_adjoint_cost(sensor: Hooks, shape: Any, dtype: str) -> Cost:
    return sensor._adjoint_cost(sensor._domain_shape(shape), dtype)


#: What adds the tasks of each method (`daskphys.distributed.calls`).
ADDS: Mapping[str, Callable[..., Any]] = {
    "A": calls.forward,
    "A_adjoint": calls.adjoint,
    "A_adjoint_A": calls.gram,
    "A_vjp": calls.vjp,
    "normal": calls.normal,
    "block by block forward": Each(forward, lambda sensor, shape, dtype: sensor._cost(shape, dtype)),
    "block by block adjoint": Each(adjoint, _each_adjoint_cost),
    "block by block gram": Each(gram, lambda sensor, shape, dtype: sensor._gram_cost(shape, dtype)),
}


def adds(method: str) -> Callable[..., Any] | None:
    """What adds the tasks of a method whose name may say more, as "A_adjoint in CG" does; None where it is not known."""
    return ADDS.get(method) or ADDS.get(method.partition(" ")[0])


@dataclass(frozen=True)
class Stack:
    """What of a distributed operator its costs depend on."""

    recipe: Recipe
    facts: Facts

    def block(self, add: Callable[..., Any], bound: Bound, shape: Any, dtype: Any) -> Cost:
        """What the task of a block costs."""
        sensors, transform = self.recipe.alike(*bound), self.facts.transform
        if isinstance(add, Each):
            own = slice(*bound)
            return all_of(map(add.cost, sensors, shape[own], dtype[own]))
        if add is calls.forward:
            return blockcost.forward_cost(sensors, shape, dtype, transform)
        if add is calls.adjoint:
            return blockcost.adjoint_cost(sensors, shape, dtype, transform, bound[0])
        if add is calls.vjp:
            return blockcost.vjp_cost(sensors, shape, dtype, bound[0])
        if add is calls.gram:
            return blockcost.gram_cost(sensors, shape, dtype, bound[0])
        return blockcost.normal_cost(sensors, shape, dtype, bound[0])

    def image_dtype(self, dtype: str, add: Callable[..., Any]) -> str:
        """The dtype of a sum over sensors."""
        if add is calls.vjp:
            return dtype
        kind = self.facts.normal_kind
        if kind is not None and add in (calls.gram, calls.normal):
            return kind.result_dtype(dtype)
        return self.facts.sum_dtype(dtype)

    @functools.cached_property
    def kinds(self) -> Sequence[Hooks]:
        """One sensor for each kind of term that the merged AᴴA has; of a factory, sensor 0 stands for all."""
        return blockcost.one_a_kind(self.recipe.alike(0, len(self.recipe)))

    def merged_product(self, shape: Any, dtype: str) -> Cost:
        """What a product with the merged AᴴA costs, when it is made."""
        return blockcost.merged_cost(self.kinds, shape, dtype)

    def merged_nbytes(self, shape: Any, dtype: str) -> int:
        """Bytes of the merged AᴴA."""
        return blockcost.merged_nbytes(self.kinds, shape, dtype)


def price(
    stack: Stack,
    blocks: Blocks,
    workers: Mapping[Hashable, WorkerInfo],
    add: Callable[..., Any],
    shape: Any,
    dtype: Any,
) -> Account:
    """What a call takes whose image has this shape.

    Parameters
    ----------
    stack, blocks, workers
        What is distributed, how the graph refers to it, and the workers by their address.
    add
        The function of `daskphys.distributed.calls` that adds the tasks.
    shape, dtype
        The image's shape, and the dtype of the call's argument; of `Each`, one a sensor.
    """
    builder = GraphBuilder("plan")
    given: dict[Any, tuple[int, Any]] = {}
    if add is calls.adjoint:
        made = calls.adjoint(
            builder, "plan", blocks, _measurements(stack, blocks, shape, dtype, given), shape
        )
    elif add is calls.normal:
        made = calls.normal(builder, "plan", blocks, shape)
    elif isinstance(add, Each):
        sizes = [nbytes(own, name) for own, name in zip(shape, dtype, strict=True)]
        made = add(builder, "plan", blocks, _given(blocks, lambda start, stop: sum(sizes[start:stop]), given))
    else:
        given["image"] = (nbytes(shape, dtype), blocks.homes[0])
        x: Any = Ref("image")
        if add is calls.vjp:
            x = x, _measurements(stack, blocks, shape, dtype, given)
        made = add(builder, "plan", blocks, x)
    wanted = [ref.key for ref in (made if isinstance(made, list) else [made])]
    tasks = builder.tasks()
    stops = dict(blocks.bounds)
    bounds: dict[Any, Bound] = {}
    works: dict[Any, Work] = {}
    for key, (node, _) in tasks.items():
        parts = [bounds[k] for k in node.dependencies if k in bounds]
        bounds[key] = (min(parts)[0], max(b for _, b in parts)) if parts else (key[1], stops[key[1]])
        works[key] = _work(stack, add, node.func, parts, bounds[key], shape, dtype)
    threads = {address: w.threads for address, w in workers.items()}
    anyone = next(iter(threads))  # a task whose worker has gone since goes to some other
    return account(
        {key: node for key, (node, _) in tasks.items()},
        {key: home if home in threads else anyone for key, (_, home) in tasks.items()},
        works,
        {key: (n, home if home in threads else anyone) for key, (n, home) in given.items()},
        wanted,
        threads,
        {address: process_of(address) for address in threads},
    )


def process_of(address: Any) -> Hashable:
    """What workers of one process have in common: ``inproc://host/pid/number`` without its number."""
    text = str(address)
    return text.rpartition("/")[0] if text.startswith("inproc://") else address


def _measurements(
    stack: Stack, blocks: Blocks, shape: Any, dtype: str, given: dict[Any, tuple[int, Any]]
) -> dict[Bound, Ref]:
    """Stand-ins for the measurements of each block; what is sent, and to whom, goes into `given`."""

    def size(*bound: int) -> int:
        return blockcost.range_nbytes(stack.recipe.alike(*bound), shape, dtype)

    return _given(blocks, size, given)


def _given(
    blocks: Blocks, size: Callable[[int, int], int], given: dict[Any, tuple[int, Any]]
) -> dict[Bound, Ref]:
    """Stand-ins for what is sent to each block, of so many bytes."""
    refs = {}
    for bound, _, home in blocks:
        key = ("measurements", *bound)
        given[key], refs[bound] = (size(*bound), home), Ref(key)
    return refs


def _work(
    stack: Stack, add: Any, run: Any, parts: Sequence[Bound], bound: Bound, shape: Any, dtype: str
) -> Work:
    """What one task takes: a block's, or one that joins the partial sums of `parts`."""
    if run is not join and run is not calltasks.run_total:
        cost = stack.block(add, bound, shape, dtype)
        return Work(cost.transforms, cost.flops, cost.workspace, cost.result, cost.kept)
    part = _part(stack, add, shape, dtype)
    terms = sum(subtrees(*p) for p in parts)
    sums = terms - subtrees(*bound)
    if run is join:
        return Work(0, sums * part / 4, part if sums else 0, subtrees(*bound) * part if sums else 0)
    # Of the sums on the way, as many are held as the tree is high; the last one is brought back to an image.
    adding = part * ceil(log2(terms)) if terms > 1 else 0
    step = stack.facts.transform.cost(shape, dtype) if add is calls.adjoint else Cost()
    whole = nbytes(shape, stack.image_dtype(dtype, add)) if add is not calls.normal else part
    if not step.result:
        return Work(0, (terms - 1) * part / 4, max(0, adding - whole), whole)
    workspace = max(adding, part + step.workspace)
    return Work(step.transforms, step.flops + (terms - 1) * part / 4, workspace, whole)


def _part(stack: Stack, add: Any, shape: Any, dtype: str) -> int:
    """Bytes of one partial sum."""
    transform = stack.facts.transform
    if add is calls.normal:
        return stack.merged_nbytes(shape, dtype)
    if add is calls.adjoint and not isinstance(transform, Plain):
        return transform.cost(shape, dtype).result
    return nbytes(shape, stack.image_dtype(dtype, add))
