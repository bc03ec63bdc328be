"""The hooks of every operator, linear or not: what it makes of an image, with noise or without, and how it looks."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator
from typing import Any, Self

from daskphys import backend, markup
from daskphys.errors import ParameterError, describe
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.measurements import Measurements
from daskphys.physics.noise.adding import Noise, noisy
from daskphys.physics.noise.model import NoiseModel, Seeds
from daskphys.physics.noise.streams import Part
from daskphys.physics.normal_kind import NormalKind
from daskphys.physics.spaces import Images, Sensors
from daskphys.physics.stencil import Stencil
from daskphys.physics.transform import Plain, Transform
from daskphys.physics.value import Value


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Forward(Value, abc.ABC):
    """A map from images to measurements as its author writes it, without the methods that users call.

    Hooks get checked arrays of the core (NumPy, CuPy, array API) and write to none of them.  A shape is a
    tuple of integers; on the side of a stack's measurements, a tuple of such shapes.
    """

    #: What `A(x)` adds to `A.A(x)`; of a stack each sensor has its own.
    noise_model: NoiseModel | None = dataclasses.field(default=None, kw_only=True)

    #: How many trailing axes of an image the operator acts on.
    domain_ndim = 1

    @property
    def range_ndim(self) -> int:
        """How many trailing axes of a measurement belong to the operator."""
        return self.domain_ndim

    @abc.abstractmethod
    def _forward(self, x: Any) -> Any:
        """A x."""

    @abc.abstractmethod
    def _vjp(self, x: Any, v: Any) -> Any:
        """The gradient of Re ⟨v, A(x)⟩ with respect to x: an array of the shape and dtype of x."""

    def _range_shape(self, shape: Any) -> Any:
        """The shape of A x for x of `shape`; raises `ShapeError` for an image that does not fit."""
        return shape

    def _result_dtype(self, dtype: str) -> str:
        """The name of the dtype of A x for x of `dtype`: its own, as a rule."""
        return dtype

    @property
    def of_real_images(self) -> bool:
        """Whether images are real although measurements are complex, so that Aᴴ y is a real part."""
        return False

    @property
    def gives_real(self) -> bool:
        """Whether A x is real although x is complex: so are the adjoints of operators of real images."""
        return self._result_dtype("complex64") == "float32"

    # Noise.

    @property
    def _noise_models(self) -> tuple[NoiseModel | None, ...]:
        """The noise model of each sensor; empty where none has one."""
        return () if self.noise_model is None else (self.noise_model,)

    @property
    def _seed(self) -> int | None:
        """The seed of noise models without their own: of what is made of a distributed operator, its cluster's."""
        return next((seed for part in self._made_of() if (seed := part._seed) is not None), None)

    def _noisy(self, x: Any, seeds: Seeds) -> Any:
        """A x with the noise of one call."""
        y, model = self._forward(x), self.noise_model
        if model is None:
            return y
        return noisy(
            model, y, seeds, Part.all_of(tuple(y.shape), self.range.ndim), repr(self), self._measured
        )

    @property
    def _measured(self) -> Any:
        """Which entries of a measurement are measured, for noise lands there alone: None where all are.

        Else an array that broadcasts against the measurement's trailing axes, and is zero where nothing is measured.
        """
        return None

    def _measured_after(self, first: Any) -> Any:
        """The same of ``self @ B``, where `first` is that of B."""
        return self._measured

    def _noised(self, x: Any, noise: Noise) -> Measurements:
        """A x with `noise`, where A x is one array a sensor or a part: what has sensors asks each where it measures."""
        raise ParameterError(
            f"{self!r} has no sensors of its own to give noise to: add the noise to what it measures, or distribute the sum "
            f"of operators that are not distributed yet"
        )

    def with_noise(self, noise_model: NoiseModel | None) -> Self:
        """The same operator with another noise model; with None, without noise.

        Of a stack, each sensor gets it.

        Parameters
        ----------
        noise_model : NoiseModel or None
            The model.

        Returns
        -------
        Physics
            An operator of the same class.

        Raises
        ------
        ParameterError
            It is no `NoiseModel`.

        Examples
        --------
        >>> from daskphys.physics import Blur, GaussianNoise, gaussian_blur
        >>> A = Blur(gaussian_blur(1.0)).with_noise(GaussianNoise(0.1))
        >>> A, A.with_noise(None)
        (Blur(9×9, circular, noise_model=GaussianNoise(0.1)), Blur(9×9, circular))
        """
        if noise_model is self.noise_model:
            return self
        made = self._with({"noise_model": noise_model})
        made._check()
        return made

    @property
    def _noiseless(self) -> Self:
        """The operator as sums and multiples have it."""
        return self.with_noise(None)

    def _check(self) -> None:
        if self.noise_model is not None and not isinstance(self.noise_model, NoiseModel):
            raise ParameterError(
                f"{type(self).__name__} expected a noise model, as in noise_model=GaussianNoise(0.1), got "
                f"{describe(self.noise_model)}"
            )

    # What a family may add, to be fast in a stack.

    @property
    def transform(self) -> Transform:
        """The first step that this operator shares with others of its family (`Plain`: none)."""
        return Plain()

    def _forward_from(self, z: Any, shape: Any, transform: Transform) -> Any:
        """A x from ``z = transform.lift(x)``, where `shape` is that of x.

        `transform` is the one that all sensors share, what `join` made of the operator's own and of others'.
        """
        return self._forward(z)

    def _method(self, shape: Any) -> str:
        """How a product with an image of `shape` on the CPU is computed, in words."""
        return self.transform.method(shape)

    @property
    def pointwise(self) -> Any:
        """The `Diagonal` that A is, so that each chunk of a Dask array is by itself; None where it is none."""
        return None

    @property
    def stencil(self) -> Stencil | None:
        """The operator as a compact convolution, where it is one: it then works on tiles of an image."""
        return None

    @property
    def normal_kind(self) -> NormalKind | None:
        """With which others AᴴA merges into one value; None where it does not."""
        return None

    # What products cost, from shapes alone: `daskphys.physics.cost`.

    def _cost(self, shape: Any, dtype: str) -> Cost:
        """What A x costs, for an image of this shape and dtype."""
        step = self.transform.cost(shape, dtype)
        own = self._step_cost(shape, dtype, self.transform)
        return step.then(own) if step.result else own

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        """What is left of it after the shared step, `transform`; `_adjoint_to` takes as much.

        Of a hook that is not known, that it makes one array more than its result.
        """
        result = nbytes(self._range_shape(shape), self._result_dtype(dtype))
        return Cost(flops=result / 2, parameters=self.nbytes, workspace=result, result=result)

    def _vjp_cost(self, shape: Any, dtype: str) -> Cost:
        """What ``A_vjp(x, v)`` costs, for x of this shape and dtype: by rule A x, and then as much again."""
        there, image = self._cost(shape, dtype), nbytes(shape, dtype)
        back = Cost(there.transforms, there.flops, 0, 0, there.workspace + there.result, image)
        return there.then(back)

    def _distant(self) -> Iterator[Any]:
        """The operators of which this one is made whose products are calls to other machines."""
        for part in self._made_of():
            yield from part._distant()

    @property
    def _travels(self) -> bool:
        """Whether it can be sent to other machines: what is made of calls to them stays here."""
        return next(self._distant(), None) is None

    def _made_of(self) -> Iterator[Forward]:
        """The operators of which this one is made."""
        for name, field in vars(self).items():
            if not name.startswith("_"):
                for item in field if isinstance(field, tuple) else (field,):
                    if isinstance(item, Forward):
                        yield item

    # The two sides.

    @property
    def domain(self) -> Images | Sensors:
        """What the operator takes."""
        return Images(self, self.domain_ndim, self.of_real_images)

    @property
    def range(self) -> Images | Sensors:
        """What the operator gives."""
        return Images(self, self.range_ndim, self.gives_real)

    # How it looks.

    def _summary(self) -> str:
        """What stands in the parentheses of the one-line repr."""
        fields = self._fields()
        return ", ".join(_short(field) for name, field in fields.items() if name != "noise_model")

    def _listed(self, what: str) -> str:
        """The sensors in a few words, each called `what`."""
        return f"{what}s of {self!r}"

    def __repr__(self) -> str:
        shown = [
            self._summary(),
            *([] if self.noise_model is None else [f"noise_model={self.noise_model!r}"]),
        ]
        return f"{type(self).__name__}({', '.join(filter(None, shown))})"

    def _thumbnails(self) -> list[tuple[str, Any]]:
        """Pictures for the HTML repr: captions and 2-D arrays."""
        return []

    def _rows(self) -> list[tuple[str, str]]:
        """Lines of the HTML repr: names and texts."""
        ndim = self.domain.ndim
        axes = "the last axis" if ndim == 1 else f"the last {ndim} axes"
        what = axes if isinstance(self.domain, Images) else "one array a sensor"
        return [
            ("acts on", what),
            ("parameters", markup.bytes_text(self.nbytes)),
        ]

    def _repr_html_(self) -> str:
        return markup.card(repr(self), self._rows(), self._thumbnails())


def _short(field: Any) -> str:
    """A field for the one-line repr: an array by its shape."""
    if backend.is_array(field):
        return f"array of {'×'.join(map(str, field.shape)) or 'no axes'}"
    return str(field)
