"""Stacked operators A = [A_1; …; A_N]: one image, N sensors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError, describe
from daskphys.physics import blockcost
from daskphys.physics.base import LinearPhysics
from daskphys.physics.blockproducts import (
    adjoint_parts,
    gram_parts,
    normal_parts,
    total_of,
    vjp_parts,
)
from daskphys.physics.cost import Cost, summed
from daskphys.physics.measurements import Measurements
from daskphys.physics.naming import naming
from daskphys.physics.normal_kind import NormalKind, joined
from daskphys.physics.physics import Physics
from daskphys.physics.spaces import Images, check_alike, check_as_many, widest
from daskphys.physics.stacked import SHAPES, Stacked
from daskphys.physics.transform import Plain, Transform
from daskphys.physics.value import value
from daskphys.physics.weighted import Weights, weighted_normal


def stack(*operators: Any) -> Any:
    """The operator whose measurement is one array for each of `operators`.

    Stacks among them are laid flat, so that there is one sensor axis.  It is a `StackedPhysics` where all are linear,
    else a `NonlinearStack`.

    Parameters
    ----------
    *operators : Physics
        The sensors, with one domain; a list is unpacked, as in ``stack(*operators)``.

    Returns
    -------
    StackedPhysics or NonlinearStack
        It is as long as there are sensors, and gives them by index and slice.

    Raises
    ------
    ParameterError
        Nothing to stack, or something that is no operator.

    Examples
    --------
    >>> from daskphys.physics import Blur, gaussian_blur, stack
    >>> A = stack(*[Blur(gaussian_blur(s)) for s in (1.0, 2.0, 3.0)])
    >>> len(A), A[1], len(A[1:])
    (3, Blur(15×15, circular), 2)
    """
    flat: list[Physics] = []
    for position, given in enumerate(operators):
        if not isinstance(given, Physics):
            raise ParameterError(
                f"stack() expected operators, got {describe(given)} at position {position}: "
                f"unpack a list, as in stack(*operators)"
            )
        if not isinstance(given, Stacked) and not isinstance(given.range, Images):
            raise ParameterError(
                f"stack() expected operators with one measurement each, got {given!r} at position {position}, which "
                f"has one a sensor: stack its sensors"
            )
        flat.extend(given.sensors if isinstance(given, Stacked) else (given,))
    return stacked(tuple(flat))


def stacked(sensors: Any) -> Any:
    """The stack of `sensors`, of the kind that they make it."""
    linear = all(isinstance(sensor, LinearPhysics) for sensor in kinds(sensors))
    return StackedPhysics(sensors) if linear else NonlinearStack(sensors)


def kinds(sensors: Any) -> tuple[Any, ...]:
    """Sensors that tell of all: of those that are read when they are asked for, one of each kind."""
    of_each: tuple[Any, ...] = getattr(sensors, "kinds", sensors)
    return of_each


@value
class StackedPhysics(Stacked, LinearPhysics):
    """The stack [A_1; …; A_N] of operators with one domain, made by `stack`.

    A x is `Measurements`: one array a sensor, of any shapes.  Sums over sensors follow the one canonical
    order of `daskphys.pairwise`, so that their bits do not depend on how the sensors are cut into blocks.

    Parameters
    ----------
    sensors : tuple of LinearPhysics
        One operator a sensor.

    Raises
    ------
    ParameterError
        No sensors, or a noise model of the whole: each sensor has its own.
    DtypeError
        Sensors of real images alone beside others.
    ShapeError
        At a call: an image that a sensor refuses, or measurements that do not belong to one image.
    SensorError
        At a call: a sensor failed; the message gives its index and operator.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Blur, Downsampling, gaussian_blur, stack
    >>> A = stack(Blur(gaussian_blur(1.0)), Downsampling("bilinear", factor=2))
    >>> A(np.ones((32, 32))).shapes
    ((32, 32), (16, 16))
    >>> A[0], len(A), A.H
    (Blur(9×9, circular), 2, StackedPhysics(2 sensors: Blur(9×9, circular), Downsampling(4×4, every 2., circular)).H)
    """

    sensors: tuple[LinearPhysics, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_alike(kinds(self.sensors))

    def _of(self, sensors: tuple[Any, ...]) -> Any:
        return stacked(sensors)

    # -- algebra: sensor by sensor, so that results stay stacks ---------------------------------------------

    def _scaled(self, number: complex) -> StackedPhysics:
        return StackedPhysics(tuple(number * s for s in self))

    def _merge(self, other: Any) -> StackedPhysics | None:
        if not isinstance(other, StackedPhysics):
            return None
        check_as_many(self, other)
        return StackedPhysics(tuple(a + b for a, b in zip(self, other, strict=True)))

    # -- shapes --------------------------------------------------------------------------------------------

    @functools.cached_property
    def _domain_rule(self) -> Callable[[Any], Any]:
        return functools.lru_cache(maxsize=SHAPES)(functools.partial(_one_domain, self.sensors))

    def _domain_shape(self, shape: Any) -> Any:
        return self._domain_rule(shape)

    def _adjoint_dtype(self, dtype: str) -> str:
        """That of the sum over sensors."""
        return widest(s._adjoint_dtype(dtype) for s in self)

    @functools.cached_property
    def of_real_images(self) -> bool:
        return bool(self[0].of_real_images)  # `check_alike`: and all others

    # -- products ------------------------------------------------------------------------------------------

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.transform.lower(self._adjoint_to(y, shape, self.transform), shape)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        y = widened(y, self._result_dtype)
        return total_of(adjoint_parts(self, y, shape, transform))

    def _gram(self, x: Any, weights: Weights | None = None) -> Any:
        return total_of(gram_parts(self, x, weights=weights))

    @functools.cached_property
    def normal_kind(self) -> NormalKind | None:
        return joined(s.normal_kind for s in self)

    def _make_normal(self, shape: Any, weights: Weights | None = None) -> Any:
        return total_of(normal_parts(self, shape, weights=weights))

    def _weighted_normal(self, shape: Any, weights: Any) -> LinearPhysics:
        return weighted_normal(self, shape, weights)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        parts = blockcost.adjoint_cost(self.sensors, shape, dtype, self.transform)
        return blockcost.total_cost(parts, shape, self._adjoint_dtype(dtype), self.transform)

    def _gram_cost(self, shape: Any, dtype: str) -> Cost:
        if self.normal_kind is not None:
            return summed([s._merged_cost(shape, dtype) for s in blockcost.one_a_kind(self.sensors)], sums=1)
        return blockcost.total_cost(blockcost.gram_cost(self.sensors, shape, dtype), shape, dtype, Plain())


@value
class NonlinearStack(Stacked):
    """The stack [A_1; …; A_N] of operators with one domain that are not all linear, made by `stack`.

    A(x) is `Measurements`; ``A_vjp(x, v)`` is the sum of the sensors', in the canonical order of `daskphys.pairwise`.

    Parameters
    ----------
    sensors : tuple of Physics
        One operator a sensor, linear or not.

    Raises
    ------
    ParameterError
        No sensors, or a noise model of the whole: each sensor has its own.
    NotLinearError
        What only linear operators have was asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Blur, Identity, PhaseRetrieval, gaussian_blur, stack
    >>> A = stack(PhaseRetrieval(Blur(gaussian_blur(1.0))), Identity())
    >>> A(2 * np.ones((16, 16)))[0].round(6).max(), A[1]
    (np.float64(4.0), Identity(1.0))
    """

    sensors: tuple[Any, ...]

    def _of(self, sensors: tuple[Any, ...]) -> Any:
        return stacked(sensors)

    def _vjp(self, x: Any, v: Any) -> Any:
        return total_of(vjp_parts(self, x, v))


def _one_domain(sensors: tuple[LinearPhysics, ...], shape: Any) -> Any:
    domains = []
    for index, (sensor, own) in enumerate(zip(sensors, shape, strict=True)):
        with naming(index, sensor):
            domains.append(sensor._domain_shape(own))
        if domains[index] != domains[0]:
            raise ShapeError(
                f"{StackedPhysics(sensors)!r} expected measurements of one image, but sensor 0 ({sensors[0]!r}) belongs "
                f"to an image of shape {domains[0]} and sensor {index} ({sensor!r}) to one of {domains[index]}"
            )
    return domains[0]


def widened(y: Measurements, result_dtype: Callable[[str], str]) -> Measurements:
    """Measurements in the dtype of their sum, complex where any sensor makes it so.

    The lifted form of a complex array has one axis more than that of a real one, so they do not add.
    """
    names = {backend.dtype_name(a) for a in y}
    wide = {result_dtype(name) for name in names} | names
    if len(wide) == 1:
        return y
    return y.map(lambda a: backend.astype(a, backend.complex_name(backend.dtype_name(a))))
