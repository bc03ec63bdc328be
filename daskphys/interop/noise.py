"""Noise on Dask arrays, chunk by chunk: a chunk finds its part of each sensor's stream by its position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import getitem
from typing import Any

import dask
import dask.array as da
from dask.base import tokenize
from dask.delayed import Delayed

from daskphys.distributed.held import Held, whole
from daskphys.distributed.sensors import Distributed
from daskphys.errors import ShapeError
from daskphys.graph.builder import GraphBuilder
from daskphys.interop.chunks import split
from daskphys.physics.measurements import Measurements
from daskphys.physics.noise.adding import noisy
from daskphys.physics.noise.model import NoiseModel, Seeds
from daskphys.physics.noise.streams import Part
from daskphys.physics.parts import Joined
from daskphys.physics.physics import Chained, Noisy
from daskphys.physics.product import Product
from daskphys.physics.spaces import Sensors


def apply(operator: Noisy, x: Any, without: Callable[[Any, Any], Any]) -> Any:
    """``operator`` applied to `x`, where ``without(A, x)`` applies one that has no noise."""
    physics, seeds = operator.parent, operator.seeds
    if isinstance(physics, Chained) or (isinstance(physics, Product) and isinstance(physics.range, Sensors)):
        return apply(Noisy(physics._noise_of, seeds), without(physics.right, x), without)
    cut = split(physics, x)
    if isinstance(physics, Joined):
        noise = physics._part_noise(seeds)
        parts = [
            _added(noise.model, own, seeds, noise.where(index, own.shape), noise.owner, cut, measured)
            for index, (own, measured) in enumerate(
                zip(without(physics.parts, x), _measured(physics.parts), strict=True)
            )
        ]
        return da.concatenate(parts, axis=physics.sensor_axis)
    y, models, space = without(physics, x), physics._noise_models, physics.range
    if isinstance(space, Sensors):
        each = zip(y, models, space.spaces, _measured(physics), strict=True)
        return Measurements(
            own
            if model is None
            else _added(
                model, own, seeds, Part.all_of(own.shape, one.ndim, i), repr(one.owner), cut, measured
            )
            for i, (own, model, one, measured) in enumerate(each)
        )
    assert models[0] is not None  # it would be no `Noisy`
    part = Part.all_of(y.shape, space.ndim)
    return _added(models[0], y, seeds, part, repr(physics), cut, _held(physics._measured))


def _measured(sensors: Any) -> list[Delayed | None]:
    """Where each sensor has noise; those of a distributed operator say it on their workers."""
    if not isinstance(sensors, Distributed):
        return [_held(sensor._measured) for sensor in sensors]
    name, blocks = f"measured-{tokenize(sensors)}", sensors.holding.lazy_blocks()
    builder = GraphBuilder(name)
    for (start, stop), block, home in blocks:
        made = builder.add((name, "block", start), run_measured, block, worker=home)
        for i in range(start, stop):
            builder.add((name, i), getitem, made, i - start, layer=name)
    graph = builder.build()
    return [Delayed((name, i), graph, layer=name) for i in range(len(sensors))]


def _held(measured: Any) -> Delayed | None:
    """An array that all tasks have in common."""
    return None if measured is None else dask.delayed(measured, pure=True)


def run_measured(block: Held) -> list[Any]:
    """Where each sensor of a block has noise."""
    return [sensor._measured for sensor in whole(block)]


def _added(
    model: NoiseModel, y: Any, seeds: Seeds, whole: Part, owner: str, cut: bool, measured: Delayed | None
) -> Any:
    """A measurement with noise; `cut` is whether the image has several chunks along its own axes."""
    model._check_dtype(y.dtype.name, owner)
    if model.depends and not cut:  # an operator may give its sensors in several chunks
        y = y.rechunk(dict.fromkeys(range(y.ndim - whole.ndim, y.ndim), -1))
    if model.depends and any(len(c) > 1 for c in y.chunks[y.ndim - whole.ndim :]):
        raise ShapeError(
            f"{owner}: {model!r} depends on what is measured and expected one chunk along the last {whole.ndim} axes of "
            f"the measurement, got chunks {y.chunks}: make it from an image with whole axes, or take A.A(x) and add "
            f"noise of your own"
        )
    name = f"noise-{tokenize(model, seeds, whole, y.name, measured)}"
    made: Any = da.map_blocks(
        run_noise, y, model, seeds, whole, owner, measured, name=name, dtype=y.dtype, meta=y._meta
    )
    return made


def run_noise(
    y: Any,
    model: NoiseModel,
    seeds: Seeds,
    whole: Part,
    owner: str,
    measured: Any,
    block_info: Any = None,
) -> Any:
    """One chunk with its noise."""
    start = tuple(first for first, _ in block_info[0]["array-location"])
    return noisy(model, y, seeds, replace(whole, start=start, shape=tuple(y.shape)), owner, measured)
