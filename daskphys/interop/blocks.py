"""What graphs of operators on Dask arrays have in common: blocks of sensors, and arrays of what they give."""

from __future__ import annotations

from collections.abc import Sequence
from operator import getitem
from typing import Any

from dask.base import tokenize

from daskphys.distributed.blocks import Blocks
from daskphys.distributed.sensors import Distributed
from daskphys.graph.blocks import cut
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.interop.chunks import Index, array, filled
from daskphys.physics.measurements import Measurements
from daskphys.physics.spaces import widest
from daskphys.physics.stacked import Stacked
from daskphys.physics.system import gram_dtype


def _same(value: Any) -> Any:
    return value


def constant(builder: GraphBuilder, name: str, index: Index, value: Any) -> Ref:
    """A task that holds an operator, in a layer that all graphs with this operator have in common."""
    return builder.add((name, *index) if index else name, _same, value, layer=name)


def begin(
    what: str, operator: Any, inputs: list[Any], physics: Any = None, *, grouped: bool = False
) -> tuple[GraphBuilder, str, Blocks]:
    """A builder, a token of the computation, and the blocks of `physics` (by default the operator itself).

    `grouped`: neighbours on one worker of a distributed operator are one block.
    """
    names = [a.name for a in inputs]
    physics = operator if physics is None else physics
    if isinstance(physics, Distributed):
        blocks = physics.holding.lazy_blocks(grouped)
        # Groups follow the workers, and tasks of other groups must not have the same keys.
        call = tokenize(what, operator, names, blocks.bounds)
        return GraphBuilder(call), call, blocks
    call = tokenize(what, operator, names)
    builder = GraphBuilder(call)
    bounds, name = cut(len(physics)), f"block-{tokenize(physics)}"
    refs = [constant(builder, name, b, physics[slice(*b)]) for b in bounds]
    outline = physics.transform.outline()
    return builder, call, Blocks(bounds, refs, [None] * len(bounds), outline, None)


def dtypes(physics: Any, x: Any) -> list[str]:
    """The dtype that each sensor gives."""
    return [s._result_dtype(x.dtype.name) for s in _sensors(physics)]


def normal_dtype(physics: Any, x: Any) -> str:
    """The dtype of the sum of all sensors' AᴴA x."""
    return widest(gram_dtype(s, x.dtype.name) for s in _sensors(physics))


def adjoint_dtype(physics: Any, y: Any) -> str:
    """The dtype of the sum of all sensors' Aᴴ y, of measurements of which `y` is one."""
    return widest(s._adjoint_dtype(y.dtype.name) for s in _sensors(physics))


def _sensors(physics: Any) -> Sequence[Any]:
    """Those whose dtypes stand for all: of a factory's sensors the first one."""
    known = physics.recipe.template if isinstance(physics, Distributed) else physics
    return known.sensors if isinstance(known, Stacked) else (known,) * len(physics)


def take(builder: GraphBuilder, call: str, index: Index, shapes: Any, made: Ref, start: int = 0) -> None:
    """Tasks that take the measurements from `start` on out of those of a chunk that one task has made."""
    for i, shape in enumerate(shapes[start:], start):
        name = f"sensor-{i}-{call}"
        builder.add(filled(name, index, len(shape)), getitem, made, i - start, layer=name)


def measurements(
    graph: Any, call: str, inputs: Sequence[Any], lead: int, shapes: Any, dtypes: Sequence[str]
) -> Measurements:
    return Measurements(
        array(graph, f"sensor-{i}-{call}", inputs, lead, shape, dtype)
        for i, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True))
    )
