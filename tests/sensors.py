"""A small operator with a sensor axis, for the laws and for clusters."""

import numpy as np

from daskphys import backend
from daskphys.physics import JoinedPhysics, LinearPhysics, OfRealImages, value


@value
class Sensitivity(LinearPhysics):
    """The image times each of several maps, along a new axis."""

    maps: np.ndarray
    domain_ndim = 2
    range_ndim = 3

    def __post_init__(self):
        self.__dict__["maps"] = backend.as_parameter(self.maps, "Sensitivity", "maps")

    def _result_dtype(self, dtype):
        return backend.complex_name(dtype) if backend.is_complex(self.maps) else dtype

    def _maps(self, x):
        return backend.like(self.maps, x, self._result_dtype(backend.real_name(backend.dtype_name(x))))

    def _forward(self, x):
        return self._maps(x) * x[..., None, :, :]

    def _adjoint(self, y, shape):
        xp, maps = backend.namespace(y), self._maps(y)
        return xp.sum((xp.conj(maps) if backend.is_complex(maps) else maps) * y, axis=-3)

    def _range_shape(self, shape):
        return (*shape[:-2], self.maps.shape[-3], *shape[-2:])

    def _domain_shape(self, shape):
        return (*shape[:-3], *shape[-2:])


@value
class Coils(JoinedPhysics):
    """`Sensitivity` with its sensor axis; `maps` may be a Dask array."""

    maps: np.ndarray
    sensor_fields = {"maps": -3}  # noqa: RUF012

    def _together(self):
        return Sensitivity(self.maps)


@value
class Pairs(Coils):
    """The same, two sensors at a time."""

    sensors_a_part = 2


@value
class PhasedCoils(Coils):
    """The same, of real images."""

    def _together(self):
        return OfRealImages(Sensitivity(self.maps))
