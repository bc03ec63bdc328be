"""Convolution with a kernel that does not wrap: the normal operator of non-uniform Fourier transforms."""

from __future__ import annotations

import itertools
from typing import Any

from daskphys import backend, doors
from daskphys.errors import NotClosedFormError, ParameterError, ShapeError
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.normal import half, pictures
from daskphys.physics.normal.half import HERMITIAN
from daskphys.physics.normal.held import HeldArray
from daskphys.physics.normal.identity import Identity
from daskphys.physics.normal.sums import NormalValue
from daskphys.physics.normal_kind import NormalKind, toeplitz
from daskphys.physics.normalcost import padded_sizes, toeplitz_step
from daskphys.physics.transform import Transform
from daskphys.physics.value import value


@value
class Toeplitz(HeldArray):
    """``x → crop(F⁻¹ D F pad x)``: convolution with a kernel of lags −(n−1) … n−1, by a longer FFT.

    AᴴA of a non-uniform Fourier transform, ``(A x)[m] = Σₙ x[n] exp(−2πi kₘ·n)``, is this with the kernel
    ``t[l] = Σₘ exp(2πi kₘ·l)``, whatever the number of samples (Feichtinger, Gröchenig and Strohmer 1995;
    Fessler, Lee, Olafsson, Shi and Noll 2005).

    Parameters
    ----------
    spectrum : array, float64, shape ``(…, *padded)`` or ``(…, *padded[:-1], padded[-1] // 2 + 1)``
        D, real.  A half spectrum, in the layout of `scipy.fft.rfftn`, is that of a real kernel; a whole one is that of
        a complex kernel, and makes real images complex.  ``padded = Toeplitz.padded(sizes)``.  Leading axes
        are the image's too, or of length 1.
    sizes : tuple of int
        The image's spatial shape.

    Raises
    ------
    ParameterError
        NaN, infinite or complex entries.
    ShapeError
        `spectrum` does not belong to `sizes`; the image has other sizes or channels.

    Notes
    -----
    The largest entry of D bounds the norm from above and is not it, so `norm` has no closed form; nor has the inverse.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.normal import Toeplitz
    >>> T = Toeplitz.from_kernel([1.0, 4.0, 1.0])
    >>> T.sizes, T(np.eye(2)).round(12).tolist()
    ((2,), [[4.0, 1.0], [1.0, 4.0]])
    >>> float(T.diagonal()[0])
    4.0
    """

    spectrum: Any
    sizes: tuple[int, ...]
    _array = "spectrum"

    def __post_init__(self) -> None:
        sizes = tuple(int(n) for n in self.sizes)
        self.__dict__.update(spectrum=self._take(self.spectrum), sizes=sizes)
        padded = self.padded(sizes)
        wanted = [(*padded[:-1], last) for last in (padded[-1] // 2 + 1, padded[-1])]
        if tuple(self.spectrum.shape[-len(sizes) :]) not in wanted:
            raise ShapeError(
                f"Toeplitz expected a spectrum whose last axes are {wanted[0]} (of a real kernel) or {wanted[1]} (of a "
                f"complex one) for images of {sizes}, got {tuple(self.spectrum.shape)}"
            )
        if backend.is_complex(self.spectrum):
            raise ParameterError(
                "Toeplitz expected a real spectrum, as that of a self-adjoint operator is, got a complex one: give its "
                "real part"
            )

    @staticmethod
    def padded(sizes: tuple[int, ...]) -> tuple[int, ...]:
        """The periods for images of `sizes`: fast FFT lengths, of at least all lags −(n−1) … n−1.

        At least 3, so that the whole and the half spectrum have unlike lengths.
        """
        return padded_sizes(sizes)

    @classmethod
    def from_kernel(cls, kernel: Any, ndim: int | None = None) -> Toeplitz:
        """The Toeplitz operator with this kernel.

        Parameters
        ----------
        kernel : array, shape (…, 2 n₁ − 1, …, 2 n_d − 1), real or complex
            The entry for each lag, lag 0 in the middle; ``t[−l] = conj(t[l])``.
        ndim : int, optional
            The number of spatial axes d; by default all.

        Raises
        ------
        ShapeError
            An axis of even length.
        ParameterError
            A kernel that is not Hermitian, by more than 1e-4 of its norm.
        """
        t = backend.as_parameter(doors.to_core(kernel), "Toeplitz.from_kernel", "kernel")
        ndim = t.ndim if ndim is None else ndim
        lags = tuple(int(n) for n in t.shape[t.ndim - ndim :])
        if not 1 <= ndim <= t.ndim or any(n % 2 == 0 for n in lags):
            raise ShapeError(
                f"Toeplitz.from_kernel expected axes of 2 n − 1 lags, lag 0 in the middle, over {ndim} spatial axes, got "
                f"a kernel of shape {tuple(t.shape)}"
            )
        sizes = tuple((n + 1) // 2 for n in lags)
        padded = cls.padded(sizes)
        spectrum = backend.embedded_fftn(_wrapped(t, sizes, padded), padded, half=not backend.is_complex(t))
        # The spectrum of the kernel's Hermitian part, and i times that of the rest.
        xp = backend.namespace(t)
        real, imag = xp.real(spectrum), xp.imag(spectrum)
        off, size = (float(xp.sum(part * part)) ** 0.5 for part in (imag, real))
        if not off <= HERMITIAN * size:
            raise ParameterError(
                f"Toeplitz.from_kernel expected a Hermitian kernel, t[−l] = conj(t[l]), got one that is off by "
                f"{off / size if size else off:.1e} of its norm: take (t + conj(flip(t))) / 2"
            )
        return cls(real, sizes)

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(max(len(self.sizes), self.spectrum.ndim))

    @property
    def _real(self) -> bool:
        return half.is_half(self.spectrum, self.padded(self.sizes))

    @property
    def kind(self) -> NormalKind:
        return toeplitz(len(self.sizes), not self._real)

    def _forward(self, x: Any) -> Any:
        padded, pair = self.padded(self.sizes), self._real and backend.is_complex(x)
        if pair:  # two real transforms cost what one complex transform does
            xp = backend.namespace(x)
            x = xp.stack([xp.real(x), xp.imag(x)])
        z = backend.embedded_fftn(x, padded, half=self._real)
        z *= self._cast(z)
        y = backend.embedded_ifftn(z, padded, self.sizes, half=self._real)
        return backend.complex_of(y[0, ...], y[1, ...]) if pair else y

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._forward(y)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        real = backend.real_name(dtype)
        step = toeplitz_step(shape, dtype, len(self.sizes), not self._real)
        result = nbytes(shape, self._result_dtype(dtype))
        flops = 2 * step.flops + step.result
        # The spectrum, and the same again while an axis of it is transformed; a pair comes together at the end.
        workspace = 2 * step.result + (result if self._real and dtype != real else 0)
        kept = nbytes(tuple(self.spectrum.shape), real)
        return Cost(2 * step.transforms, flops, self.nbytes, kept, workspace, result)

    def _range_shape(self, shape: Any) -> Any:
        return self._check_image(self.sizes, self.spectrum.shape[: -len(self.sizes)], shape)

    def _plus(self, other: NormalValue) -> Toeplitz | None:
        if isinstance(other, Identity):
            return self._holding(self.spectrum + other.factor)  # the spectrum of a unit at lag 0 is all ones
        if not isinstance(other, Toeplitz) or other.sizes != self.sizes:
            return None
        left, right = self.spectrum, backend.like(other.spectrum, self.spectrum)
        if self._real != other._real:
            padded = self.padded(self.sizes)
            left = half.completed(left, padded) if self._real else left
            right = half.completed(right, padded) if other._real else right
        self._check_sum(other, "spectra", left, right)
        return self._holding(left + right)

    def diagonal(self) -> Any:
        """The kernel's entry at lag 0, one for all pixels: the mean of the whole spectrum."""
        return half.mean(self.spectrum, self.padded(self.sizes))

    def _not_closed(self, what: str) -> NotClosedFormError:
        return NotClosedFormError(
            f"{self!r} has no closed form of {what}: it is diagonal in no Fourier basis of the image; use A_dagger or "
            f"compute_norm of the operator, which iterate with this value"
        )

    def _thumbnails(self) -> list[tuple[str, Any]]:
        return pictures.of_lags(self.spectrum, self.padded(self.sizes), real=self._real)

    def _summary(self) -> str:
        return "×".join(map(str, self.sizes)) + ("" if self._real else ", complex")


def _wrapped(kernel: Any, sizes: tuple[int, ...], padded: tuple[int, ...]) -> Any:
    """The kernel in a longer array of zeros, lag l at index l modulo its length; no copy is made on the way."""
    lead = tuple(kernel.shape[: kernel.ndim - len(sizes)])
    placed = backend.zeros((*lead, *padded), kernel)
    halves = [
        ((slice(n - 1, None), slice(0, n)), (slice(0, n - 1), slice(p - n + 1, None)))
        for n, p in zip(sizes, padded, strict=True)
    ]
    for corner in itertools.product(*halves):
        taken, put = zip(*corner, strict=True)
        placed[(..., *put)] = kernel[(..., *taken)]
    return placed
