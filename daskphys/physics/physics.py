"""Operators as users call them, linear or not: measurements, with noise or without."""

from __future__ import annotations

from typing import Any

from daskphys import backend, doors
from daskphys.errors import ParameterError, checks_keywords
from daskphys.physics.forward import Forward
from daskphys.physics.measurements import Measurements
from daskphys.physics.noise.model import Seeds
from daskphys.physics.spaces import Images, Sensors
from daskphys.physics.value import value


class Physics(Forward):
    """A sensor: a map A from images to measurements; an immutable value."""

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
        x : array, shape (…, *space)
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

    def range_shape(self, domain_shape: Any) -> Any:
        """The shape of A x for an image of this shape (for a stack, one shape a sensor)."""
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
