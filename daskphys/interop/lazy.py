"""Operators on Dask arrays as task graphs.

Operators that hold sensors are taken apart into blocks: the tasks are chunks of leading axes × blocks of
sensors, and a tree for each chunk.  Any other operator is one task a chunk.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dask.array as da
from dask.base import tokenize

from daskphys import backend
from daskphys.distributed import calls
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.gram import DistributedGram
from daskphys.distributed.physics import DistributedPhysics
from daskphys.distributed.sensors import Distributed
from daskphys.errors import NotClosedFormError, ShapeError
from daskphys.graph.builder import GraphBuilder
from daskphys.interop import noise, pencils, pointwise, tiles
from daskphys.interop.blocks import (
    adjoint_dtype,
    begin,
    constant,
    dtypes,
    measurements,
    normal_dtype,
    take,
)
from daskphys.interop.chunks import Index, aligned, array, chunk_shape, filled, indexes, key, split
from daskphys.interop.tiling import SENSORS
from daskphys.pairwise import pairwise_sum
from daskphys.physics.algebra import normal_solution
from daskphys.physics.base import Adjoint, Composed, Gram, PseudoInverse, Scaled, Sum
from daskphys.physics.blockdiagonal import BlockDiagonal
from daskphys.physics.measurements import Measurements
from daskphys.physics.normal import NormalSum
from daskphys.physics.normal_kind import has_closed_form
from daskphys.physics.parts import Joined
from daskphys.physics.physics import Chained, Noisy, Physics, Vjp
from daskphys.physics.stack import StackedPhysics, widened
from daskphys.physics.stacked import Stacked
from daskphys.physics.weighted import WeightedGram, Weights


def apply(operator: Any, value: Any) -> Any:
    """``operator`` applied to a Dask array, or to measurements of them."""
    if isinstance(operator, DistributedGram):
        operator.check_method()
    if isinstance(operator, Noisy):
        return noise.apply(operator, value, apply)
    if operator.of_real_images and backend.is_complex(value):
        value = value.real  # of another product: the door takes real ones alone
    match operator:  # an operator with a sensor axis of its own is the stack of its parts
        case Joined(parts=parts):
            y = apply(parts, value)
            return da.concatenate(list(y), axis=operator.sensor_axis)
        case Adjoint(parent=Joined() as joined):
            return apply(joined.parts.H, _split(joined, value))
        case Gram(parent=Joined(parts=parts)):
            return apply(Gram(parts), value)
        case PseudoInverse(parent=Joined() as joined):
            return apply(operator._with({"parent": joined.parts}), _split(joined, value))
    match operator:  # arrays of their own, each with the chunks that it has
        case BlockDiagonal():
            return _each(operator, value)
        case Adjoint(parent=BlockDiagonal(blocks=blocks)):
            return _each([block.H for block in blocks], value)
        case Gram(parent=BlockDiagonal(blocks=blocks)):
            return _each([Gram(block) for block in blocks], value)
    if split(operator, value):
        for room in (tiles, pencils, pointwise):
            if (made := room.apply(operator, value)) is not None:
                return made
        match operator:  # what cannot be one task a tile may still be made of what can
            case Stacked():
                return Measurements(_of(i, s, value) for i, s in enumerate(operator))
            case NormalSum(terms=terms) | Adjoint(parent=NormalSum(terms=terms)):
                return pairwise_sum(apply(term, value) for term in terms)
            case Gram(parent=NormalSum() as merged):
                return apply(merged, apply(merged, value))
            case Gram(parent=parent):
                return apply(parent.H, apply(parent, value))
            case Adjoint(parent=StackedPhysics() as stack):
                y = widened(value, stack._result_dtype)
                return pairwise_sum(_of(i, s.H, own) for i, (s, own) in enumerate(zip(stack, y, strict=True)))
            case WeightedGram(parent=StackedPhysics() as stack, weights=weights):
                return pairwise_sum(
                    w * _of(i, Gram(s), value) for i, (w, s) in enumerate(zip(weights, stack, strict=True))
                )
    match operator:
        case Vjp(parent=Stacked() | Distributed() as physics):
            return _vjp(operator, physics, value)
        case Composed(convolution=None) | Chained():
            return apply(operator.left, apply(operator.right, value))
        case Composed() if split(operator, value):
            return apply(operator.left, apply(operator.right, value))
        case Scaled():
            return operator.factor * apply(operator.parent, value)
        case Sum():
            return pairwise_sum(apply(term, value) for term in operator.terms)
        case Stacked() | Distributed():
            return _forward(operator, value)
        case Gram(parent=StackedPhysics() | DistributedPhysics()):
            return _gram(operator, value)
        case WeightedGram():
            return _gram(operator, value, operator.weights)
        case Gram(parent=parent) if _holds(parent, SENSORS):
            return apply(parent.H, apply(parent, value))
        case PseudoInverse(parent=parent) if _inverts(parent):
            return _pseudo_inverse(operator, value)
        case Adjoint(parent=Composed() as product) if product.convolution is None or split(operator, value):
            return apply(product.right.H, apply(product.left.H, value))
        case Adjoint(parent=Scaled() as multiple):
            if multiple.parent.of_real_images or multiple.parent.gives_real:
                return apply(multiple.parent.H, multiple.factor.conjugate() * value)
            return multiple.factor.conjugate() * apply(multiple.parent.H, value)
        case Adjoint(parent=Sum() as total):
            return pairwise_sum(apply(term.H, value) for term in total.terms)
        case Adjoint(parent=(StackedPhysics() | DistributedPhysics()) as physics):
            return _adjoint(physics, value)
    return _leaf(operator, value)


def _each(blocks: Any, values: Measurements) -> Measurements:
    """Each block of its own array."""
    return Measurements(_of(i, block, own) for i, (block, own) in enumerate(zip(blocks, values, strict=True)))


def _of(index: int, product: Any, value: Any) -> Any:
    """A product of one sensor of a stack; chunks that it refuses are refused in the sensor's name."""
    try:
        return apply(product, value)
    except ShapeError as error:
        raise ShapeError(f"sensor {index}: {error}") from error


