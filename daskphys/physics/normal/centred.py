"""Multiplication of k-space, whose filters need not be those of real kernels: what AᴴA of Fourier encoding is."""

from __future__ import annotations

from typing import Any

from daskphys import backend
from daskphys.errors import ShapeError
from daskphys.physics.cache import derived
from daskphys.physics.centred import CentredFFT
from daskphys.physics.cost import Cost, fft_flops, nbytes
from daskphys.physics.normal import half, pictures
from daskphys.physics.normal.identity import Identity
from daskphys.physics.normal.multiplier import FourierMultiplier
from daskphys.physics.normal.spectral import Spectral, fft_rounding_units
from daskphys.physics.normal.sums import NormalValue
from daskphys.physics.normal_kind import NormalKind, kspace
from daskphys.physics.transform import Transform
from daskphys.physics.value import value


@value
class CentredMultiplier(Spectral):
    """Multiplication of the image's centred Fourier transform by `multiplier`; the result is complex.

    Parameters
    ----------
    multiplier : array, shape ``(…, *sizes)``, float64 or complex128
        One entry a frequency, frequency zero at ``n // 2`` of each axis; leading axes are the image's too, or of length 1.
        Real for a self-adjoint operator.
    ndim : int
        The number of spatial axes.

    Raises
    ------
    ParameterError
        NaN or infinite entries.
    ShapeError
        The image has other sizes or channels.

    Notes
    -----
    A `FourierMultiplier`, which is that of a real kernel, merges with it.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.normal import CentredMultiplier
    >>> low = np.zeros((4, 6))
    >>> low[2, 3] = 1.0  # frequency zero: the mean
    >>> CentredMultiplier(low, ndim=2)(np.arange(24.0).reshape(4, 6))[0, 0].round(12)
    np.complex128(11.5+0j)
    """

    multiplier: Any
    ndim: int
    _array = "multiplier"

    def __post_init__(self) -> None:
        self.__dict__["multiplier"] = self._take(self.multiplier)
        if not 1 <= self.ndim <= self.multiplier.ndim:
            raise ShapeError(
                f"CentredMultiplier expected a multiplier with at least {max(1, self.ndim)} axes, got shape "
                f"{tuple(self.multiplier.shape)}"
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """The image's spatial shape."""
        return tuple(self.multiplier.shape[-self.ndim :])

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(self.multiplier.ndim)

    @property
    def transform(self) -> Transform:
        return CentredFFT(self.ndim)

    @property
    def kind(self) -> NormalKind:
        return kspace(self.ndim)

    @property
    def rounding_units(self) -> float:
        return fft_rounding_units(self.sizes)

    def _forward(self, x: Any) -> Any:
        return self._filtered(x, conjugate=False)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._filtered(y, conjugate=True)

    def _filtered(self, x: Any, conjugate: bool) -> Any:
        """Where to the centre is moved does not matter to a filter, so the plain transform does it, in one array."""
        z = backend.fftn(x, self.ndim)
        key = (backend.device_of(z), backend.dtype_name(z), "plain")
        factor = derived.get(self, key, lambda: self._plain(z))
        z = backend.times_conj(z, factor) if conjugate or self.self_adjoint else z * factor
        return backend.fftn(z, self.ndim, inverse=True, overwrite=True)

    def _plain(self, z: Any) -> Any:
        factor = self._cast(z)
        return backend.namespace(factor).fft.ifftshift(factor, axes=tuple(range(-self.ndim, 0)))

    def _cost(self, shape: Any, dtype: str) -> Cost:
        own = self._step_cost(shape, dtype, self.transform)
        return Cost(2, 2 * own.flops, own.parameters, own.kept, 0, own.result)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        return self._cost(shape, dtype)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        kind = backend.complex_name(dtype)
        result = nbytes(shape, kind)
        kept = nbytes(tuple(self.multiplier.shape), backend.real_name(dtype) if self.self_adjoint else kind)
        flops = 2 * fft_flops(tuple(shape), self.ndim) + 4.0 * backend.size(shape)
        # The transform's phases come beside the product.
        return Cost(1, flops, self.nbytes, 2 * kept, result, result)

    def _range_shape(self, shape: Any) -> Any:
        return self._check_image(self.sizes, self.multiplier.shape[: -self.ndim], shape)

    def _plus(self, other: NormalValue) -> CentredMultiplier | None:
        if isinstance(other, Identity):
            return self._holding(self.multiplier + other.factor)
        if isinstance(other, FourierMultiplier) and other.self_adjoint and len(other.sizes) == self.ndim:
            entries = _centred(other)
        elif isinstance(other, CentredMultiplier) and other.ndim == self.ndim:
            entries = other.multiplier
        else:
            return None
        self._check_sum(other, "multipliers", self.multiplier, entries)
        return self._holding(self.multiplier + backend.like(entries, self.multiplier))

    def _around(self, power: FourierMultiplier) -> CentredMultiplier:
        return self._holding(self.multiplier * backend.like(_centred(power), self.multiplier))

    def diagonal(self) -> Any:
        """The kernel's entry at lag 0, one for all pixels: the mean of all entries."""
        xp, axes = backend.namespace(self.multiplier), tuple(range(-self.ndim, 0))
        return xp.mean(self.multiplier, axis=axes, keepdims=True)

    def _thumbnails(self) -> list[tuple[str, Any]]:
        return pictures.of_frequencies(self.multiplier, self.sizes, centred=True)

    def _summary(self) -> str:
        return "×".join(map(str, self.multiplier.shape)) + f", ndim={self.ndim}"


def _centred(other: FourierMultiplier) -> Any:
    """The whole spectrum of a real half one, frequency zero in the middle."""
    whole = half.completed(other.multiplier, other.sizes)
    return backend.namespace(whole).fft.fftshift(whole, axes=tuple(range(-len(other.sizes), 0)))
