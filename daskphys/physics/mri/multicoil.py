"""Fourier encoding of what several coils see."""

from __future__ import annotations

from typing import Any

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError
from daskphys.markup import counted
from daskphys.pairwise import pairwise_sum
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cache import derived
from daskphys.physics.centred import CentredImage
from daskphys.physics.cost import Cost, fft_flops, nbytes
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.mri.cartesian import checked_mask, encoding, encoding_nbytes, picture, sampled
from daskphys.physics.mri.coils import check_map_shape, checked_maps
from daskphys.physics.normal.spectral import power
from daskphys.physics.spaces import Images, check_leading
from daskphys.physics.transform import Transform
from daskphys.physics.value import value


class CoilShapes(LinearPhysics):
    """The shapes of images and measurements of coils, from the shapes of maps and mask alone."""

    maps: Any
    mask: Any
    ndim: int

    @property
    def _coils(self) -> int:
        return int(self.maps.shape[-self.ndim - 1])

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return max(len(self.mask.shape), len(self.maps.shape) - 1)

    @property
    def range_ndim(self) -> int:
        return self.domain_ndim + 1

    @property
    def domain(self) -> Images:
        return Images(self, self.domain_ndim)

    def _range_shape(self, shape: Any) -> Any:
        n, sizes = self.ndim, tuple(self.mask.shape[-self.ndim :])
        if tuple(shape[-n:]) != sizes:
            raise ShapeError(
                f"{self!r} expected an image of {sizes}, the size of its maps and its mask, got {tuple(shape)}"
            )
        check_leading(self, "mask", tuple(self.mask.shape[:-n]), tuple(shape), n)
        check_leading(self, "array of maps", tuple(self.maps.shape[: -n - 1]), tuple(shape), n)
        return (*shape[:-n], self._coils, *sizes)

    def _domain_shape(self, shape: Any) -> Any:
        n = self.ndim
        if shape[-n - 1] != self._coils:
            raise ShapeError(
                f"{self!r} expected a measurement of {self._coils} coils along axis {-n - 1}, got shape {tuple(shape)}"
            )
        domain = (*shape[: -n - 1], *shape[-n:])
        self._range_shape(domain)
        return domain

    @property
    def _measured(self) -> Any:
        return self.mask[(..., None, *(slice(None),) * self.ndim)]  # of every coil

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype)

    def _adjoint_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype)