def _split(joined: Joined, y: Any) -> Measurements:
    """The measurement of each part, in one chunk along the sensor axis."""
    return joined.split(y).map(lambda own: own.rechunk({own.ndim + joined.sensor_axis: -1}))


def _holds(operator: Any, kinds: Any) -> bool:
    """Whether an operator is one of `kinds`, or made of one."""
    if isinstance(operator, kinds):
        return True
    fields = operator._fields().values() if isinstance(operator, Physics) else ()
    return any(_holds(part, kinds) for f in fields for part in (f if isinstance(f, tuple) else (f,)))


def _inverts(operator: Any) -> bool:
    """Whether AᴴA of sensors is one merged value with a closed inverse."""
    return isinstance(operator, SENSORS) and has_closed_form(operator)


# -- operators that are one task a chunk ---------------------------------------------------------------------


def _leaf(operator: Physics, value: Any) -> Any:
    """An operator as a whole: one task a chunk."""
    if _holds(operator, Distributed):
        raise NotClosedFormError(
            f"{operator!r} iterates over workers and has no lazy form: give it arrays in memory, as in "
            f"A_dagger(y.compute())"
        )
    inputs, lead = aligned(operator, value)
    many = isinstance(value, Measurements)
    shape = operator._range_shape(value.shapes if many else value.shape)
    dtype = operator._result_dtype(inputs[0].dtype.name)
    name = f"{type(operator).__name__.lower()}-{tokenize(operator, *(x.name for x in inputs))}"
    builder = GraphBuilder(name)
    held = constant(builder, f"operator-{tokenize(operator)}", (), operator)
    shapes = shape if shape and isinstance(shape[0], tuple) else None
    for index in indexes(inputs[0], lead):
        chunks: Any = [key(x, index) for x in inputs]
        at = filled(name, index, len(shape)) if shapes is None else (name, *index)
        made = builder.add(at, run_leaf, held, chunks if many else chunks[0], layer=name)
        if shapes is not None:
            take(builder, name, index, shapes, made)
    graph = builder.build(inputs)
    if shapes is None:
        return array(graph, name, inputs, lead, shape, dtype)
    return measurements(graph, name, inputs, lead, shapes, [dtype] * len(shapes))


def run_leaf(operator: Physics, x: Any) -> Any:
    """One chunk through an operator; FFTs use one thread, since chunks run side by side."""
    with backend.fft_threads(1):
        return operator._forward(Measurements(x) if isinstance(x, list) else x)


# -- operators that are taken apart into blocks of sensors ---------------------------------------------------


def _forward(physics: Any, x: Any) -> Measurements:
    inputs, lead = aligned(physics, x)
    builder, call, blocks = begin("forward", physics, inputs)
    _check_memory(physics, "A", blocks, inputs[0], x.shape)
    shapes = physics._range_shape(x.shape)
    for index in indexes(x, lead):
        made = calls.forward(builder, call, blocks, key(x, index), _expected(physics, x, index), index)
        for (start, stop), block in zip(blocks.bounds, made, strict=True):
            take(builder, call, index, shapes[:stop], block, start)
    return measurements(builder.build(inputs), call, inputs, lead, shapes, dtypes(physics, x))


