"""What products of two operators have in common, whether both are linear or not."""

from __future__ import annotations

from typing import Any, Self

from daskphys.errors import ShapeError
from daskphys.physics.cost import Cost
from daskphys.physics.forward import Forward
from daskphys.physics.measurements import Measurements
from daskphys.physics.noise.adding import Noise
from daskphys.physics.noise.model import NoiseModel, Seeds
from daskphys.physics.spaces import Images, Sensors


class Product(Forward):
    """``left @ right``: first `right`, then `left`, which has the noise."""

    left: Any
    right: Any

    def __post_init__(self) -> None:
        if isinstance(self.left.domain, Images) != isinstance(self.right.range, Images):
            raise ShapeError(
                f"{self.left!r} @ {self.right!r}: the left operator does not take what the right one gives (one "
                f"array, or one a sensor)"
            )

    @property
    def domain(self) -> Images | Sensors:
        space: Images | Sensors = self.right.domain
        return space.widened(self.left.domain.ndim - self.right.range.ndim, self)

    @property
    def range(self) -> Images | Sensors:
        space: Images | Sensors = self.left.range
        return space.widened(self.right.range.ndim - self.left.domain.ndim, self)

    def _between(self, shape: Any) -> Any:
        """The shape of what `right` gives and `left` takes."""
        return self.left.domain.shape(self.right._range_shape(shape))

    def _range_shape(self, shape: Any) -> Any:
        return self.left._range_shape(self._between(shape))

    def _result_dtype(self, dtype: str) -> str:
        return str(self.left._result_dtype(self.right._result_dtype(dtype)))

    def _cost_in_turn(self, shape: Any, dtype: str) -> Cost:
        """What it costs, computed one after the other."""
        first: Cost = self.right._cost(shape, dtype)
        return first.then(self.left._cost(self._between(shape), self.right._result_dtype(dtype)))

    # The noise of sensors on the left is their own.

    @property
    def _noise_models(self) -> tuple[NoiseModel | None, ...]:
        return super()._noise_models or (() if isinstance(self.range, Images) else self.left._noise_models)

    def _noised(self, x: Any, noise: Noise) -> Measurements:
        y: Measurements = self.left._noised(self.right._forward(x), noise)
        return y

    @property
    def _measured(self) -> Any:
        return self.left._measured_after(self.right._measured)

    def _measured_after(self, first: Any) -> Any:
        return self.left._measured_after(self.right._measured_after(first))

    @property
    def _noise_of(self) -> Any:
        """The left operator, with the noise of the product."""
        return self.left.with_noise(self.noise_model) if isinstance(self.range, Images) else self.left

    def _noisy(self, x: Any, seeds: Seeds) -> Any:
        if isinstance(self.range, Images):
            return super()._noisy(x, seeds)
        return self._noise_of._noisy(self.right._forward(x), seeds)

    def with_noise(self, noise_model: NoiseModel | None) -> Self:
        if isinstance(self.range, Images):
            return super().with_noise(noise_model)
        return self._with({"left": self.left.with_noise(noise_model)})

    def __repr__(self) -> str:
        return f"{self.left!r} @ {self.right!r}"