@value
class CoilEncoding(CoilShapes):
    """The coils that are evaluated together; made by `MultiCoilMRI`, which has checked the arrays.

    Centres are moved by phases: that of the image once for all coils, that of the frequencies with the mask.  So a coil
    takes one array, which is multiplied by the map, transformed and multiplied by the mask in place.
    """

    maps: Any
    mask: Any
    ndim: int = 2

    @property
    def transform(self) -> Transform:
        return CentredImage(self.ndim)

    def _of(self, array: Any, coil: int) -> Any:
        return array[(..., coil, *(slice(None),) * self.ndim)]

    def _summary(self) -> str:
        return f"{counted(self._coils, 'coil')}, {sampled(self.mask)}"

    def _map(self, coil: int, image: Any) -> Any:
        kind = backend.dtype_name(image)
        wide = backend.complex_name(kind) if backend.is_complex(self.maps) else backend.real_name(kind)
        return backend.like(self._of(self.maps, coil), image, wide)

    def _forward(self, x: Any) -> Any:
        return self._forward_from(self.transform.lift(x), x.shape, self.transform)

    def _forward_from(self, z: Any, shape: Any, transform: Transform) -> Any:
        factor = encoding(self.mask, self.ndim, z)
        kind = backend.complex_name(backend.dtype_name(z))
        y = backend.empty(self._range_shape(tuple(shape)), z, kind)

        def encode(coil: int) -> Any:
            own = None if y is None else self._of(y, coil)
            seen = backend.multiplied(self._map(coil, z), z, own)
            return backend.multiplied(backend.fftn(seen, self.ndim, overwrite=True), factor, own)

        made = backend.spread(encode, range(self._coils), backend.size(shape))
        return backend.namespace(z).stack(made, axis=-self.ndim - 1) if y is None else y

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.transform.lower(self._adjoint_to(y, shape, self.transform), shape)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        factor = encoding(self.mask, self.ndim, y)
        factor = backend.namespace(y).conj(factor) if backend.is_complex(factor) else factor
        return pairwise_sum(self._combined(self._of(y, coil) * factor, coil) for coil in range(self._coils))

    def _combined(self, z: Any, coil: int) -> Any:
        """A coil's part of the image from its k-space, whose memory is overwritten."""
        z = backend.fftn(z, self.ndim, inverse=True, overwrite=True)
        return backend.times_conj(z, self._map(coil, z))

    def _gram(self, x: Any) -> Any:
        """Phases and their conjugates cancel, so the plain transform does, with the mask in its order."""
        factor = _sampling_power(self.mask, self.ndim, x)

        def there_and_back(coil: int) -> Any:
            z = backend.fftn(self._map(coil, x) * x, self.ndim, overwrite=True)
            z *= factor
            return self._combined(z, coil)

        return pairwise_sum(map(there_and_back, range(self._coils)))

    # -- what it costs: arrays of one coil, besides those of the result ----------------------------------------

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        coil = nbytes(shape, backend.complex_name(dtype))
        flops = self._coils * (2 * fft_flops(tuple(shape), self.ndim) + 8.0 * backend.size(shape))
        kept = encoding_nbytes(self.mask, self.ndim, dtype)
        return Cost(self._coils, flops, self.nbytes, kept, self._cast_nbytes(dtype), self._coils * coil)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        own, step = self._step_cost(shape, dtype, self.transform), self.transform.cost(shape, dtype)
        image = nbytes(shape, backend.complex_name(dtype))
        pending = image * (self._coils.bit_length() - 1)  # sums that wait for others
        workspace = max(own.kept, self._cast_nbytes(dtype)) + pending
        flops = own.flops + step.flops
        return Cost(own.transforms, flops, own.parameters, own.kept, max(workspace, step.workspace), image)

    def _gram_cost(self, shape: Any, dtype: str) -> Cost:
        once = self._adjoint_cost(shape, dtype)
        kept = nbytes(tuple(self.mask.shape), backend.real_name(dtype))
        return Cost(2 * once.transforms, 2 * once.flops, once.parameters, kept, once.workspace, once.result)

    def _cast_nbytes(self, dtype: str) -> int:
        """Bytes of one coil's map in the precision of the image, where that is not its own."""
        own = backend.dtype_name(self.maps)
        wide = backend.complex_name(dtype) if backend.is_complex(self.maps) else backend.real_name(dtype)
        frames = tuple(self.maps.shape[: -self.ndim - 1])
        return 0 if own == wide else nbytes((*frames, *self.maps.shape[-self.ndim :]), wide)


def _sampling_power(mask: Any, ndim: int, x: Any) -> Any:
    """|mask|² in the order of the plain transform, in the precision of `x`; kept as long as the mask is."""
    kind = backend.real_name(backend.dtype_name(x))

    def make() -> Any:
        plain = backend.namespace(mask).fft.ifftshift(power(mask), axes=tuple(range(-ndim, 0)))
        return backend.like(plain, x, kind)

    return derived.get(mask, ("sampling power", ndim, backend.device_of(x), kind), make)


