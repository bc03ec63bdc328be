"""Operators on Dask arrays as task graphs.

Operators that hold sensors are taken apart into blocks: the tasks are chunks of leading axes × blocks of
sensors, and a tree for each chunk.  Any other operator is one task a chunk.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from operator import getitem
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from daskphys import backend
from daskphys.distributed import calls
from daskphys.distributed.physics import DistributedGram, DistributedPhysics
from daskphys.errors import NotClosedFormError, ShapeError
from daskphys.graph.blocks import cut
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.pairwise import pairwise_sum
from daskphys.physics.algebra import normal_solution
from daskphys.physics.base import Adjoint, Composed, Gram, LinearPhysics, PseudoInverse, Scaled, Sum
from daskphys.physics.measurements import Measurements
from daskphys.physics.stack import StackedPhysics
from daskphys.physics.transform import Plain

Sensors = StackedPhysics | DistributedPhysics


def apply(operator: Any, value: Any) -> Any:
    """``operator`` applied to a Dask array, or to measurements of them."""
    match operator:
        case Composed():
            return apply(operator.left, apply(operator.right, value))
        case Scaled():
            return operator.factor * apply(operator.parent, value)
        case Sum():
            return pairwise_sum(apply(term, value) for term in operator.terms)
        case StackedPhysics() | DistributedPhysics():
            return _forward(operator, value)
        case Gram(parent=StackedPhysics() | DistributedPhysics()):
            return _gram(operator, value)
        case PseudoInverse(parent=StackedPhysics() | DistributedPhysics()):
            return _pseudo_inverse(operator, value)
        case Adjoint(parent=Composed() as product):
            return apply(product.right.H, apply(product.left.H, value))
        case Adjoint(parent=Scaled() as multiple):
            return multiple.factor.conjugate() * apply(multiple.parent.H, value)
        case Adjoint(parent=Sum() as total):
            return pairwise_sum(apply(term.H, value) for term in total.terms)
        case Adjoint(parent=(StackedPhysics() | DistributedPhysics()) as physics):
            return _adjoint(physics, value)
    return _leaf(operator, value)


def _leaf(operator: LinearPhysics, value: Any) -> Any:
    """An operator as a whole: one task a chunk."""
    inputs = _aligned(operator, value)
    shape = operator._range_shape(value.shapes if isinstance(value, Measurements) else value.shape)
    name = f"{type(operator).__name__.lower()}-{tokenize(operator, *(x.name for x in inputs))}"
    builder = GraphBuilder(name)
    held = builder.add(f"operator-{tokenize(operator)}", _same, operator)
    lead = _lead(operator, inputs)
    for index in _indexes(inputs[0], lead):
        chunks = [_key(x, index) for x in inputs]
        builder.add(_filled(name, index, len(shape)), run_leaf, held, *chunks, layer=name)
    return _array(builder, name, inputs, lead, shape, operator._result_dtype(inputs[0].dtype.name))


def run_leaf(operator: LinearPhysics, *chunks: Any) -> Any:
    """One chunk through an operator; FFTs use one thread, since chunks run side by side."""
    with backend.fft_threads(1):
        return operator._forward(chunks[0] if len(chunks) == 1 else Measurements(chunks))


def _same(value: Any) -> Any:
    return value


def _forward(physics: Any, x: Any) -> Measurements:
    _aligned(physics, x)
    lead = x.ndim - physics.domain.ndim
    builder, call, blocks = _begin("forward", physics, [x])
    shapes = physics._range_shape(x.shape)
    names = [f"sensor-{i}-{call}" for i in range(len(physics))]
    for index in _indexes(x, lead):
        made = calls.forward(builder, call, blocks, _key(x, index), index)
        for (start, stop), block in zip(blocks.bounds, made, strict=True):
            for i in range(start, stop):
                builder.add(
                    _filled(names[i], index, len(shapes[i])), getitem, block, i - start, layer=names[i]
                )
    graph = builder.build([x])
    dtype = physics._result_dtype(x.dtype.name)
    return Measurements(
        _array(graph, name, [x], lead, shape, dtype) for name, shape in zip(names, shapes, strict=True)
    )


def _adjoint(physics: Any, y: Measurements) -> Any:
    inputs = _aligned(physics.H, y)
    shape, lead = physics._domain_shape(y.shapes), _lead(physics.H, inputs)
    builder, call, blocks = _begin("adjoint", physics, inputs)
    name = f"adjoint-{call}"
    for index in _indexes(inputs[0], lead):
        chunks, image = [_key(a, index) for a in inputs], _chunk_shape(inputs[0], index, shape)
        calls.adjoint(builder, call, blocks, chunks, image, _filled(name, index, len(shape))[1:], layer=name)
    return _array(builder, name, inputs, lead, shape, physics._result_dtype(inputs[0].dtype.name))


def _gram(operator: Gram, x: Any) -> Any:
    physics: Any = operator.parent
    _aligned(physics, x)
    lead = x.ndim - physics.domain.ndim
    builder, call, blocks = _begin("gram", operator, [x], physics)
    name = f"gram-{call}"
    by_tree = isinstance(operator, DistributedGram) and operator.method == "tree"
    merged = None
    if physics.normal_kind is not None and not by_tree:
        merged = calls.normal(builder, call, blocks, x.shape[lead:])
    for index in _indexes(x, lead):
        key = _filled(name, index, x.ndim)
        if merged is None:
            calls.gram(builder, call, blocks, _key(x, index), key[1:], layer=name)
        else:
            builder.add(key, run_leaf, merged, _key(x, index), layer=name)
    return _array(builder, name, [x], lead, x.shape, physics._result_dtype(x.dtype.name))


def _pseudo_inverse(operator: PseudoInverse, y: Measurements) -> Any:
    physics: Any = operator.parent
    if physics.normal_kind is None:
        if isinstance(physics, DistributedPhysics):
            raise NotClosedFormError(
                f"{operator!r} iterates over workers and has no lazy form: give it measurements in memory, as in "
                f"A_dagger(y.compute())"
            )
        return _leaf(operator, y)
    inputs = _aligned(physics.H, y)
    shape, lead = physics._domain_shape(y.shapes), _lead(physics.H, inputs)
    builder, call, blocks = _begin("pinv", operator, inputs, physics)
    name = f"pinv-{call}"
    merged = calls.normal(builder, call, blocks, shape[lead:])
    for index in _indexes(inputs[0], lead):
        key, image = _filled(name, index, len(shape)), _chunk_shape(inputs[0], index, shape)
        chunks = [_key(a, index) for a in inputs]
        z = calls.adjoint(builder, call, blocks, chunks, None, key[1:])
        builder.add(key, normal_solution, merged, z, physics.transform, image, operator.rtol, layer=name)
    return _array(builder, name, inputs, lead, shape, inputs[0].dtype.name)


def _begin(
    what: str, operator: Any, inputs: list[Any], physics: Any = None
) -> tuple[GraphBuilder, str, calls.Blocks]:
    """A builder, a token of the computation, and the blocks of `physics` (by default the operator itself)."""
    call = tokenize(what, operator, *(a.name for a in inputs))
    builder = GraphBuilder(call)
    physics = operator if physics is None else physics
    if isinstance(physics, DistributedPhysics):
        return builder, call, physics.holding.lazy_blocks()
    bounds = cut(len(physics))
    token = tokenize(physics)
    refs = [builder.add((f"block-{token}", *b), _same, physics[slice(*b)]) for b in bounds]
    shared = not isinstance(physics.transform, Plain)
    return builder, call, calls.Blocks(bounds, refs, [None] * len(bounds), shared, None)


def _aligned(operator: Any, value: Any) -> list[Any]:
    """The arrays of `value` with one chunk on the operator's own axes, and the same chunks before them."""
    arrays = list(value) if isinstance(value, Measurements) else [value]
    spaces = operator.domain.spaces if isinstance(value, Measurements) else (operator.domain,)
    for array, space in zip(arrays, spaces, strict=True):
        own = array.chunks[array.ndim - space.ndim :]
        if any(len(c) > 1 for c in own):
            raise ShapeError(
                f"{operator!r} expected one chunk along the last {space.ndim} axes, got chunks {array.chunks}: "
                f"x.rechunk({{axis: -1 for axis in range(-{space.ndim}, 0)}}) makes them whole"
            )
    lead = arrays[0].chunks[: arrays[0].ndim - spaces[0].ndim]
    return [
        a if a.chunks[: len(lead)] == lead else a.rechunk((*lead, *a.chunks[len(lead) :])) for a in arrays
    ]


