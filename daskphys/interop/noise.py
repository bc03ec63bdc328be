"""Noise on Dask arrays, chunk by chunk: a chunk finds its part of each sensor's stream by its position."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dask.array as da
from dask.base import tokenize

from daskphys.errors import ShapeError
from daskphys.physics.measurements import Measurements
from daskphys.physics.noise.adding import noisy
from daskphys.physics.noise.model import NoiseModel, Seeds
from daskphys.physics.noise.streams import Part
from daskphys.physics.parts import Joined


def added(physics: Any, y: Any, seeds: Seeds, split: bool) -> Any:
    """What `physics` has measured, with noise; `split` is whether the image has several chunks along its own axes."""
    models = physics._noise_models
    if isinstance(y, Measurements):
        return Measurements(
            own
            if model is None
            else _added(
                model, own, seeds, Part.all_of(own.shape, space.ndim, index), repr(space.owner), split
            )
            for index, (own, model, space) in enumerate(zip(y, models, physics.range.spaces, strict=True))
        )
    joined = isinstance(physics, Joined)
    part = Part.all_of(y.shape, -physics.sensor_axis if joined else physics.range.ndim, along=joined)
    return _added(models[0], y, seeds, part, repr(physics), split)


def _added(model: NoiseModel, y: Any, seeds: Seeds, whole: Part, owner: str, split: bool) -> Any:
    model._check_dtype(y.dtype.name, owner)
    if model.depends and not split:  # an operator may give its sensors in several chunks
        y = y.rechunk(dict.fromkeys(range(y.ndim - whole.ndim, y.ndim), -1))
    if model.depends and any(len(c) > 1 for c in y.chunks[y.ndim - whole.ndim :]):
        raise ShapeError(
            f"{owner}: {model!r} depends on what is measured and expected one chunk along the last {whole.ndim} axes of "
            f"the measurement, got chunks {y.chunks}: make it from an image with whole axes, or take A.A(x) and add "
            f"noise of your own"
        )
    name = f"noise-{tokenize(model, seeds, whole, y.name)}"
    made: Any = da.map_blocks(
        run_noise, y, model, seeds, whole, owner, name=name, dtype=y.dtype, meta=y._meta
    )
    return made


def run_noise(
    y: Any, model: NoiseModel, seeds: Seeds, whole: Part, owner: str, block_info: Any = None
) -> Any:
    """One chunk with its noise."""
    start = tuple(first for first, _ in block_info[0]["array-location"])
    return noisy(model, y, seeds, replace(whole, start=start, shape=tuple(y.shape)), owner)
