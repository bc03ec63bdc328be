"""Stacked operators A = [A_1; …; A_N]: one image, N sensors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from daskphys import backend, markup
from daskphys.errors import ParameterError, ShapeError, describe
from daskphys.physics import blockcost
from daskphys.physics.base import LinearPhysics
from daskphys.physics.blockproducts import adjoint_parts, forward_each, gram_parts, normal_parts, total_of
from daskphys.physics.cost import Cost, summed
from daskphys.physics.measurements import Measurements
from daskphys.physics.naming import naming
from daskphys.physics.noise.adding import Noise, SensorNoise
from daskphys.physics.noise.model import NoiseModel, Seeds
from daskphys.physics.normal_kind import NormalKind, joined
from daskphys.physics.spaces import Images, Sensors, check_alike, check_as_many, widest
from daskphys.physics.transform import Plain, Transform
from daskphys.physics.value import value
from daskphys.physics.weighted import Weights, weighted_normal

#: Image shapes whose measurements' shapes a stack remembers.
_SHAPES = 8


def stack(*operators: Any) -> StackedPhysics:
    """The operator whose measurement is one array for each of `operators`.

    Stacks among them are laid flat, so that there is one sensor axis.

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
    flat: list[LinearPhysics] = []
    for position, given in enumerate(operators):
        if not isinstance(given, LinearPhysics):
            raise ParameterError(
                f"stack() expected operators, got {describe(given)} at position {position}: "
                f"unpack a list, as in stack(*operators)"
            )
        if not isinstance(given, StackedPhysics) and not isinstance(given.range, Images):
            raise ParameterError(
                f"stack() expected operators with one measurement each, got {given!r} at position {position}, which "
                f"has one a sensor: stack its sensors"
            )
        flat.extend(given.sensors if isinstance(given, StackedPhysics) else (given,))
    return StackedPhysics(tuple(flat))