def _lead(operator: Any, inputs: list[Any]) -> int:
    space = operator.domain
    return int(inputs[0].ndim - (space.spaces[0].ndim if hasattr(space, "spaces") else space.ndim))


def _indexes(x: Any, lead: int) -> Iterator[tuple[int, ...]]:
    """The chunk numbers along the leading axes."""
    return itertools.product(*(range(len(c)) for c in x.chunks[:lead]))


def _filled(name: str, index: tuple[int, ...], ndim: int) -> tuple[Any, ...]:
    return (name, *index, *((0,) * (ndim - len(index))))


def _key(x: Any, index: tuple[int, ...]) -> Ref:
    return Ref(_filled(x.name, index, x.ndim))


def _chunk_shape(x: Any, index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the chunk of an array of `shape` that has the leading chunks of `x`."""
    return (*(x.chunks[axis][i] for axis, i in enumerate(index)), *shape[len(index) :])


def _array(source: Any, name: str, inputs: list[Any], lead: int, shape: Any, dtype: str) -> Any:
    graph = source.build(inputs) if isinstance(source, GraphBuilder) else source
    chunks = (*inputs[0].chunks[:lead], *((n,) for n in shape[lead:]))
    meta = inputs[0]._meta.astype(dtype)
    return da.Array(graph, name, chunks=chunks, meta=np.empty(0, dtype) if meta is None else meta)
