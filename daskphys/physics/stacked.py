"""What stacks have in common, whether all their sensors are linear or not: a sensor axis, shapes, and measurements."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from daskphys import markup
from daskphys.errors import ParameterError
from daskphys.physics import blockcost
from daskphys.physics.blockproducts import forward_each
from daskphys.physics.cost import Cost
from daskphys.physics.measurements import Measurements
from daskphys.physics.naming import naming
from daskphys.physics.noise.adding import Noise, SensorNoise
from daskphys.physics.noise.model import NoiseModel, Seeds
from daskphys.physics.physics import Physics
from daskphys.physics.spaces import Images, Sensors, widest
from daskphys.physics.transform import Plain, Transform

#: Image shapes whose measurements' shapes a stack remembers.
SHAPES = 8


class Stacked(Physics):
    """A stack [A_1; …; A_N] of operators with one domain; A x is `Measurements`, one array a sensor."""

    sensors: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.sensors:
            raise ParameterError("stack() expected at least one operator, got none")
        if self.noise_model is not None:
            raise ParameterError(
                f"a stack expected no noise model, for each sensor has its own, got {self.noise_model!r}: write "
                f"stack(A, B, …).with_noise(model)"
            )

    @abc.abstractmethod
    def _of(self, sensors: tuple[Any, ...]) -> Any:
        """The stack of other sensors."""

    @property
    def physics_list(self) -> list[Any]:
        """The sensors' operators."""
        return list(self.sensors)

    def __len__(self) -> int:
        return len(self.sensors)

    def __getitem__(self, index: Any) -> Any:
        """One sensor's operator, or the stack of a slice of sensors."""
        return self._of(self.sensors[index]) if isinstance(index, slice) else self.sensors[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.sensors)

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, Physics) and isinstance(other.domain, Images):
            return self._of(tuple(s @ other for s in self))
        return super().__matmul__(other)

    # -- shapes --------------------------------------------------------------------------------------------

    @functools.cached_property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(max(s.domain.ndim for s in self))

    @functools.cached_property
    def _spaces(self) -> tuple[Any, ...]:
        return tuple(s.range for s in self)

    @property
    def range(self) -> Images | Sensors:
        return Sensors(self, self._spaces)

    # A shape rule is asked of every sensor; of hundreds that takes as long as a product, so once a shape.  What
    # remembers holds the sensors and not the stack: a cycle would keep blocks on a cluster until a collection.

    @functools.cached_property
    def _range_rule(self) -> Callable[[Any], Any]:
        return functools.lru_cache(maxsize=SHAPES)(functools.partial(_range_shapes, self.sensors))

    def _range_shape(self, shape: Any) -> Any:
        return self._range_rule(shape)

    def _result_dtype(self, dtype: str) -> str:
        """The widest of the sensors': each measurement has its own."""
        return widest(s._result_dtype(dtype) for s in self)

    # -- measurements ---------------------------------------------------------------------------------------

    @functools.cached_property
    def _shared(self) -> Transform:
        joined: Transform = functools.reduce(lambda a, b: a.join(b), (s.transform for s in self.sensors))
        return joined

    @property
    def transform(self) -> Transform:
        return self._shared

    def _forward(self, x: Any) -> Measurements:
        return Measurements(forward_each(self, x, self.transform))

    @functools.cached_property
    def _noise_models(self) -> tuple[NoiseModel | None, ...]:
        models = tuple(s.noise_model for s in self)
        return models if any(models) else ()

    def _noisy(self, x: Any, seeds: Seeds) -> Measurements:
        return self._noised(x, SensorNoise(seeds))

    def _noised(self, x: Any, noise: Noise) -> Measurements:
        """A x with `noise`."""
        return Measurements(noise.added(self, forward_each(self, x, self.transform)))

    @property
    def _noiseless(self) -> Any:
        return self  # what the algebra makes, it makes of the sensors

    def with_noise(self, noise_model: NoiseModel | None) -> Any:
        if noise_model is None and not self._noise_models:
            return self
        return self._of(tuple(s.with_noise(noise_model) for s in self))

    def _method(self, shape: Any) -> str:
        if not isinstance(self.transform, Plain):
            return self.transform.method(shape)
        return sensor_by_sensor(self.sensors[:3], len(self), shape)

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return blockcost.forward_cost(self.sensors, shape, dtype, self.transform)

    # -- appearance ----------------------------------------------------------------------------------------

    def _summary(self) -> str:
        return self._listed("sensor")

    def _listed(self, what: str) -> str:
        """How many there are of what the sensors are called here, and the first of them."""
        names = [repr(s) for s in self.sensors[:3]]
        return f"{markup.counted(len(self), what)}: {', '.join(names)}{', …' if len(self) > 3 else ''}"

    def _rows(self) -> list[tuple[str, str]]:
        return [("sensors", str(len(self))), ("parameters", markup.bytes_text(self.nbytes))]

    def _thumbnails(self) -> list[tuple[str, Any]]:
        shown = [(i, s) for i, s in enumerate(self.sensors[:8]) if s._thumbnails()]
        return [(f"sensor {i}", s._thumbnails()[0][1]) for i, s in shown]


def _range_shapes(sensors: tuple[Any, ...], shape: Any) -> Any:
    shapes, same = [], dict[Any, Any]()  # equal shapes of thousands of sensors are one tuple: they are kept
    for index, sensor in enumerate(sensors):
        with naming(index, sensor):
            own = sensor._range_shape(shape)
        shapes.append(same.setdefault(own, own))
    return tuple(shapes)


def sensor_by_sensor(first: Sequence[Any], n: int, shape: Any) -> str:
    """How n sensors that share no step are computed, told by the first of them."""
    methods = dict.fromkeys(sensor._method(shape) for sensor in first)
    return f"sensor by sensor: {', '.join(methods)}{', …' if n > len(first) else ''}"
