"""Stacks whose measurements are one array with a sensor axis: what an operator of `daskphys.physics.joined` is.

Such an operator is a stack whose measurements are joined along the sensor axis.  The stack's sensors here are *parts*:
runs of neighbouring sensors that are evaluated together.  Where parts begin depends on the operator alone, so that
results have the same bits wherever the parts are computed.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError
from daskphys.krylov.system import Progress, Solution
from daskphys.markup import counted
from daskphys.physics.axes import Selection, Squeeze
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cost import Cost
from daskphys.physics.measurements import Measurements
from daskphys.physics.naming import naming_whole
from daskphys.physics.noise.adding import JoinedNoise
from daskphys.physics.noise.model import Seeds
from daskphys.physics.normal import Diagonal
from daskphys.physics.normal_kind import NormalKind
from daskphys.physics.spaces import Images, Sensors
from daskphys.physics.stack import StackedPhysics
from daskphys.physics.value import value
from daskphys.physics.weighted import checked_weights

Bound = tuple[int, int]


class Joined(LinearPhysics):
    """A stack of parts, each of which gives an array with a sensor axis, as one operator that gives one array.

    `parts` is the stack (a `StackedPhysics`, or what has its hooks), `counts` how many sensors each part has.
    """

    parts: Any
    counts: Any

    # -- the sensor axis -------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return sum(self.counts)

    def __iter__(self) -> Iterator[LinearPhysics]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        """The operator of a slice of sensors; of one sensor, whose measurement has no sensor axis."""
        chosen = range(len(self))[index]
        if isinstance(chosen, int):
            one = Squeeze(-self.sensor_axis) @ self._chosen(range(chosen, chosen + 1))
            return one.with_noise(self.noise_model)
        if not chosen:
            raise ParameterError(f"a slice of {self!r} expected at least one sensor, got none")
        return self._chosen(chosen)

    @property
    def physics_list(self) -> list[LinearPhysics]:
        """The sensors' operators."""
        return list(self)

    #: The axis (a negative number) of the measurement that counts sensors, where it is not the first of the range's own.
    own_sensor_axis: int | None = None

    @property
    def sensor_axis(self) -> int:
        """The axis (a negative number) of the measurement that counts sensors."""
        return -self.range_ndim if self.own_sensor_axis is None else self.own_sensor_axis

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The first sensor of each part and the one after its last."""
        return tuple(itertools.pairwise((0, *itertools.accumulate(self.counts))))

    @abc.abstractmethod
    def _chosen(self, sensors: range) -> LinearPhysics:
        """The operator of some of the sensors."""

    def _joined(self, parts: Any, counts: Any, *, keep_noise: bool = False) -> LinearPhysics:
        """Other parts, joined as these are."""
        noise_model = self.noise_model if keep_noise else None
        return JoinedStack(parts, tuple(counts), self.own_sensor_axis, noise_model=noise_model)

    def split(self, y: Any) -> Measurements:
        """The measurement of each part, out of the array of all."""
        after = (slice(None),) * (-self.sensor_axis - 1)
        return Measurements(y[(..., slice(start, stop), *after)] for start, stop in self.bounds)

    def join(self, y: Measurements) -> Any:
        """The array of all, out of the measurement of each part."""
        return y[0] if len(y) == 1 else backend.concat(list(y), self.sensor_axis)

    # -- shapes ----------------------------------------------------------------------------------------------

    @property
    def domain(self) -> Images | Sensors:
        return Images(self, self.parts.domain.ndim, self.of_real_images)

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(self.domain.ndim)

    @property
    def range_ndim(self) -> int:
        return int(self.parts.range.ndim)

    def _range_shape(self, shape: Any) -> Any:
        with naming_whole(self):
            shapes = self.parts._range_shape(shape)
        axis = len(shapes[0]) + self.sensor_axis
        return (*shapes[0][:axis], sum(own[axis] for own in shapes), *shapes[0][axis + 1 :])

    def _domain_shape(self, shape: Any) -> Any:
        axis = len(shape) + self.sensor_axis
        if shape[axis] != len(self):
            raise ShapeError(
                f"{self!r} expected a measurement of {len(self)} sensors along axis {self.sensor_axis}, got shape "
                f"{shape}"
            )
        with naming_whole(self):
            return self.parts._domain_shape(
                tuple((*shape[:axis], n, *shape[axis + 1 :]) for n in self.counts)
            )

    def _result_dtype(self, dtype: str) -> str:
        return str(self.parts._result_dtype(dtype))

    def _adjoint_dtype(self, dtype: str) -> str:
        return str(self.parts._adjoint_dtype(dtype))

    # -- products: those of the parts ------------------------------------------------------------------------

    def _forward(self, x: Any) -> Any:
        return self.join(self.parts._forward(x))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.parts._adjoint(self.split(y), shape)

    def _gram(self, x: Any) -> Any:
        return self.parts._gram(x)

    @property
    def normal_kind(self) -> NormalKind | None:
        kind: NormalKind | None = self.parts.normal_kind
        return kind

    def _make_normal(self, shape: Any) -> Any:
        return self.parts._make_normal(shape)

    def _normal(self, shape: Any) -> Any:
        return self.parts._normal(shape)

    def _weighted_normal(self, shape: Any, weights: Any) -> LinearPhysics:
        normal: LinearPhysics
        if max(self.counts) == 1:
            normal = self.parts._weighted_normal(shape, weights)
        else:
            roots = np.sqrt(checked_weights(self, weights))
            normal = (Diagonal(roots[(..., *(None,) * (-self.sensor_axis - 1))]) @ self).normal(shape)
        return normal

    def _solve(
        self,
        solver: Callable[..., Solution],
        y: Any,
        shape: Any,
        x0: Any = None,
        progress: Progress | None = None,
    ) -> Solution:
        solution: Solution = self.parts._solve(
            solver, None if y is None else self.split(y), shape, x0, progress
        )
        return solution

    def _method(self, shape: Any) -> str:
        return str(self.parts._method(shape))

    # -- noise: a stream for each sensor ---------------------------------------------------------------------

    def _noisy(self, x: Any, seeds: Seeds) -> Any:
        if self.noise_model is None:
            return self._forward(x)
        return self.join(self.parts._noised(x, self._part_noise(seeds)))

    def _part_noise(self, seeds: Seeds) -> JoinedNoise:
        """The noise of one call, where there is a noise model."""
        assert self.noise_model is not None
        firsts = tuple(start for start, _ in self.bounds)
        return JoinedNoise(seeds, self.noise_model, repr(self), firsts, -self.sensor_axis)

    @property
    def _measured(self) -> Any:
        each, axis, n = [part._measured for part in self.parts], self.sensor_axis, -self.sensor_axis
        if all(m is None for m in each):
            return None
        flags = [np.atleast_1d(True if m is None else backend.to_numpy(m) != 0) for m in each]
        flags = [m.reshape((1,) * (n - m.ndim) + m.shape) for m in flags]
        ndim = max(m.ndim for m in flags)
        common = np.broadcast_shapes(*((*m.shape[:axis], 1, *m.shape[m.ndim + axis + 1 :]) for m in flags))
        sizes = ((*common[:axis], count, *common[ndim + axis + 1 :]) for count in self.counts)
        return np.concatenate([np.broadcast_to(m, s) for m, s in zip(flags, sizes, strict=True)], axis)

    # -- what they cost --------------------------------------------------------------------------------------

    def _cost(self, shape: Any, dtype: str) -> Cost:
        made: Cost = self.parts._cost(shape, dtype)
        return made if len(self.counts) == 1 else made.then(Cost(result=made.result))

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        cost: Cost = self.parts._adjoint_cost(shape, dtype)
        return cost

    def _gram_cost(self, shape: Any, dtype: str) -> Cost:
        cost: Cost = self.parts._gram_cost(shape, dtype)
        return cost

    # -- algebra: part by part, so that results keep their sensor axis ---------------------------------------

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, LinearPhysics) and isinstance(other.domain, Images):
            return self._joined(self.parts @ other, self.counts, keep_noise=True)
        return super().__matmul__(other)

    def _scaled(self, number: complex) -> Any:
        return self._joined(number * self.parts, self.counts)

    def _merge(self, other: Any) -> Any:
        if not isinstance(other, Joined) or other.counts != self.counts:
            return None
        if other.sensor_axis != self.sensor_axis:
            return None
        return self._joined(self.parts + other.parts, self.counts)


@value
class JoinedStack(Joined):
    """A stack of parts joined along the sensor axis: what the algebra makes of a `JoinedPhysics`."""

    parts: Any
    counts: tuple[int, ...]
    own_sensor_axis: int | None = None

    def _chosen(self, sensors: range) -> LinearPhysics:
        if max(self.counts) == 1:
            stop = sensors.stop if sensors.stop >= 0 else None
            return self._joined(
                self.parts[sensors.start : stop : sensors.step], (1,) * len(sensors), keep_noise=True
            )
        runs = list(self._runs(sensors))
        whole = [part for part, own in runs if len(own) == self.counts[part]]
        if len(whole) == len(runs) and whole == [*range(whole[0], whole[-1] + 1)]:
            return self._joined(
                self.parts[whole[0] : whole[-1] + 1], [self.counts[i] for i in whole], keep_noise=True
            )
        if not isinstance(self.parts, StackedPhysics):
            raise ParameterError(
                f"{self!r} is cut between parts alone, before sensors {', '.join(str(a) for a, _ in self.bounds)}; got "
                f"{sensors}: slice the operator before it is distributed"
            )
        chosen = (
            Selection(-self.sensor_axis, own.start, own.stop, self.counts[i]) @ self.parts[i]
            for i, own in runs
        )
        return self._joined(StackedPhysics(tuple(chosen)), [len(own) for _, own in runs], keep_noise=True)

    def _runs(self, sensors: range) -> Iterator[tuple[int, range]]:
        """Each part, and which of its sensors follow each other in `sensors`."""
        part_of = [
            (part, start) for part, (start, stop) in enumerate(self.bounds) for _ in range(start, stop)
        ]
        left = list(sensors)
        while left:
            part, start = part_of[left[0]]
            n = 1
            while n < len(left) and left[n] == left[n - 1] + 1 and part_of[left[n]][0] == part:
                n += 1
            yield part, range(left[0] - start, left[0] - start + n)
            left = left[n:]

    def _summary(self) -> str:
        if max(self.counts) == 1:
            return str(self.parts._listed("sensor"))
        return f"{counted(len(self), 'sensor')} in {self.parts._listed('part')}"