@value
class MultiCoilMRI(CoilShapes, JoinedPhysics):
    """``y[c] = mask · F (maps[c] x)``: Cartesian MRI with several receive coils (SENSE).

    F is the centred orthonormal Fourier transform, as that of `MRI`.  An image (…, H, W) has the measurement
    (…, coil, H, W): one array, which `A[i:j]` slices by coil.

    Parameters
    ----------
    maps : array, shape (…, coil, H, W); with ``ndim=3`` (…, coil, D, H, W)
        The sensitivity of each coil, real or complex, kept in its precision.  A Dask array with chunks along the coils,
        from a Zarr store, say, is loaded by the workers of `distribute`.
    mask : array, shape (…, H, W); with ``ndim=3`` (…, D, H, W); of bool or of real numbers
        Which frequencies are sampled, the same for all coils; numbers weight them.  Where mask or maps have axes in front
        (frames), the image has them too, as long as they are; one of length 1 fits any.
    ndim : {2, 3}
        The number of spatial axes.

    Raises
    ------
    ShapeError
        Maps and mask do not fit each other; the image has another size than they.
    ParameterError
        Maps of a coil, or the mask, that are all zero, NaN or infinite; a complex mask.

    Notes
    -----
    Images are complex; a real one has a complex measurement, and Aᴴy is complex.  AᴴA does not merge; each product with
    it takes two FFTs a coil.  Noise lands where the mask is not zero.

    References
    ----------
    K. P. Pruessmann et al., "SENSE: sensitivity encoding for fast MRI", Magn. Reson. Med. 42 (1999).

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import MultiCoilMRI
    >>> from daskphys.physics.mri import birdcage_maps, equispaced_mask
    >>> A = MultiCoilMRI(birdcage_maps(8, (64, 64)), equispaced_mask((64, 64), acceleration=4, calibration=16))
    >>> A
    MultiCoilMRI(8 coils, 64×64, 44 % sampled)
    >>> A(np.ones((64, 64), np.complex64)).shape, len(A[2:4])
    ((8, 64, 64), 2)
    """

    maps: Any
    mask: Any
    ndim: int = 2

    def __post_init__(self) -> None:
        mask, maps = checked_mask(self.mask, self.ndim, "MultiCoilMRI"), self.maps
        if doors.is_lazy(maps):
            check_map_shape(maps, self.ndim, "MultiCoilMRI")
        else:
            maps = checked_maps(maps, self.ndim, "MultiCoilMRI")
        n = self.ndim
        frames = zip(maps.shape[: -n - 1][::-1], mask.shape[:-n][::-1], strict=False)
        if tuple(maps.shape[-n:]) != tuple(mask.shape[-n:]) or any(
            a != b and 1 not in (a, b) for a, b in frames
        ):
            raise ShapeError(
                f"MultiCoilMRI expected maps and a mask of one size, got maps of shape {tuple(maps.shape)} and a mask of "
                f"shape {tuple(mask.shape)}: frames of a mask stand in front of its last {n} axes, those of maps in front "
                f"of the coils"
            )
        self.__dict__.update(maps=maps, mask=mask)

    @property
    def sensor_fields(self) -> dict[str, int]:  # type: ignore[override]
        return {"maps": -self.ndim - 1}

    @property
    def own_sensor_axis(self) -> int:  # type: ignore[override]
        return -self.ndim - 1

    def _together(self) -> CoilEncoding:
        if doors.is_lazy(self.maps):
            raise ParameterError(
                f"{self!r} expected maps in memory, got a Dask array: distribute(A, ctx) loads each coil's on its worker, or "
                f"compute them first"
            )
        made = object.__new__(CoilEncoding)  # arrays are checked, and are not copied
        made.__dict__.update(maps=self.maps, mask=self.mask, ndim=self.ndim)
        return made

    def _forward(self, x: Any) -> Any:
        return self._together()._forward(x)  # into one array; the parts' have to be joined

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return self._together()._cost(shape, dtype)

    def _summary(self) -> str:
        return f"{counted(self._coils, 'coil')}, {sampled(self.mask)}" + (
            "" if self.ndim == 2 else ", ndim=3"
        )

    def _thumbnails(self) -> list[tuple[str, Any]]:
        shown: list[tuple[str, Any]] = [("mask", picture(self.mask, self.ndim))]
        if not doors.is_lazy(self.maps):
            maps = abs(backend.to_numpy(self.maps).reshape(-1, *self.maps.shape[-self.ndim :])[:8])
            shown += [(f"coil {c}", m if self.ndim == 2 else m[len(m) // 2]) for c, m in enumerate(maps)]
        return shown
