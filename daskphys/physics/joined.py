"""Operators with a sensor axis of their own (coil, angle, baseline), as the author of a family writes them."""

from __future__ import annotations

import abc
import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from daskphys.errors import ShapeError, describe
from daskphys.physics.base import LinearPhysics
from daskphys.physics.parts import Joined
from daskphys.physics.stack import StackedPhysics


class JoinedPhysics(Joined):
    """An operator with a sensor axis, as the author of a family writes it.

    The author names the parameters that have one entry a sensor, in `sensor_fields`, and writes `_together`, the
    operator of all sensors that a value has; its measurement has the sensor axis in front of the range's other axes.
    `A[i:j]`, blocks on workers, sums over the sensors and all products follow.

    Parameters
    ----------
    noise_model : NoiseModel, optional
        As of every operator; an author adds the parameters of `sensor_fields` and others.

    Raises
    ------
    ShapeError
        The parameters of `sensor_fields` differ in their number of sensors, or lack the axis.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Diagonal, JoinedPhysics, LinearPhysics, value
    >>> @value
    ... class Weighted(LinearPhysics):  # the image once for each weight
    ...     weights: np.ndarray
    ...     range_ndim = 2
    ...     def _forward(self, x):
    ...         return self.weights[:, None] * x[..., None, :]
    ...     def _adjoint(self, y, shape):
    ...         return (self.weights[:, None] * y).sum(-2)
    ...     def _range_shape(self, shape):
    ...         return (*shape[:-1], len(self.weights), shape[-1])
    ...     def _domain_shape(self, shape):
    ...         return (*shape[:-2], shape[-1])
    >>> @value
    ... class Exposures(JoinedPhysics):
    ...     weights: np.ndarray
    ...     sensor_fields = {"weights": -1}
    ...     def _together(self):
    ...         return Weighted(self.weights)
    >>> A = Exposures(np.array([1.0, 2.0, 4.0]))
    >>> len(A), A(np.ones(2))
    (3, array([[1., 1.],
           [2., 2.],
           [4., 4.]]))
    >>> A[1:](np.ones(2)), A[-1](np.ones(2)), A.A_adjoint_A(np.ones(2))
    (array([[2., 2.],
           [4., 4.]]), array([4., 4.]), array([21., 21.]))
    """

    #: The parameters that have one entry a sensor, and the axis (a negative number) that counts sensors.
    sensor_fields: Mapping[str, int]

    #: How many sensors are evaluated together, as one part.
    sensors_a_part: ClassVar[int] = 1

    @abc.abstractmethod
    def _together(self) -> LinearPhysics:
        """The operator of all the sensors of this value; its range has the sensor axis, by rule first: `sensor_axis`."""

    def _check(self) -> None:
        super()._check()
        lengths = {}
        for name, axis in self.sensor_fields.items():
            shape = tuple(getattr(getattr(self, name), "shape", ()))
            if len(shape) < -axis:
                raise ShapeError(
                    f"{type(self).__name__} expected {name} as an array with one entry a sensor along axis {axis}, got "
                    f"{f'shape {shape}' if shape else describe(getattr(self, name))}"
                )
            lengths[name] = shape[axis]
        if len(set(lengths.values())) > 1:
            listed = ", ".join(
                f"{name} of {n} (axis {self.sensor_fields[name]})" for name, n in lengths.items()
            )
            raise ShapeError(
                f"{type(self).__name__} expected parameters of one number of sensors, got {listed}: give each one entry a "
                f"sensor"
            )

    def _loaded(self, fields: Mapping[str, Any]) -> Self:
        """A part whose parameters along the sensor axis were loaded on a worker, which checks them as the whole's are."""
        return type(self)(**{**self._fields(), **fields})

    def __len__(self) -> int:
        name, axis = next(iter(self.sensor_fields.items()))
        return int(getattr(self, name).shape[axis])

    @property
    def counts(self) -> tuple[int, ...]:
        """How many sensors each part has."""
        n, step = len(self), self.sensors_a_part
        return tuple(min(step, n - start) for start in range(0, n, step))

    @functools.cached_property
    def parts(self) -> StackedPhysics:
        """The stack of parts, each the operator of the sensors that are evaluated together."""
        return StackedPhysics(
            tuple(self._chosen(range(start, stop))._together() for start, stop in self.bounds)
        )

    def _chosen(self, sensors: range) -> Self:
        if sensors == range(len(self)):
            return self
        stop = sensors.stop if sensors.stop >= 0 else None
        part = slice(sensors.start, stop, sensors.step)
        return self._with(
            {
                name: getattr(self, name)[(..., part, *(slice(None),) * (-axis - 1))]
                for name, axis in self.sensor_fields.items()
            }
        )
