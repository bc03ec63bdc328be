"""Noise on what sensors have measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ShapeError, describe
from daskphys.physics.naming import naming
from daskphys.physics.noise.model import NoiseModel, Seeds
from daskphys.physics.noise.streams import Part, Share, fill


def noisy(model: NoiseModel, y: Any, seeds: Seeds, part: Part, owner: str, measured: Any = None) -> Any:
    """Measurement `y`, which is this part of what a sensor (or several) have measured, with its noise.

    `owner` is the operator in words, for errors; `measured` says where the whole has noise, as `Forward._measured` does.
    """
    if measured is not None:
        flags = backend.like(measured[part.within(tuple(measured.shape))] != 0, y)
        return backend.namespace(y).where(flags, noisy(model, y, seeds, part, owner), y)
    model._check_dtype(backend.dtype_name(y), owner)
    if not backend.size(y.shape):
        return y
    model._check_rates(y, owner)
    seed, out = seeds.of(model), np.empty(part.cube, backend.dtype_name(y))
    if model.depends:
        given = backend.to_numpy(y).reshape(out.shape)

        def one(rng: np.random.Generator, share: Share) -> None:
            at = share.here, share.rows
            out[at] = _checked(
                model, "_sampled", model._sampled(rng, given[at].astype(np.float64)), given[at].shape
            )

        fill(part, seed, one)
        return backend.like(out.reshape(y.shape), y)

    def draw(rng: np.random.Generator, share: Share) -> None:
        shape = int(share.of_cell[-1]) + 1, part.width
        drawn = _checked(model, "_drawn", model._drawn(rng, shape), shape)
        out[share.here, share.rows] = drawn[share.of_cell, part.columns]

    fill(part, seed, draw)
    return _checked(model, "_put", model._put(y, backend.like(out.reshape(y.shape), y)), tuple(y.shape))


def _checked(model: NoiseModel, hook: str, made: Any, shape: tuple[int, ...]) -> Any:
    """What a hook of a model has given, which has to have a shape."""
    if not backend.is_array(made) or tuple(made.shape) != shape:
        raise ShapeError(
            f"{model!r}: {hook} expected to return an array of shape {shape}, got {describe(made)}"
        )
    return made


@dataclass(frozen=True)
class SensorNoise:
    """The noise of one call of a stack: each sensor has its own model."""

    seeds: Seeds

    def added(self, block: Iterable[Any], y: Sequence[Any], start: int = 0) -> list[Any]:
        """The measurements of neighbouring sensors with their noise; the first has the index `start`."""
        made = []
        for index, (sensor, own) in enumerate(zip(block, y, strict=True), start):
            if sensor.noise_model is not None:
                part = Part.all_of(tuple(own.shape), sensor.range.ndim, index)
                with naming(index, sensor):
                    made.append(
                        noisy(sensor.noise_model, own, self.seeds, part, repr(sensor), sensor._measured)
                    )
            else:
                made.append(own)
        return made


@dataclass(frozen=True)
class JoinedNoise:
    """The noise of one call of an operator with a sensor axis: all have one model, and each its own stream.

    Parameters
    ----------
    seeds, model
        The seeds of the call and the noise.
    owner
        The operator in words, for errors.
    firsts
        The first sensor of each part.
    ndim
        How many trailing axes of the measurement there are from the sensor axis on.
    """

    seeds: Seeds
    model: NoiseModel
    owner: str
    firsts: tuple[int, ...]
    ndim: int

    def added(self, block: Iterable[Any], y: Sequence[Any], start: int = 0) -> list[Any]:
        """The measurements of neighbouring parts with their noise; the first has the index `start`."""
        made = []
        for index, (part, own) in enumerate(zip(block, y, strict=True), start):
            where = self.where(index, tuple(own.shape))
            made.append(noisy(self.model, own, self.seeds, where, self.owner, part._measured))
        return made

    def where(self, index: int, shape: tuple[int, ...]) -> Part:
        """What a part has measured, an array of this shape."""
        return Part.all_of(shape, self.ndim, self.firsts[index], along=True)


Noise = SensorNoise | JoinedNoise
