"""Functions that make the operators of sensors where they live; they pickle and are small."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dask.base import tokenize

from daskphys.distributed.parameters import Parameters
from daskphys.errors import ParameterError, SensorError, describe
from daskphys.physics.naming import naming
from daskphys.physics.physics import Physics
from daskphys.physics.stack import stacked
from daskphys.physics.stacked import Stacked

Factory = Callable[..., Physics]


@dataclass(frozen=True)
class Makers:
    """What makes the operators of sensors one by one.

    Parameters
    ----------
    factory
        ``factory(index, *parameters)`` makes one.
    parameters
        Arrays along the sensor axis; the factory gets one entry of each.
    get
        Computes a key of a graph on the cluster; needed where parameters are Dask arrays, none of whose chunks
        may be made by the client.
    """

    factory: Factory
    parameters: Parameters = field(default_factory=Parameters)
    get: Callable[[Any, Any], Any] | None = None


@dataclass(frozen=True)
class Picked:
    """A factory: sensors that are there."""

    sensors: tuple[Physics, ...]

    def __call__(self, index: int) -> Physics:
        return self.sensors[index]


@dataclass(frozen=True)
class Chosen:
    """A factory: some of the sensors of another."""

    factory: Factory
    indexes: tuple[int, ...]

    def __call__(self, index: int, *parameters: Any) -> Physics:
        return made(self.factory, self.indexes[index], parameters)


@dataclass(frozen=True)
class Mapped:
    """A factory: `f` of the sensors that others make.

    Parameters
    ----------
    f
        Takes as many operators as there are factories.
    factories, counts
        Each factory, and how many parameters it takes; they come one after the other.
    token
        What tells it from others without a look at the sensors.
    """

    f: Factory
    factories: tuple[Factory, ...]
    counts: tuple[int, ...]
    token: str

    def __call__(self, index: int, *parameters: Any) -> Physics:
        operators, first = [], 0
        for factory, count in zip(self.factories, self.counts, strict=True):
            operators.append(made(factory, index, parameters[first : first + count]))
            first += count
        return self.f(*operators)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return ("Mapped", tokenize(self.f), self.token)


@dataclass(frozen=True)
class Expected:
    """The shapes of sensors' measurements: the one that all have, but for a few.

    Parameters
    ----------
    usual
        That of sensor 0.
    unlike
        Those of the sensors that have others.
    """

    usual: tuple[int, ...]
    unlike: Mapping[int, tuple[int, ...]]

    def of(self, index: int) -> tuple[int, ...]:
        """The shape of one sensor's."""
        return self.unlike.get(index, self.usual)


def keep_block(block: Stacked) -> Stacked:
    """The recipe of a block that travelled with its parameters, or that another worker had."""
    return block


def keep_factory(factory: Factory) -> Factory:
    """The factory of all blocks."""
    return factory


def make_block(factory: Factory, start: int, stop: int, *parameters: Any) -> Stacked:
    """The recipe of a block that a factory makes; each of `parameters` holds the block's sensors in front."""
    for number, parameter in enumerate(parameters):
        if len(parameter) != stop - start:
            raise ParameterError(
                f"distribute expected parameters[{number}] to have {stop - start} entries for the sensors {start} to "
                f"{stop - 1}, got a chunk of shape {tuple(parameter.shape)}: its Dask array says other chunks than it has"
            )
    own = [tuple(p[k] for p in parameters) for k in range(stop - start)]
    operator: Stacked = stacked(tuple(made(factory, start + k, own[k]) for k in range(stop - start)))
    return operator


def made(factory: Factory, index: int, parameters: tuple[Any, ...] = ()) -> Physics:
    """One operator of a factory, or an error that names the sensor."""
    with naming(index, factory):
        _check_call(factory, index, parameters)
        operator = factory(index, *parameters)
    if not isinstance(operator, Physics):
        raise SensorError(
            f"sensor {index}: the factory {factory!r} expected to return an operator, got {describe(operator)}"
        )
    return operator


def _check_call(factory: Factory, index: int, parameters: tuple[Any, ...]) -> None:
    """Refuse a factory that does not take as many parameters as there are."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # of a builtin nothing is known
        return
    try:
        signature.bind(index, *parameters)
    except TypeError as error:
        raise ParameterError(
            f"distribute expected a factory f(index, *parameters) that takes {len(parameters)} parameters, one of each "
            f"array, got f{signature}: an array or a Dask array is one parameter, a list or tuple of them is several "
            f"(np.stack makes one)"
        ) from error
