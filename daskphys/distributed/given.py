"""The recipe of what a user gives to `distribute`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daskphys.distributed.factories import Makers
from daskphys.distributed.parameters import Parameters
from daskphys.distributed.recipes import FactoryRecipe, Recipe, StackRecipe
from daskphys.errors import ParameterError, describe
from daskphys.physics.checks import is_count
from daskphys.physics.physics import Physics
from daskphys.physics.stack import stack
from daskphys.physics.stacked import Stacked


def recipe_of(
    physics: Any,
    num_operators: int | None,
    parameters: Any = None,
    get: Callable[[Any, Any], Any] | None = None,
) -> Recipe:
    """The recipe of what a user gives to `distribute`; `get` computes on its cluster."""
    if parameters is not None and (isinstance(physics, Physics | list | tuple) or not callable(physics)):
        raise ParameterError(
            f"distribute expected a factory beside parameters, got {describe(physics)}: write a function "
            f"f(index, parameter) that returns one sensor's operator"
        )
    if isinstance(physics, Stacked):
        # Sensors that are read when they are asked for say what reads them, on a worker too.
        sensors: Any = physics.sensors
        maker = getattr(sensors, "maker", None)
        given: Recipe = (
            StackRecipe(physics)
            if maker is None
            else FactoryRecipe(Makers(maker), len(physics), sensors.unlike)
        )
    elif isinstance(physics, list | tuple):
        given = StackRecipe(stack(*physics))
    elif isinstance(physics, Physics):
        raise ParameterError(
            f"distribute expected operators with a sensor axis, got {physics!r}: write distribute(stack(A, B, …), ctx)"
        )
    elif callable(physics):
        arrays = Parameters.of(parameters)
        n = arrays.sensors() if arrays.arrays and num_operators is None else num_operators
        if not is_count(n):
            raise ParameterError(
                f"distribute(factory) expected num_operators, how many times to call it, got {num_operators!r}"
            )
        if arrays.arrays and arrays.sensors() != n:
            raise ParameterError(
                f"distribute got parameters of {arrays.sensors()} sensors and num_operators={n}"
            )
        return FactoryRecipe(Makers(physics, arrays, get if arrays.lazy else None), int(n))
    else:
        raise ParameterError(
            f"distribute expected a stack, a list of operators or a factory, got {describe(physics)}"
        )
    if num_operators not in (None, len(given)):
        raise ParameterError(f"distribute got {len(given)} operators and num_operators={num_operators}")
    return given