@value
class StackedPhysics(LinearPhysics):
    """The stack [A_1; …; A_N] of operators with one domain, made by `stack`.

    A x is `Measurements`: one array a sensor, of any shapes.  Sums over sensors follow the one canonical
    order of `daskphys.pairwise`, so that their bits do not depend on how the sensors are cut into blocks.
    """

    sensors: tuple[LinearPhysics, ...]

    def __post_init__(self) -> None:
        if not self.sensors:
            raise ParameterError("stack() expected at least one operator, got none")
        check_alike(self.sensors)
        if self.noise_model is not None:
            raise ParameterError(
                f"a stack expected no noise model, for each sensor has its own, got {self.noise_model!r}: write "
                f"stack(A, B, …).with_noise(model)"
            )

    @property
    def physics_list(self) -> list[LinearPhysics]:
        """The sensors' operators."""
        return list(self.sensors)

    def __len__(self) -> int:
        return len(self.sensors)

    def __getitem__(self, index: Any) -> Any:
        """One sensor's operator, or the stack of a slice of sensors."""
        return StackedPhysics(self.sensors[index]) if isinstance(index, slice) else self.sensors[index]

    def __iter__(self) -> Iterator[LinearPhysics]:
        return iter(self.sensors)

    # -- algebra: sensor by sensor, so that results stay stacks ---------------------------------------------

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, LinearPhysics) and isinstance(other.domain, Images):
            return StackedPhysics(tuple(s @ other for s in self))
        return super().__matmul__(other)

    def _scaled(self, number: complex) -> StackedPhysics:
        return StackedPhysics(tuple(number * s for s in self))

    def _merge(self, other: Any) -> StackedPhysics | None:
        if not isinstance(other, StackedPhysics):
            return None
        check_as_many(self, other)
        return StackedPhysics(tuple(a + b for a, b in zip(self, other, strict=True)))

    # -- shapes --------------------------------------------------------------------------------------------

    @functools.cached_property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return max(s.domain.ndim for s in self)

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
        return functools.lru_cache(maxsize=_SHAPES)(functools.partial(_range_shapes, self.sensors))

    @functools.cached_property
    def _domain_rule(self) -> Callable[[Any], Any]:
        return functools.lru_cache(maxsize=_SHAPES)(functools.partial(_one_domain, self.sensors))

    def _range_shape(self, shape: Any) -> Any:
        return self._range_rule(shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self._domain_rule(shape)

    def _result_dtype(self, dtype: str) -> str:
        """The widest of the sensors': each measurement has its own."""
        return widest(s._result_dtype(dtype) for s in self)

    def _adjoint_dtype(self, dtype: str) -> str:
        """That of the sum over sensors."""
        return widest(s._adjoint_dtype(dtype) for s in self)

    @functools.cached_property
    def of_real_images(self) -> bool:
        return self[0].of_real_images  # `check_alike`: and all others

    # -- products ------------------------------------------------------------------------------------------

    @functools.cached_property
    def _shared(self) -> Transform:
        return functools.reduce(lambda a, b: a.join(b), (s.transform for s in self.sensors))

    @property
    def transform(self) -> Transform:
        return self._shared

    def _forward(self, x: Any) -> Measurements:
        return Measurements(forward_each(self, x, self.transform))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.transform.lower(self._adjoint_to(y, shape, self.transform), shape)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        y = widened(y, self._result_dtype)
        return total_of(adjoint_parts(self, y, shape, transform))

    def _gram(self, x: Any, weights: Weights | None = None) -> Any:
        return total_of(gram_parts(self, x, weights=weights))

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
    def _noiseless(self) -> StackedPhysics:
        return self  # what the algebra makes, it makes of the sensors

    def with_noise(self, noise_model: NoiseModel | None) -> StackedPhysics:
        if noise_model is None and not self._noise_models:
            return self
        return StackedPhysics(tuple(s.with_noise(noise_model) for s in self))

    @functools.cached_property
    def normal_kind(self) -> NormalKind | None:
        return joined(s.normal_kind for s in self)

    def _make_normal(self, shape: Any, weights: Weights | None = None) -> Any:
        return total_of(normal_parts(self, shape, weights=weights))

    def _weighted_normal(self, shape: Any, weights: Any) -> LinearPhysics:
        return weighted_normal(self, shape, weights)

    def _method(self, shape: Any) -> str:
        if not isinstance(self.transform, Plain):
            return self.transform.method(shape)
        methods = list(dict.fromkeys(s._method(shape) for s in self.sensors[:3]))
        return f"sensor by sensor: {', '.join(methods)}{', …' if len(self) > 3 else ''}"

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return blockcost.forward_cost(self.sensors, shape, dtype, self.transform)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        parts = blockcost.adjoint_cost(self.sensors, shape, dtype, self.transform)
        return blockcost.total_cost(parts, shape, self._adjoint_dtype(dtype), self.transform)

    def _gram_cost(self, shape: Any, dtype: str) -> Cost:
        if self.normal_kind is not None:
            return summed([s._gram_cost(shape, dtype) for s in blockcost.one_a_kind(self.sensors)], sums=1)
        return blockcost.total_cost(blockcost.gram_cost(self.sensors, shape, dtype), shape, dtype, Plain())

    # -- appearance ----------------------------------------------------------------------------------------

    def _summary(self) -> str:
        names = [repr(s) for s in self.sensors[:3]]
        return f"{len(self)} sensors: {', '.join(names)}{', …' if len(self) > 3 else ''}"

    def _rows(self) -> list[tuple[str, str]]:
        return [("sensors", str(len(self))), ("parameters", markup.bytes_text(self.nbytes))]

    def _thumbnails(self) -> list[tuple[str, Any]]:
        shown = [(i, s) for i, s in enumerate(self.sensors[:8]) if s._thumbnails()]
        return [(f"sensor {i}", s._thumbnails()[0][1]) for i, s in shown]


def _range_shapes(sensors: tuple[LinearPhysics, ...], shape: Any) -> Any:
    shapes, same = [], dict[Any, Any]()  # equal shapes of thousands of sensors are one tuple: they are kept
    for index, sensor in enumerate(sensors):
        with naming(index, sensor):
            own = sensor._range_shape(shape)
        shapes.append(same.setdefault(own, own))
    return tuple(shapes)


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
