"""Distributed operators with a sensor axis of their own: the parts are distributed, and the result is one array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import dask.array as da
from dask.base import tokenize

from daskphys import backend
from daskphys.distributed.context import DistributedContext
from daskphys.distributed.factories import Makers
from daskphys.distributed.parameters import Parameters
from daskphys.distributed.physics import DistributedPhysics
from daskphys.distributed.placed import Placement, rows
from daskphys.distributed.plan import Plan
from daskphys.distributed.recipes import FactoryRecipe, Recipe, StackRecipe
from daskphys.distributed.report import Report
from daskphys.errors import checks_keywords
from daskphys.physics.base import LinearPhysics
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.parts import Joined, JoinedStack
from daskphys.physics.value import value


@value
class DistributedJoined(JoinedStack):
    """An operator with a sensor axis whose parts live on the workers of a cluster; made by `distribute`.

    It has the methods of the plain operator, those of a `DistributedPhysics`, and the same bits.
    """

    parts: DistributedPhysics

    @property
    def ctx(self) -> DistributedContext:
        """The cluster."""
        return self.parts.ctx

    @property
    def placement(self) -> Placement:
        """Worker → the sensors whose operators it holds now."""
        bounds, placed = self.bounds, self.parts.placement
        return Placement(
            {w: [i for part in held for i in range(*bounds[part])] for w, held in placed.items()},
            placed.nbytes,
        )

    @property
    def local_indexes(self) -> list[int]:
        """The sensors that this client commands: all of them."""
        return list(range(len(self)))

    @property
    def nbytes(self) -> int:
        """Bytes of all parameters, on all workers."""
        return self.parts.nbytes

    def to(self, device: Any) -> DistributedJoined:
        """Itself, where `device` is its context's."""
        self.parts.to(device)
        return self

    def A_adjoint_A(self, x: Any, method: Literal["auto", "tree", "client", "workers"] = "auto") -> Any:
        """AᴴA x; `method` as that of `DistributedPhysics.A_adjoint_A`."""
        return self.parts.A_adjoint_A(x, method)

    @checks_keywords
    def plan(
        self, x_or_shape: Any, method: str = "A", *, dtype: str = "float32", calibrate: bool = True
    ) -> Plan:
        """What a call will cost, as `DistributedPhysics.plan` says it; `x_or_shape` is an image or its shape."""
        made = self.parts.plan(x_or_shape, method, dtype=dtype, calibrate=calibrate)
        bounds = self.bounds
        workers = tuple(
            replace(w, sensors=tuple((bounds[a][0], bounds[b - 1][1]) for a, b in w.sensors))
            for w in made.workers
        )
        return replace(made, operator=repr(self), workers=workers)

    def report(self) -> Report:
        """What the last call did, by block of parts and worker."""
        return self.parts.report()

    def visualize(
        self, method: str = "A_adjoint", filename: str | None = "daskphys", format: str | None = None
    ) -> Any:
        """The task graph of a call as a picture, as `DistributedPhysics.visualize` draws it."""
        return self.parts.visualize(method, filename, format)

    def _joined(self, parts: Any, counts: Any, *, keep_noise: bool = False) -> LinearPhysics:
        if not isinstance(
            parts, DistributedPhysics
        ):  # a product or sum with what cannot be sent to the workers
            return super()._joined(parts, counts, keep_noise=keep_noise)
        noise_model = self.noise_model if keep_noise else None
        return DistributedJoined(parts, tuple(counts), self.own_sensor_axis, noise_model=noise_model)

    def _rows(self) -> list[tuple[str, str]]:
        return rows(self, len(self.parts.bounds))


@dataclass(frozen=True)
class PartFactory:
    """A factory: one part of an operator whose parameters along the sensor axis come part by part.

    Parameters
    ----------
    operator
        The operator, of whose parameters along the sensor axis none is used.
    axes
        Their names, and their sensor axes.
    counts
        How many sensors each part has.
    """

    operator: JoinedPhysics
    axes: Mapping[str, int]
    counts: tuple[int, ...]

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return ("PartFactory", tokenize(self.operator), tuple(self.axes.items()), self.counts)

    @property
    def nbytes(self) -> int:
        """Bytes of the parameters that all parts have in common."""
        return self.operator.nbytes

    def __call__(self, index: int, *parameters: Any) -> LinearPhysics:
        n = self.counts[index]
        fields = {
            name: backend.namespace(own).moveaxis(own[:n], 0, axis)
            for (name, axis), own in zip(self.axes.items(), parameters, strict=True)
        }
        known, made = self.operator._fields(), self.operator._loaded(fields)
        # Of what all parts have in common they have one array, not a copy each.
        return made._with({name: own for name, own in known.items() if name not in fields})._together()


def parts_recipe(A: Joined, get: Any) -> Recipe:
    """The recipe of the parts of an operator with a sensor axis; `get` computes on the cluster."""
    axes: Mapping[str, int] = A.sensor_fields if isinstance(A, JoinedPhysics) else {}
    if not any(isinstance(getattr(A, name), da.Array) for name in axes):
        return StackRecipe(A.parts)
    counts = tuple(A.counts)
    arrays = tuple(_by_part(getattr(A, name), axis, max(counts)) for name, axis in axes.items())
    factory = PartFactory(A._with(dict.fromkeys(axes)), axes, counts)  # type: ignore[arg-type]
    unlike = (len(counts) - 1,) if counts[-1] != counts[0] else ()
    return FactoryRecipe(Makers(factory, Parameters(arrays), get), len(counts), unlike)


def _by_part(field: Any, axis: int, n: int) -> Any:
    """A parameter as an array (part, sensor of the part, …); the last part is filled up with zeros."""
    if not isinstance(field, da.Array):
        return _grouped(backend.namespace(field).moveaxis(field, axis, 0), n)
    field = da.moveaxis(field, axis, 0)
    field = field.rechunk({0: n * max(1, max(field.chunks[0]) // n)})
    parts = tuple(-(-size // n) for size in field.chunks[0])
    return field.map_blocks(
        _grouped, n, dtype=field.dtype, chunks=(parts, (n,), *field.chunks[1:]), new_axis=1
    )


def _grouped(array: Any, n: int) -> Any:
    """An array (sensor, …) as one of (part, sensor of the part, …)."""
    filled = backend.concat([array, backend.zeros((-array.shape[0] % n, *array.shape[1:]), array)], 0)
    return filled.reshape(-1, n, *array.shape[1:])
