"""How a block of sensors is made on a worker, and the shapes that the client knows of the whole stack.

A recipe travels once, as a task; what is lost with a worker is made again from it by the scheduler.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import dask
from dask.base import tokenize

from daskphys import backend
from daskphys.distributed.factories import (
    Chosen,
    Expected,
    Makers,
    Mapped,
    Picked,
    keep_block,
    keep_factory,
    made,
    make_block,
)
from daskphys.distributed.parameters import Parameters
from daskphys.distributed.shared import fill_block, keep_array, nbytes_once, shared_by, stripped
from daskphys.errors import ParameterError, ShapeError
from daskphys.graph.blocks import Bounds
from daskphys.graph.builder import GraphBuilder
from daskphys.markup import counted
from daskphys.physics.base import LinearPhysics
from daskphys.physics.naming import naming
from daskphys.physics.physics import Physics
from daskphys.physics.spaces import Sensors
from daskphys.physics.stack import stacked
from daskphys.physics.stacked import Stacked

#: Bytes of a factory up to which it travels with each block: a task of its own costs more.
_SMALL = 1 << 16


def quiet_about_size() -> Any:
    """Without Dask's warning of a large graph, which `distribute` gives in its own words."""
    return dask.config.set({"distributed.admin.large-graph-warning-threshold": "1000 PiB"})


class Recipe(abc.ABC):
    """The stack that is distributed, without the parameters of its sensors where the client has none."""

    token: str
    template: Any
    #: The sensors whose shapes the template does not tell.
    unlike: tuple[int, ...] = ()

    @property
    def on_cluster(self) -> bool:
        """Whether the client can make no sensor without the cluster."""
        return False

    @property
    def linear(self) -> bool:
        """Whether its sensors are linear; of a factory, sensor 0 stands for all."""
        return isinstance(self.template, LinearPhysics)

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def tasks(
        self, builder: GraphBuilder, bounds: Bounds, homes: Sequence[Hashable]
    ) -> list[tuple[Any, ...]]:
        """Function and arguments that make each block on a worker; what they need is added to `builder`."""

    @abc.abstractmethod
    def sensor(self, index: int) -> Physics:
        """One sensor's operator, on the client."""

    @abc.abstractmethod
    def chosen(self, indexes: Sequence[int]) -> Recipe:
        """The recipe of some of the sensors."""

    def expected(self, shape: Any) -> Expected | None:
        """The shapes that measurements must have, where not all sensors are known here."""
        return None

    @abc.abstractmethod
    def summary(self, what: str = "sensor") -> str:
        """The sensors in a few words; `what` is one of them called."""

    def mapped(self, f: Callable[..., Physics], *others: Recipe) -> Recipe:
        """The recipe of ``f(sensor, *sensors of others)`` for each sensor; `f` pickles."""
        recipes = (self, *others)
        makers = [recipe.makers() for recipe in recipes]
        counts = tuple(len(m.parameters.arrays) for m in makers)
        factory = Mapped(f, tuple(m.factory for m in makers), counts, tokenize([r.token for r in recipes]))
        arrays = tuple(array for m in makers for array in m.parameters.arrays)
        get = next((m.get for m in makers if m.get is not None), None)
        unlike = sorted({index for recipe in recipes for index in recipe.unlike})
        return FactoryRecipe(Makers(factory, Parameters(arrays), get), len(self), tuple(unlike))

    @abc.abstractmethod
    def makers(self) -> Makers:
        """What makes the sensors one by one."""

    @abc.abstractmethod
    def nbytes(self, start: int, stop: int) -> int:
        """Bytes of parameters that travel with a block."""

    def sent(self, bounds: Bounds) -> int:
        """Bytes of parameters that travel with all blocks."""
        return sum(self.nbytes(*bound) for bound in bounds)

    def size(self, start: int, stop: int) -> int:
        """Bytes of parameters that a block will have on its worker, as far as they are known before it is made."""
        return self.nbytes(start, stop)

    def alike(self, start: int, stop: int) -> Sequence[Any]:
        """Operators that cost what those of a block do: of a factory, sensor 0 stands for all."""
        return (self.template,) * (stop - start)

    @abc.abstractmethod
    def range_shape(self, shape: Any) -> Any:
        """One shape a sensor."""

    @abc.abstractmethod
    def domain_shape(self, shapes: Any) -> Any:
        """The image's shape."""

    @abc.abstractmethod
    def range(self, owner: Any) -> Sensors:
        """The measurements' space."""


