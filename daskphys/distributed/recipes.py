"""How a block of sensors is made on a worker, and what the client knows of the whole stack.

A recipe travels once, as a task; what is lost with a worker is made again from it by the scheduler.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dask.base import tokenize

from daskphys.errors import ParameterError, SensorError, describe
from daskphys.physics.base import LinearPhysics
from daskphys.physics.normal_kind import NormalKind
from daskphys.physics.normal_kind import joined as joined_kind
from daskphys.physics.spaces import Sensors
from daskphys.physics.stack import StackedPhysics, naming, stack
from daskphys.physics.transform import Transform


@dataclass(frozen=True)
class Facts:
    """What the sensors of a block, or of the whole stack, have in common."""

    transform: Transform
    normal_kind: NormalKind | None
    domain_ndim: int
    nbytes: int
    makes_complex: bool  # whether a real image has a complex sum over sensors

    @classmethod
    def of(cls, block: StackedPhysics) -> Facts:
        wide = block._result_dtype("float32") != "float32"
        return cls(block.transform, block.normal_kind, block.domain_ndim, block.nbytes, wide)

    def joined(self, other: Facts) -> Facts:
        return Facts(
            self.transform.join(other.transform),
            joined_kind((self.normal_kind, other.normal_kind)),
            max(self.domain_ndim, other.domain_ndim),
            self.nbytes + other.nbytes,
            self.makes_complex or other.makes_complex,
        )


class Recipe(abc.ABC):
    """The stack that is distributed, without the parameters of its sensors where the client has none."""

    token: str
    template: LinearPhysics

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def task(self, start: int, stop: int) -> tuple[Any, ...]:
        """Function and arguments that make the block ``start … stop-1`` on a worker."""

    @abc.abstractmethod
    def sensor(self, index: int) -> LinearPhysics:
        """One sensor's operator, on the client."""

    @abc.abstractmethod
    def chosen(self, indexes: Sequence[int]) -> Recipe:
        """The recipe of some of the sensors."""

    def expected(self, shape: Any) -> Any:
        """The shape that each sensor's measurement must have, where no sensor but the first is known here."""
        return None

    @abc.abstractmethod
    def summary(self) -> str:
        """The sensors in a few words."""

    @abc.abstractmethod
    def mapped(self, f: Callable[..., LinearPhysics], *others: Recipe) -> Recipe:
        """The recipe of ``f(sensor, *sensors of others)`` for each sensor; `f` pickles."""

    @abc.abstractmethod
    def nbytes(self, start: int, stop: int) -> int:
        """Bytes of parameters that travel with a block."""

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

    def __init__(self, stack: StackedPhysics) -> None:
        self.template = stack
        self._stack = stack
        self.token = tokenize(stack)

    def __len__(self) -> int:
        return len(self._stack)

    def task(self, start: int, stop: int) -> tuple[Any, ...]:
        return keep_block, self._stack[start:stop]

    def sensor(self, index: int) -> LinearPhysics:
        return self._stack.sensors[index]

    def chosen(self, indexes: Sequence[int]) -> Recipe:
        return StackRecipe(StackedPhysics(tuple(self._stack.sensors[i] for i in indexes)))

    def summary(self) -> str:
        return self._stack._summary()

    def mapped(self, f: Callable[..., LinearPhysics], *others: Recipe) -> Recipe:
        if not all(isinstance(other, StackRecipe) for other in others):
            return FactoryRecipe(Mapped(f, (self, *others)), len(self))
        stacks = (self, *others)
        return StackRecipe(StackedPhysics(tuple(f(*(r.sensor(i) for r in stacks)) for i in range(len(self)))))

    def nbytes(self, start: int, stop: int) -> int:
        return int(self._stack[start:stop].nbytes)

    def range_shape(self, shape: Any) -> Any:
        return self._stack._range_shape(shape)

    def domain_shape(self, shapes: Any) -> Any:
        return self._stack._domain_shape(shapes)

    def range(self, owner: Any) -> Sensors:
        return Sensors(owner, tuple(s.range for s in self._stack))


