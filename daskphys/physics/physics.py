"""Operators as users call them, linear or not: measurements, with noise or without, and gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from daskphys import backend, doors
from daskphys.errors import NotLinearError, ParameterError, ShapeError, checks_keywords
from daskphys.physics.cost import Cost
from daskphys.physics.forward import Forward
from daskphys.physics.measurements import Measurements
from daskphys.physics.noise.model import Seeds
from daskphys.physics.product import Product
from daskphys.physics.spaces import Cotangents, Images, Sensors
from daskphys.physics.value import value


def _linear_only(name: str) -> Any:
    def method(self: Physics, *args: Any, **kwargs: Any) -> Any:
        raise self._not_linear(name)

    method.__name__, method.__doc__ = name, "What linear operators have: others say so."
    return method


class Physics(Forward):
    """A sensor: a map A from images to measurements, linear or not; an immutable value.

    It acts on the trailing `domain_ndim` axes of an image and broadcasts over every axis before them, as a
    NumPy ufunc with a core signature does.  It fixes no image size.

    An author of a non-linear one writes a class decorated with `daskphys.physics.value` (a frozen dataclass) and
    defines the hooks ``_forward(x)`` and ``_vjp(x, v)``, the gradient of Re ⟨v, A(x)⟩ with respect to x, and, where
    A changes the shape or the dtype, ``_range_shape(shape)`` and ``_result_dtype(dtype)``.  Linear ones are
    `LinearPhysics`.

    Parameters
    ----------
    noise_model : NoiseModel, optional
        What ``A(x)`` adds to ``A.A(x)``; every operator has this keyword.  None, the default, adds nothing.

    Raises
    ------
    ShapeError, DtypeError, UnsupportedArrayError
        At a call: the image does not fit.
    NotLinearError
        What only linear operators have was asked for: an adjoint, a norm, an inverse, a sum.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Blur, Physics, gaussian_blur, stack, value
    >>> @value
    ... class Gamma(Physics):  # the curve of a display
    ...     exponent: float = 2.2
    ...     def _forward(self, x):
    ...         return x**self.exponent
    ...     def _vjp(self, x, v):
    ...         return self.exponent * x ** (self.exponent - 1) * v
    >>> A = Gamma(2.0)
    >>> A(np.arange(3.0)), A.A_vjp(np.arange(3.0), np.ones(3))
    (array([0., 1., 4.]), array([0., 2., 4.]))
    >>> stack(A, Blur(gaussian_blur(1.0)))(np.ones((16, 16))).shapes
    ((16, 16), (16, 16))
    >>> A.H
    Traceback (most recent call last):
    daskphys.errors.NotLinearError: Gamma(2.0) is not linear and has no H: expected a LinearPhysics, for it has A and A_vjp alone
    """

    @checks_keywords
    def to_zarr(self, store: Any, *, overwrite: bool = False) -> None:
        """Write the operator to disk, for `daskphys.open_physics`: arrays in Zarr and JSON, no code.

        The parameters of sensors that are alike become one array with the sensor axis in front, so that each sensor can
        be read without the others.  Those of a distributed operator come to this process a block of sensors at a time.

        Parameters
        ----------
        store : path, URL or Zarr store
            Where to.  A folder appears when it is complete, or not at all.
        overwrite : bool
            Whether to replace an operator that is there; nothing else is ever replaced, nor a store that holds more than
            daskphys wrote.

        Raises
        ------
        StoreExistsError
            There is something, and `overwrite` is False or does not replace such.
        StorageError
            The operator holds a function, or what no file holds; or the store cannot be written.
        MissingDependencyError
            The package zarr is not installed.

        Examples
        --------
        >>> import tempfile
        >>> from daskphys import open_physics
        >>> from daskphys.physics import Blur, gaussian_blur
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Blur(gaussian_blur(2.0)).to_zarr(f"{folder}/blur.zarr")
        ...     open_physics(f"{folder}/blur.zarr")
        Blur(15×15, circular)
        """
        doors.write(self, store, overwrite)

    @checks_keywords
    def __call__(self, x: Any, *, seed: int | None = None) -> Any:
        """The measurement of image `x`: A x, with noise where there is a noise model.

        Parameters
        ----------
        x : array
            As of `A`.
        seed : int, optional
            Of the noise of all sensors, each of which has a stream of its own.  By default that of the noise model,
            else that of the `DistributedContext`, and without either the call draws anew.

        Raises
        ------
        ParameterError
            A seed is given where there is no noise model, or it is no integer from 0 on.
        """
        if any(model is not None for model in self._noise_models):
            return doors.apply(Noisy(self, Seeds.of_call(seed, self._seed, self)), x)
        if seed is not None:
            raise ParameterError(
                f"{self!r} got seed={seed!r} but has no noise: expected a noise model, as in "
                f"A.with_noise(GaussianNoise(0.1))"
            )
        return self.A(x)

    def A(self, x: Any) -> Any:
        """A x: what the sensors see of image `x`, without noise.

        Parameters
        ----------
        x : array, shape ``(…, *space)``
            An image of float32, float64, complex64 or complex128: NumPy, CuPy, torch or Dask.

        Returns
        -------
        array or Measurements
            The same kind of array and the same precision; for a stack one array a sensor.

        Raises
        ------
        ShapeError, DtypeError, UnsupportedArrayError
            The image does not fit; the message says what was expected, what came and how to mend it.
        """
        return doors.apply(self, x)

    def A_vjp(self, x: Any, v: Any) -> Any:
        """The vector-Jacobian product at `x`: the gradient of Re ⟨v, A(x)⟩ with respect to x.

        Parameters
        ----------
        x : array
            An image.
        v : array or Measurements
            Of the shape of A(x), and real where that is.

        Returns
        -------
        array
            Of the shape and dtype of `x`.  Of a complex x it is ∂/∂Re x + i ∂/∂Im x, the direction of steepest
            ascent, as torch has it.

        Raises
        ------
        ShapeError, DtypeError, UnsupportedArrayError
            `x` or `v` does not fit.
        """
        x, v = self.domain.coerce(x), self.range.coerce(v)
        return doors.apply(Vjp(self), Measurements((x, *v) if isinstance(v, Measurements) else (x, v)))

    def range_shape(self, domain_shape: Any) -> Any:
        """The shape of A x for an image of this shape (for a stack, one shape a sensor).

        Parameters
        ----------
        domain_shape : tuple of int or array
            An image's shape, or an image.

        Returns
        -------
        tuple
            The shape; for a stack a tuple of one a sensor.

        Raises
        ------
        ShapeError
            The operator takes no image of this shape.

        Examples
        --------
        >>> import numpy as np
        >>> from daskphys.physics import Blur, stack
        >>> B = Blur(np.ones((3, 5)) / 15, padding="valid")
        >>> B.range_shape((32, 32)), stack(B, B).range_shape((32, 32))
        ((30, 28), ((30, 28), (30, 28)))
        """
        return self._range_shape(self.domain.shape(domain_shape))

    def _image_shape(self, x_or_shape: Any) -> Any:
        shape = self.domain.shape(x_or_shape)
        self._range_shape(shape)
        return shape

    def apply_core(self, x: Any) -> Any:
        """A x for arrays of the core: the way in from the door, where they are checked."""
        x = self.domain.check(x)
        self._image_shape(x)
        result = self._forward(x)
        # A hook may return what it was given, or a view of it; what a user writes into a result is not the image.
        given = list(x) if isinstance(x, Measurements) else [x]
        if isinstance(result, Measurements):
            return Measurements(backend.apart(list(result), given))
        return backend.apart([result], given)[0]

    @property
    def differentiated(self) -> Physics:
        """The operator whose derivative this one has."""
        return self

    # What needs linearity.

    A_adjoint: Any = _linear_only("A_adjoint")
    A_adjoint_A: Any = _linear_only("A_adjoint_A")
    A_A_adjoint: Any = _linear_only("A_A_adjoint")
    A_dagger: Any = _linear_only("A_dagger")
    compute_norm: Any = _linear_only("compute_norm")
    compute_sqnorm: Any = _linear_only("compute_sqnorm")
    normal: Any = _linear_only("normal")
    inv: Any = _linear_only("inv")
    pinv: Any = _linear_only("pinv")
    norm: Any = _linear_only("norm")
    __add__: Any = _linear_only("sum")
    __radd__: Any = _linear_only("sum")
    __sub__: Any = _linear_only("difference")
    __rsub__: Any = _linear_only("difference")
    __mul__: Any = _linear_only("multiple")
    __rmul__: Any = _linear_only("multiple")
    __truediv__: Any = _linear_only("multiple")
    __neg__: Any = _linear_only("multiple")

    @property
    def H(self) -> Any:
        """The adjoint, of a linear operator."""
        raise self._not_linear("H")

    def _not_linear(self, what: str) -> NotLinearError:
        return NotLinearError(
            f"{self!r} is not linear and has no {what}: expected a LinearPhysics, for it has A and A_vjp alone"
        )

    def __matmul__(self, other: Any) -> Any:
        """``A @ B``: first B, then A, which has the noise."""
        if not isinstance(other, Physics):
            return self.A(other)
        return Chained(self, other, noise_model=self.noise_model)

    def __len__(self) -> int:
        raise TypeError(f"{self!r} is one operator and has no sensor axis: stack(A, B, …) has one")

    def __getitem__(self, index: Any) -> Any:
        raise TypeError(f"{self!r} is one operator and has no sensor axis to index: stack(A, B, …) has one")

    def __bool__(self) -> bool:
        return True

    __array_ufunc__ = None  # np.float64(2) * A is ours to do


@value
class Noisy(Physics):
    """A with the noise of one call, behind ``A(x)``."""

    parent: Physics
    seeds: Seeds

    @property
    def domain(self) -> Images | Sensors:
        return self.parent.domain

    @property
    def range(self) -> Images | Sensors:
        return self.parent.range

    def _forward(self, x: Any) -> Any:
        return self.parent._noisy(x, self.seeds)

    def _vjp(self, x: Any, v: Any) -> Any:
        return self.parent._vjp(x, v)

    def _range_shape(self, shape: Any) -> Any:
        return self.parent._range_shape(shape)

    def _result_dtype(self, dtype: str) -> str:
        return self.parent._result_dtype(dtype)

    @property
    def differentiated(self) -> Physics:
        """Noise counts as a constant."""
        return self.parent

    def __repr__(self) -> str:
        return repr(self.parent)


@value
class Vjp(Physics):
    """The map from x and v to ``A_vjp(x, v)``, behind that method."""

    parent: Physics

    @property
    def domain(self) -> Images | Sensors:
        spaces = self.parent.range.spaces if isinstance(self.parent.range, Sensors) else (self.parent.range,)
        return Cotangents(self, (self.parent.domain, *spaces))

    @property
    def range(self) -> Images | Sensors:
        return self.parent.domain

    def _forward(self, x: Any) -> Any:
        v = Measurements(x[1:]) if isinstance(self.parent.range, Sensors) else x[1]
        return self.parent._vjp(x[0], v)

    def _vjp(self, x: Any, v: Any) -> Any:
        raise NotImplementedError(f"{self!r} has no gradient of its own")

    def _range_shape(self, shape: Any) -> Any:
        image, *got = shape
        expected = self.parent._range_shape(image)
        if tuple(got) != (expected if isinstance(self.parent.range, Sensors) else (expected,)):
            shown = tuple(got) if isinstance(self.parent.range, Sensors) else got[0]
            raise ShapeError(f"{self!r} expected v of shape {expected} for this image, got {shown}")
        return image

    def __repr__(self) -> str:
        return f"{self.parent!r}.A_vjp"


@value
class Chained(Product, Physics):
    """The product of two operators that are not both linear, made by ``A @ B``."""

    left: Physics
    right: Physics

    def _forward(self, x: Any) -> Any:
        return self.left._forward(self.right._forward(x))

    def _noisy(self, x: Any, seeds: Seeds) -> Any:
        return self._noise_of._noisy(self.right._forward(x), seeds)

    def _vjp(self, x: Any, v: Any) -> Any:
        return self.right._vjp(x, self.left._vjp(self.right._forward(x), v))

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return self._cost_in_turn(shape, dtype)

    def _vjp_cost(self, shape: Any, dtype: str) -> Cost:
        last = self.left._vjp_cost(self._between(shape), self.right._result_dtype(dtype))
        back = replace(self.right._vjp_cost(shape, dtype), parameters=0, kept=0)
        return self.right._cost(shape, dtype).then(last).then(back)
