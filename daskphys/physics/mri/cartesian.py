"""Fourier encoding on a grid."""

from __future__ import annotations

from typing import Any

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cache import derived
from daskphys.physics.centred import CentredFFT, frequency_phase, is_signs
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.normal import CentredMultiplier
from daskphys.physics.normal.spectral import power
from daskphys.physics.normal_kind import NormalKind, kspace
from daskphys.physics.spaces import check_leading
from daskphys.physics.transform import Transform
from daskphys.physics.value import value


def checked_mask(given: Any, ndim: int, owner: str) -> Any:
    """A mask as a frozen real array (…, *space), or an error of `owner`."""
    if ndim not in (2, 3):
        raise ParameterError(f"{owner} expected ndim 2 or 3, got {ndim!r}")
    mask = backend.as_parameter(doors.to_core(given), owner, "mask", double=False)
    if mask.ndim < ndim or 0 in mask.shape:
        axes = ", ".join(("D", "H", "W")[-ndim:])
        raise ShapeError(
            f"{owner} expected a mask of shape (…, {axes}), got {tuple(mask.shape)}: one of lines alone is made whole by "
            f"np.broadcast_to"
        )
    if backend.is_complex(mask):
        raise ParameterError(f"{owner} expected a real mask, got a complex one")
    xp = backend.namespace(mask)
    if not bool(xp.all(xp.isfinite(mask))):
        raise ParameterError(f"{owner} expected a finite mask, got NaN or infinity")
    if not bool(xp.any(mask != 0)):
        raise ParameterError(f"{owner} expected a mask that samples something, got all zeros")
    while mask.ndim > ndim and mask.shape[0] == 1:
        mask = mask[0, ...]
    return backend.frozen(mask)


def encoding(mask: Any, ndim: int, z: Any) -> Any:
    """What the plain transform of a centred image is multiplied by: the mask and a phase, in the precision of `z`.

    Kept as long as the mask is, which operators share.
    """
    sizes = tuple(mask.shape[-ndim:])
    kind = backend.real_name(backend.dtype_name(z))
    kind = kind if is_signs(sizes) else backend.complex_name(kind)
    return derived.get(
        mask,
        ("encoding", ndim, backend.device_of(z), kind),
        lambda: backend.like(
            backend.namespace(mask).asarray(mask * backend.like(frequency_phase(sizes), mask)), z, kind
        ),
    )


def encoding_nbytes(mask: Any, ndim: int, dtype: str) -> int:
    """Bytes of it."""
    kind = backend.real_name(dtype)
    shape = tuple(mask.shape)
    return nbytes(shape, kind if is_signs(shape[-ndim:]) else backend.complex_name(kind))


@value
class MRI(LinearPhysics):
    """``y = mask · F x``, with F the centred orthonormal Fourier transform: one coil, Cartesian.

    Parameters
    ----------
    mask : array, shape (…, H, W); with ``ndim=3`` (…, D, H, W); of bool or of real numbers
        Which frequencies are sampled, frequency zero at ``n // 2`` of each axis; numbers weight them.  Where it has
        axes in front (frames), the image has them too, as long as they are; one of length 1 fits any.
    ndim : {2, 3}
        The number of spatial axes.

    Raises
    ------
    ShapeError
        A mask with too few axes; an image of another size.
    ParameterError
        A mask that is complex, all zero, NaN or infinite.

    Notes
    -----
    Images are complex; a real one has a complex measurement, and Aᴴy is complex.  Pixel ``n // 2`` of each axis is the
    origin: ``y[k] = (H W)^(-1/2) Σ_j x[j] exp(−2πi (k − c)·(j − c) / n)`` with c = n // 2.  AᴴA merges into one
    `CentredMultiplier`, so that ``A_dagger`` and ``tikhonov`` are closed form.  Noise lands where the mask is not zero.

    References
    ----------
    Conventions are those of deepinv's ``MRI`` and fastMRI's ``fft2c``.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import MRI
    >>> A = MRI(np.ones((4, 6)))
    >>> x = np.zeros((4, 6))
    >>> x[2, 3] = 1.0  # the origin: its transform is constant
    >>> bool(np.allclose(A(x), 24**-0.5)), bool(np.allclose(A.A_dagger(A(x)), x))
    (True, True)
    """

    mask: Any
    ndim: int = 2

    def __post_init__(self) -> None:
        self.__dict__["mask"] = checked_mask(self.mask, self.ndim, "MRI")

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(self.mask.ndim)

    @property
    def transform(self) -> Transform:
        return CentredFFT(self.ndim)

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype)

    def _range_shape(self, shape: Any) -> Any:
        sizes = tuple(self.mask.shape[-self.ndim :])
        if tuple(shape[-self.ndim :]) != sizes:
            raise ShapeError(
                f"{self!r} expected an image of {sizes}, the size of its mask, got {tuple(shape)}"
            )
        check_leading(self, "mask", tuple(self.mask.shape[: -self.ndim]), tuple(shape), self.ndim)
        return shape

    def _domain_shape(self, shape: Any) -> Any:
        return self._range_shape(shape)

    @property
    def _measured(self) -> Any:
        return self.mask

    def _forward_from(self, z: Any, shape: Any, transform: Transform) -> Any:
        factor = encoding(self.mask, self.ndim, z)
        return z * factor

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        factor = encoding(self.mask, self.ndim, y)
        if backend.is_complex(factor):  # named: see `Spectral.multiply`
            factor = backend.namespace(y).conj(factor)
        return y * factor

    def _forward(self, x: Any) -> Any:
        z = self.transform.lift(x)
        z *= encoding(self.mask, self.ndim, z)  # in place: it is ours
        return z

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.transform.lower(self._adjoint_to(y, shape, self.transform), shape)

    @property
    def normal_kind(self) -> NormalKind:
        return kspace(self.ndim)

    def _make_normal(self, shape: Any) -> CentredMultiplier:
        return CentredMultiplier(power(backend.astype(self.mask, "float64")), self.ndim)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        result = nbytes(shape, backend.complex_name(dtype))
        kept = encoding_nbytes(self.mask, self.ndim, dtype)
        return Cost(0, 2.0 * backend.size(shape), self.nbytes, kept, kept, result)

    def _summary(self) -> str:
        return f"{sampled(self.mask)}, ndim={self.ndim}"

    def _thumbnails(self) -> list[tuple[str, Any]]:
        return [("mask", picture(self.mask, self.ndim))]


def sampled(mask: Any) -> str:
    """A mask in a few words."""
    part = float(backend.namespace(mask).mean(backend.astype(mask != 0, "float64")))
    return f"{'×'.join(map(str, mask.shape))}, {100 * part:.0f} % sampled"


def picture(mask: Any, ndim: int) -> Any:
    """One frame of a mask; of a volume, its middle."""
    frame = backend.to_numpy(mask).reshape(-1, *mask.shape[-ndim:])[0]
    return frame if ndim == 2 else frame[len(frame) // 2]