def _check_memory(physics: Any, method: str, blocks: Blocks, sample: Any, shape: Any) -> None:
    """Refuse a product of a distributed operator of which not even one task fits: one block on the largest chunk.

    Others may be computed and stored before and after it, so that no more need be there at once.
    `sample` has the leading chunks, and `shape` is that of the whole image.
    """
    if isinstance(physics, Distributed):
        lead = len(shape) - physics.domain.ndim
        largest = (*(max(c) for c in sample.chunks[:lead]), *shape[lead:])
        workers = physics.holding.workers
        one = replace(blocks, bounds=blocks.bounds[:1], refs=blocks.refs[:1], homes=blocks.homes[:1])
        physics.runner.guard.check_image(method, one, workers, largest, sample.dtype.name)


def _expected(physics: Any, x: Any, index: Index) -> Any:
    """The shapes of measurements of a chunk, where a factory makes sensors that are not known here."""
    if isinstance(physics, Distributed):
        return physics.recipe.expected(chunk_shape(x, index, x.shape))
    return None


def _adjoint(physics: Any, y: Measurements) -> Any:
    y = widened(y, physics._result_dtype)
    inputs, lead = aligned(physics.H, y)
    shape = physics._domain_shape(y.shapes)
    builder, call, blocks = begin("adjoint", physics, inputs, grouped=True)
    _check_memory(physics, "A_adjoint", blocks, inputs[0], shape)
    name = f"adjoint-{call}"
    for index in indexes(inputs[0], lead):
        chunks, image = [key(a, index) for a in inputs], chunk_shape(inputs[0], index, shape)
        calls.adjoint(builder, call, blocks, chunks, image, filled(name, index, len(shape))[1:], layer=name)
    dtype = adjoint_dtype(physics, inputs[0])
    return array(builder.build(inputs), name, inputs, lead, shape, dtype)


def _vjp(operator: Vjp, physics: Any, value: Measurements) -> Any:
    (x, *v), lead = aligned(operator, value)
    builder, call, blocks = begin("vjp", physics, [x, *v], grouped=True)
    _check_memory(physics, "A_vjp", blocks, x, x.shape)
    name = f"vjp-{call}"
    for index in indexes(x, lead):
        given = key(x, index), [key(a, index) for a in v]
        calls.vjp(builder, call, blocks, given, filled(name, index, x.ndim)[1:], layer=name)
    return array(builder.build([x, *v]), name, [x], lead, x.shape, x.dtype.name)


def _gram(operator: Gram | WeightedGram, x: Any, weights: Weights | None = None) -> Any:
    physics: Any = operator.parent
    inputs, lead = aligned(physics, x)
    builder, call, blocks = begin("gram", operator, inputs, physics, grouped=True)
    name = f"gram-{call}"
    by_tree = isinstance(operator, DistributedGram) and operator.method == "tree"
    merged, dtype = None, x.dtype.name
    if physics.normal_kind is None or by_tree:
        _check_memory(physics, "A_adjoint_A", blocks, x, x.shape)
    if physics.normal_kind is not None and not by_tree and weights is None:
        merged = calls.normal(builder, call, blocks, x.shape[lead:])
        dtype = physics.normal_kind.result_dtype(dtype)
    else:
        dtype = normal_dtype(physics, x)
    for index in indexes(x, lead):
        at = filled(name, index, x.ndim)
        if merged is None:
            calls.gram(builder, call, blocks, key(x, index), at[1:], layer=name, weights=weights)
        else:
            builder.add(at, run_leaf, merged, key(x, index), layer=name)
    return array(builder.build(inputs), name, inputs, lead, x.shape, dtype)


def _pseudo_inverse(operator: PseudoInverse, y: Measurements) -> Any:
    physics: Any = operator.parent
    y = widened(y, physics._result_dtype)
    inputs, lead = aligned(physics.H, y)
    shape = physics._domain_shape(y.shapes)
    builder, call, blocks = begin("pinv", operator, inputs, physics, grouped=True)
    name = f"pinv-{call}"
    merged = calls.normal(builder, call, blocks, shape[lead:])
    transform = physics.transform.at_image_size()
    blocks = replace(blocks, transform=transform.outline())
    for index in indexes(inputs[0], lead):
        at, image = filled(name, index, len(shape)), chunk_shape(inputs[0], index, shape)
        z = calls.adjoint(builder, call, blocks, [key(a, index) for a in inputs], None, at[1:])
        builder.add(at, run_solution, merged, z, transform, image, operator.rtol, layer=name)
    dtype = adjoint_dtype(physics, inputs[0])
    return array(builder.build(inputs), name, inputs, lead, shape, dtype)


def run_solution(merged: Any, z: Any, transform: Any, shape: Any, rtol: float | None) -> Any:
    """One chunk of the least-squares solution; FFTs use one thread, since chunks run side by side."""
    with backend.fft_threads(1):
        return normal_solution(merged, z, transform, shape, rtol)