class FactoryRecipe(Recipe):
    """``factory(index)`` makes each sensor's operator where it lives; all have the shapes of sensor 0."""

    def __init__(self, factory: Callable[[int], LinearPhysics], n: int) -> None:
        self._factory = factory
        self._n = n
        self.template = made(factory, 0)
        self.token = tokenize(factory, n)

    def __len__(self) -> int:
        return self._n

    def task(self, start: int, stop: int) -> tuple[Any, ...]:
        return make_block, self._factory, start, stop

    def sensor(self, index: int) -> LinearPhysics:
        return made(self._factory, index)

    def chosen(self, indexes: Sequence[int]) -> Recipe:
        return FactoryRecipe(Chosen(self._factory, tuple(indexes)), len(indexes))

    def expected(self, shape: Any) -> Any:
        return self.template._range_shape(shape)

    def summary(self) -> str:
        return f"{self._n} sensors like {self.template!r}"

    def mapped(self, f: Callable[..., LinearPhysics], *others: Recipe) -> Recipe:
        return FactoryRecipe(Mapped(f, (self, *others)), self._n)

    def nbytes(self, start: int, stop: int) -> int:
        return 0

    def range_shape(self, shape: Any) -> Any:
        return (self.template._range_shape(shape),) * self._n

    def domain_shape(self, shapes: Any) -> Any:
        return StackedPhysics((self.template,) * self._n)._domain_shape(shapes)

    def range(self, owner: Any) -> Sensors:
        return Sensors(owner, (self.template.range,) * self._n)


@dataclass(frozen=True)
class Chosen:
    """A factory: some of the sensors of another."""

    factory: Callable[[int], LinearPhysics]
    indexes: tuple[int, ...]

    def __call__(self, index: int) -> LinearPhysics:
        return made(self.factory, self.indexes[index])


@dataclass(frozen=True)
class Mapped:
    """A factory: `f` of the sensors that recipes make."""

    f: Callable[..., LinearPhysics]
    recipes: tuple[Recipe, ...]

    def __call__(self, index: int) -> LinearPhysics:
        return self.f(*(recipe.sensor(index) for recipe in self.recipes))

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return ("Mapped", tokenize(self.f), *(recipe.token for recipe in self.recipes))


def keep_block(block: StackedPhysics) -> StackedPhysics:
    """The recipe of a block that travelled with its parameters."""
    return block


def make_block(factory: Callable[[int], LinearPhysics], start: int, stop: int) -> StackedPhysics:
    """The recipe of a block that a factory makes."""
    return StackedPhysics(tuple(made(factory, index) for index in range(start, stop)))


def made(factory: Callable[[int], LinearPhysics], index: int) -> LinearPhysics:
    """One operator of a factory, or an error that names the sensor."""
    with naming(index, factory):
        operator = factory(index)
    if not isinstance(operator, LinearPhysics):
        raise SensorError(
            f"sensor {index}: the factory {factory!r} expected to return an operator, got {describe(operator)}"
        )
    return operator


def recipe_of(physics: Any, num_operators: int | None) -> Recipe:
    """The recipe of what a user gives to `distribute`."""
    if isinstance(physics, StackedPhysics):
        given: Recipe = StackRecipe(physics)
    elif isinstance(physics, list | tuple):
        given = StackRecipe(stack(*physics))
    elif isinstance(physics, LinearPhysics):
        raise ParameterError(
            f"distribute expected operators with a sensor axis, got {physics!r}: write distribute(stack(A, B, …), ctx)"
        )
    elif callable(physics):
        if not isinstance(num_operators, int) or num_operators < 1:
            raise ParameterError(
                f"distribute(factory) expected num_operators, how many times to call it, got {num_operators!r}"
            )
        return FactoryRecipe(physics, num_operators)
    else:
        raise ParameterError(
            f"distribute expected a stack, a list of operators or a factory, got {describe(physics)}"
        )
    if num_operators not in (None, len(given)):
        raise ParameterError(f"distribute got {len(given)} operators and num_operators={num_operators}")
    return given