class StackRecipe(Recipe):
    """A stack that the client holds."""

    def __init__(self, stack: Stacked) -> None:
        self.template = stack
        self._stack: Any = stack
        self.token = tokenize(stack)

    def __len__(self) -> int:
        return len(self._stack)

    def tasks(
        self, builder: GraphBuilder, bounds: Bounds, homes: Sequence[Hashable]
    ) -> list[tuple[Any, ...]]:
        blocks = [self._stack[start:stop] for start, stop in bounds]
        shared = shared_by(blocks)
        if not shared:
            return [(keep_block, block) for block in blocks]
        # By content: which arrays are shared depends on how the stack is cut.
        refs = [builder.add(f"shared-{tokenize(backend.digest(a))}", keep_array, a) for a in shared]
        made = []
        for block in blocks:
            rest, used = stripped(block, shared)
            made.append((fill_block, rest, used, [refs[number] for number in used]))
        return made

    def sensor(self, index: int) -> Physics:
        operator: Physics = self._stack.sensors[index]
        return operator

    def chosen(self, indexes: Sequence[int]) -> Recipe:
        return StackRecipe(stacked(tuple(self._stack.sensors[i] for i in indexes)))

    def summary(self, what: str = "sensor") -> str:
        text: str = self._stack._listed(what)
        return text

    def mapped(self, f: Callable[..., Physics], *others: Recipe) -> Recipe:
        if not all(isinstance(other, StackRecipe) for other in others):
            return super().mapped(f, *others)
        stacks = (self, *others)
        return StackRecipe(stacked(tuple(f(*(r.sensor(i) for r in stacks)) for i in range(len(self)))))

    def makers(self) -> Makers:
        return Makers(Picked(self._stack.sensors))

    def nbytes(self, start: int, stop: int) -> int:
        return int(self._stack[start:stop].nbytes)

    def sent(self, bounds: Bounds) -> int:
        return nbytes_once([self._stack[start:stop] for start, stop in bounds])

    def alike(self, start: int, stop: int) -> Sequence[Any]:
        result: Sequence[Any] = self._stack.sensors[start:stop]
        return result

    def range_shape(self, shape: Any) -> Any:
        return self._stack._range_shape(shape)

    def domain_shape(self, shapes: Any) -> Any:
        return self._stack._domain_shape(shapes)

    def range(self, owner: Any) -> Sensors:
        return Sensors(owner, self._stack._spaces)


class FactoryRecipe(Recipe):
    """A factory makes each sensor's operator where it lives; all have the shapes of sensor 0, but for `unlike`."""

    def __init__(self, makers: Makers, n: int, unlike: tuple[int, ...] = ()) -> None:
        self._makers, self._n, self.unlike = makers, n, unlike
        self.token = tokenize(makers.factory, n, makers.parameters)
        self.template = self.sensor(0)
        self._unlike = {index: self.sensor(index) for index in unlike}

    def __len__(self) -> int:
        return self._n

    def tasks(
        self, builder: GraphBuilder, bounds: Bounds, homes: Sequence[Hashable]
    ) -> list[tuple[Any, ...]]:
        taken = self._makers.parameters.add(builder, bounds, homes)
        factory: Any = self._makers.factory
        if self._held_by_factory > _SMALL:  # what all sensors have in common travels once
            factory = builder.add(f"factory-{self.token}", keep_factory, factory)
        return [
            (make_block, factory, start, stop, *(parts[block] for parts in taken))
            for block, (start, stop) in enumerate(bounds)
        ]

    @property
    def on_cluster(self) -> bool:
        return self._makers.get is not None

    @property
    def _held_by_factory(self) -> int:
        """Bytes of the arrays that the factory has, as far as it says."""
        return int(getattr(self._makers.factory, "nbytes", 0))

    def sent(self, bounds: Bounds) -> int:
        times = 1 if self._held_by_factory > _SMALL else len(bounds)
        return super().sent(bounds) + times * self._held_by_factory

    def sensor(self, index: int) -> Physics:
        factory, parameters, get = self._makers.factory, self._makers.parameters, self._makers.get
        if get is None:
            return made(factory, index, tuple(array[index] for array in parameters.arrays))
        builder = GraphBuilder(f"sensor-{self.token[:12]}")
        taken = parameters.chosen(range(index, index + 1)).add(builder, ((0, 1),), [None])
        key = (f"sensor-{self.token}", index)
        builder.add(key, make_block, factory, index, index + 1, *(parts[0] for parts in taken))
        with quiet_about_size():
            sensor: Physics = get(builder.build(), key)[0]
        return sensor

    def chosen(self, indexes: Sequence[int]) -> Recipe:
        if not indexes:
            raise ParameterError(f"a slice of {self.summary()} expected at least one sensor, got none")
        factory, parameters = self._makers.factory, self._makers.parameters.chosen(indexes)
        makers = Makers(Chosen(factory, tuple(indexes)), parameters, self._makers.get)
        unlike = (
            own
            for own, index in enumerate(indexes)
            # Sensors that are unlike sensor 0 may be unlike each other.
            if index in self._unlike or (indexes[0] in self._unlike and index != indexes[0])
        )
        return FactoryRecipe(makers, len(indexes), tuple(unlike))

    def makers(self) -> Makers:
        return self._makers

    def expected(self, shape: Any) -> Expected:
        others = {index: sensor._range_shape(shape) for index, sensor in self._unlike.items()}
        return Expected(self.template._range_shape(shape), others)

    def summary(self, what: str = "sensor") -> str:
        return f"{counted(self._n, what)} like {self.template!r}"

    def nbytes(self, start: int, stop: int) -> int:
        return self._makers.parameters.nbytes(start, stop)

    def size(self, start: int, stop: int) -> int:
        return self._makers.parameters.size(start, stop)

    def range_shape(self, shape: Any) -> Any:
        expected = self.expected(shape)
        return tuple(map(expected.of, range(self._n)))

    def domain_shape(self, shapes: Any) -> Any:
        with naming(0, self.template):
            domain = self.template._domain_shape(shapes[0])
        expected = self.expected(domain)
        for index, shape in enumerate(shapes):
            if tuple(shape) != tuple(expected.of(index)):
                raise ShapeError(
                    f"{self.summary()} expected a measurement of shape {expected.of(index)} for sensor {index}, got "
                    f"{shape}: all have one shape, that of sensor 0, but for a last part that is shorter"
                )
        return domain

    def range(self, owner: Any) -> Sensors:
        spaces = [self.template.range] * self._n
        for index, sensor in self._unlike.items():
            spaces[index] = sensor.range
        return Sensors(owner, tuple(spaces))
