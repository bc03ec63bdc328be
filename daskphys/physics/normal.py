"""Self-adjoint values that AᴴA of a family is, and that merge by ``+``.

For circular blurs, Aᵢ = F⁻¹ diag(Ĥᵢ) F, so Σᵢ Aᵢᴴ Aᵢ = F⁻¹ diag(Σᵢ |Ĥᵢ|²) F: one multiplier for any number
of sensors, whose inverse, pseudo-inverse and norm are those of its entries.
"""

from __future__ import annotations

import numbers
from typing import Any

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cache import derived
from daskphys.physics.cost import Cost, fft_flops, nbytes
from daskphys.physics.spaces import check_channels
from daskphys.physics.transform import RealFFT, Transform
from daskphys.physics.value import value


@value
class FourierMultiplier(LinearPhysics):
    """Multiplication of the image's Fourier transform by `multiplier`, for images of one size.

    Parameters
    ----------
    multiplier : array, shape (…, *sizes[:-1], sizes[-1] // 2 + 1), float64 or complex128
        The half spectrum, in the layout of `scipy.fft.rfftn`; leading axes broadcast against the image's.
        Real for a self-adjoint operator.
    sizes : tuple of int
        The image's spatial shape.

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

    def __post_init__(self) -> None:
        multiplier = backend.as_parameter(doors.to_core(self.multiplier), "FourierMultiplier", "multiplier")
        self.__dict__.update(multiplier=multiplier, sizes=tuple(int(n) for n in self.sizes))
        xp = backend.namespace(multiplier)
        if not bool(xp.all(xp.isfinite(multiplier))):
            raise ParameterError("FourierMultiplier expected finite entries, got NaN or infinity")
        half = (*self.sizes[:-1], self.sizes[-1] // 2 + 1)
        if tuple(self.multiplier.shape[-len(half) :]) != half:
            raise ShapeError(
                f"FourierMultiplier expected a multiplier of shape (…, {', '.join(map(str, half))}) for images of "
                f"{self.sizes}, got {self.multiplier.shape}"
            )

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return max(len(self.sizes), self.multiplier.ndim)

    @property
    def transform(self) -> Transform:
        return RealFFT(len(self.sizes))

    def multiply(self, z: Any, *, conjugate: bool = False) -> Any:
        """The product with a half spectrum, in its precision."""
        real = not backend.is_complex(self.multiplier)
        name = backend.dtype_name(z)
        factor = derived.get(
            self,
            (backend.device_of(z), name),
            lambda: backend.like(self.multiplier, z, backend.real_name(name) if real else name),
        )
        return z * (factor if real or not conjugate else backend.namespace(z).conj(factor))

    def _forward_from(self, z: Any, shape: Any, transform: Transform) -> Any:
        return self.transform.lower(self.multiply(z), shape)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        return self.multiply(self.transform.lift(y), conjugate=True)

    def _forward(self, x: Any) -> Any:
        return self._forward_from(self.transform.lift(x), x.shape, self.transform)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.transform.lower(self._adjoint_to(y, shape, self.transform), shape)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        lifted, kind = transform.lifted(shape, dtype)
        own = kind if backend.is_complex(self.multiplier) else backend.real_name(kind)
        flops = fft_flops(tuple(shape), len(self.sizes)) + 6.0 * backend.size(lifted)
        kept = nbytes(tuple(self.multiplier.shape), own)
        return Cost(1, flops, self.nbytes, kept, nbytes(lifted, kind), nbytes(shape, dtype))

    def _range_shape(self, shape: Any) -> Any:
        if tuple(shape[-len(self.sizes) :]) != self.sizes:
            raise ShapeError(f"{self!r} expected an image of {self.sizes}, got {tuple(shape)}")
        check_channels(self, tuple(self.multiplier.shape[: -len(self.sizes)]), tuple(shape), len(self.sizes))
        return shape

    def _domain_shape(self, shape: Any) -> Any:
        return self._range_shape(shape)

    @property
    def normal_kind(self) -> Any:
        return ("fourier", len(self.sizes))

    def _normal(self, shape: Any) -> FourierMultiplier:
        return self._with(abs(self.multiplier) ** 2)

    def _with(self, multiplier: Any) -> FourierMultiplier:
        return FourierMultiplier(multiplier, self.sizes)

    def _merge(self, other: Any) -> FourierMultiplier | None:
        if isinstance(other, FourierMultiplier) and other.sizes == self.sizes:
            left, right = self.multiplier.shape, other.multiplier.shape
            if len(left) == len(right) and any(
                a != b and 1 not in (a, b) for a, b in zip(left, right, strict=True)
            ):
                raise ShapeError(
                    f"{self!r} + {other!r}: expected multipliers of one shape, got {left} and {right}"
                )
            return self._with(self.multiplier + backend.like(other.multiplier, self.multiplier))
        return None

    def _scaled(self, number: complex) -> FourierMultiplier | None:
        # Times i, the two halves of the spectrum would no longer be conjugates.
        return None if isinstance(number, complex) else self._with(number * self.multiplier)

    def inv(self, lam: float) -> FourierMultiplier:
        """(A + lam I)⁻¹, for a real non-negative multiplier.

        Raises
        ------
        ParameterError
            `lam` is negative, or the sum has a zero (then `pinv` is what there is).
        """
        if not isinstance(lam, numbers.Real) or not lam >= 0:
            raise ParameterError(f"{self!r}.inv expected lam >= 0, got {lam}")
        shifted = self.multiplier + float(lam)
        xp = backend.namespace(shifted)
        if backend.is_complex(shifted) or bool(xp.any(self.multiplier < 0)):
            raise ParameterError(f"{self!r}.inv expected a real, non-negative multiplier, as that of AᴴA is")
        if bool(xp.any(shifted == 0)):
            raise ParameterError(f"{self!r} + {lam} I is singular: expected lam > 0, or use pinv(rtol)")
        return self._with(1.0 / shifted)

    def pinv(self, rtol: float | None = None) -> FourierMultiplier:
        """A⁺: entries of at most `rtol` times the largest count as zero (by default one rounding unit)."""
        xp = backend.namespace(self.multiplier)
        size = abs(self.multiplier)
        cut = (backend.eps(size) if rtol is None else rtol) * xp.max(size)
        keep = size > cut
        ones = xp.ones_like(self.multiplier)
        return self._with(xp.where(keep, ones / xp.where(keep, self.multiplier, ones), 0 * ones))

    def norm(self) -> float:
        """The largest singular value: the largest entry's magnitude."""
        return float(backend.namespace(self.multiplier).max(abs(self.multiplier)))

    def compute_sqnorm(self, x_or_shape: Any) -> float:
        """The square of `norm`, for images of its own size."""
        self._image_shape(x_or_shape)
        return self.norm() ** 2

    def _summary(self) -> str:
        return "×".join(map(str, self.sizes))
