"""Multiplication of the Fourier transform: what circular blurs are, and their AᴴA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics.convolution import Convolution
from daskphys.physics.cost import Cost, fft_flops, nbytes
from daskphys.physics.normal import half, pictures
from daskphys.physics.normal.half import HERMITIAN
from daskphys.physics.normal.identity import Identity
from daskphys.physics.normal.spectral import Spectral, fft_rounding_units, power
from daskphys.physics.normal.sums import NormalValue
from daskphys.physics.normal_kind import NormalKind, fourier
from daskphys.physics.transform import RealFFT, Transform
from daskphys.physics.value import value


@value
class FourierMultiplier(Spectral):
    """Multiplication of the image's Fourier transform by `multiplier`, for images of one size.

    Parameters
    ----------
    multiplier : array, shape ``(…, *sizes[:-1], sizes[-1] // 2 + 1)``, float64 or complex128
        The half spectrum, in the layout of `scipy.fft.rfftn`; leading axes are the image's too, or of length 1.
        Real for a self-adjoint operator.
    sizes : tuple of int
        The image's spatial shape.

    Raises
    ------
    ParameterError
        NaN or infinite entries; the half spectrum of no real kernel (off by more than 1e-4 of its norm), whose
        product and adjoint would not belong to each other.
    ShapeError
        `multiplier` is no half spectrum of `sizes`; the image has other sizes or channels.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Blur, gaussian_blur, stack
    >>> A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
    >>> N = A.normal((32, 32))
    >>> N
    FourierMultiplier(32×32)
    >>> x = np.random.default_rng(0).random((32, 32))
    >>> bool(np.allclose(N.inv(0.1)(N(x) + 0.1 * x), x))
    True
    """

    multiplier: Any
    sizes: tuple[int, ...]
    _array = "multiplier"

    def __post_init__(self) -> None:
        sizes = tuple(int(n) for n in self.sizes)
        self.__dict__.update(multiplier=self._take(self.multiplier), sizes=sizes)
        wanted = (*sizes[:-1], sizes[-1] // 2 + 1)
        if tuple(self.multiplier.shape[-len(wanted) :]) != wanted:
            raise ShapeError(
                f"FourierMultiplier expected a multiplier of shape (…, {', '.join(map(str, wanted))}) for images of "
                f"{self.sizes}, got {self.multiplier.shape}"
            )
        apart = half.off(self.multiplier, sizes)
        if not apart <= HERMITIAN:
            raise ParameterError(
                f"FourierMultiplier expected the half spectrum of a real kernel, D(−k) = conj(D(k)) in its first "
                f"column{'' if sizes[-1] % 2 else ' and its last'}, got one that is off by {apart:.1e} of its norm: take "
                f"scipy.fft.rfftn of the kernel"
            )

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(max(len(self.sizes), self.multiplier.ndim))

    @property
    def transform(self) -> Transform:
        return RealFFT(len(self.sizes))

    @property
    def kind(self) -> NormalKind:
        return fourier(len(self.sizes))

    @property
    def convolution(self) -> Convolution:
        return Circular(len(self.sizes))

    def _transfer(self, sizes: tuple[int, ...]) -> Any:
        return backend.copy(backend.astype(self.multiplier, "complex128"))

    @property
    def rounding_units(self) -> float:
        return fft_rounding_units(self.sizes)

    def _forward(self, x: Any) -> Any:
        z = self.transform.lift(x)
        z *= self._cast(z)  # in place: this spectrum is ours, and nothing is larger than it
        return self.transform.lower(z, x.shape)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.transform.lower(self._adjoint_to(y, shape, self.transform), shape)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        lifted, kind = transform.lifted(shape, dtype)
        own = backend.real_name(kind) if self.self_adjoint else kind
        flops = fft_flops(tuple(shape), len(self.sizes)) + 6.0 * backend.size(lifted)
        kept = nbytes(tuple(self.multiplier.shape), own)
        return Cost(1, flops, self.nbytes, kept, nbytes(lifted, kind), nbytes(shape, dtype))

    def _range_shape(self, shape: Any) -> Any:
        return self._check_image(self.sizes, self.multiplier.shape[: -len(self.sizes)], shape)

    def _plus(self, other: NormalValue) -> NormalValue | None:
        if isinstance(other, Identity):
            return self._holding(self.multiplier + other.factor)
        if other.kind.takes_fourier:
            return other._plus(self)
        if not isinstance(other, FourierMultiplier) or other.sizes != self.sizes:
            return None
        self._check_sum(other, "multipliers", self.multiplier, other.multiplier)
        return self._holding(self.multiplier + backend.like(other.multiplier, self.multiplier))

    def _around(self, power: FourierMultiplier) -> FourierMultiplier:
        return self._holding(self.multiplier * backend.like(power.multiplier, self.multiplier))

    def diagonal(self) -> Any:
        """The kernel's entry at lag 0, one for all pixels: the mean of the whole spectrum."""
        return half.mean(self.multiplier, self.sizes)

    def _thumbnails(self) -> list[tuple[str, Any]]:
        return pictures.of_frequencies(self.multiplier, self.sizes, centred=False)

    def _summary(self) -> str:
        return "×".join(map(str, self.sizes))


@dataclass(frozen=True)
class Circular(Convolution):
    """A circular convolution, of which every sample is taken."""

    def make_normal(self, transfer: Any, sizes: tuple[int, ...]) -> FourierMultiplier:
        return FourierMultiplier(power(transfer), sizes)
