"""Convolution with a kernel that does not wrap: the normal operator of non-uniform Fourier transforms."""

from __future__ import annotations

from typing import Any

from daskphys import backend, doors
from daskphys.errors import NotClosedFormError, ParameterError, ShapeError
from daskphys.physics.normal import half
from daskphys.physics.normal.held import HeldArray
from daskphys.physics.normal.identity import Identity
from daskphys.physics.normal.sums import NormalValue
from daskphys.physics.normal_kind import NormalKind, toeplitz
from daskphys.physics.padding import pad
from daskphys.physics.spaces import check_channels
from daskphys.physics.transform import RealFFT
from daskphys.physics.value import value

#: How far from Hermitian, relative to its norm, a kernel may be: non-uniform FFTs in single precision give 1e-5.
_HERMITIAN = 1e-4


@value
class Toeplitz(HeldArray):
    """``x → crop(F⁻¹ D F pad x)``: convolution with a kernel of lags −(n−1) … n−1, by a longer FFT.

    AᴴA of a non-uniform Fourier transform, ``(A x)[m] = Σₙ x[n] exp(−2πi kₘ·n)``, is this with the kernel
    ``t[l] = Σₘ exp(2πi kₘ·l)``, whatever the number of samples (Feichtinger, Gröchenig and Strohmer 1995;
    Fessler, Lee, Olafsson, Shi and Noll 2005).

    Parameters
    ----------
    spectrum : array, float64, shape (…, *padded) or (…, *padded[:-1], padded[-1] // 2 + 1)
        D, real.  A half spectrum, in the layout of `scipy.fft.rfftn`, is that of a real kernel; a whole one is that of
        a complex kernel, and makes real images complex.  ``padded = Toeplitz.padded(sizes)``.  Leading axes
        broadcast against the image's.
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
        return tuple(backend.fast_length(max(2 * int(n) - 1, 3)) for n in sizes)

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
        axes, lags = tuple(range(-ndim, 0)), tuple(int(n) for n in t.shape[t.ndim - ndim :])
        if not 1 <= ndim <= t.ndim or any(n % 2 == 0 for n in lags):
            raise ShapeError(
                f"Toeplitz.from_kernel expected axes of 2 n − 1 lags, lag 0 in the middle, over {ndim} spatial axes, got "
                f"a kernel of shape {tuple(t.shape)}"
            )
        xp = backend.namespace(t)
        mirror = xp.flip(t, axis=axes)
        mirror = xp.conj(mirror) if backend.is_complex(t) else mirror
        off, size = backend.norm(t - mirror) / 2, backend.norm(t)
        if not off <= _HERMITIAN * size:
            raise ParameterError(
                f"Toeplitz.from_kernel expected a Hermitian kernel, t[−l] = conj(t[l]), got one that is off by {off:.1e} "
                f"of {size:.1e}: take (t + conj(flip(t))) / 2"
            )
        sizes = tuple((n + 1) // 2 for n in lags)
        placed = pad(t, [(0, p - n) for p, n in zip(cls.padded(sizes), lags, strict=True)], "zero")
        placed = xp.roll(placed, tuple(1 - n for n in sizes), axis=axes)
        # The real part is the spectrum of the kernel's Hermitian part.
        transformed = backend.fftn(placed, ndim) if backend.is_complex(t) else backend.rfftn(placed, ndim)
        return cls(xp.real(transformed), sizes)

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return max(len(self.sizes), self.spectrum.ndim)

    @property
    def _real(self) -> bool:
        return half.is_half(self.spectrum, self.padded(self.sizes))

    @property
    def kind(self) -> NormalKind:
        return toeplitz(len(self.sizes), not self._real)

    def _forward(self, x: Any) -> Any:
        ndim, padded = len(self.sizes), self.padded(self.sizes)
        longer = pad(x, [(0, p - n) for p, n in zip(padded, self.sizes, strict=True)], "zero")
        if self._real:
            z = RealFFT(ndim).lift(longer)
            whole = RealFFT(ndim).lower(z * self._cast(z), (*x.shape[:-ndim], *padded))
        else:
            z = backend.fftn(longer, ndim)
            whole = backend.ifftn(z * self._cast(z), ndim)
        # A copy: a view would keep the larger array alive, and travel with it.
        return backend.copy(whole[(..., *(slice(0, n) for n in self.sizes))])

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._forward(y)

    def _range_shape(self, shape: Any) -> Any:
        if tuple(shape[-len(self.sizes) :]) != self.sizes:
            raise ShapeError(f"{self!r} expected an image of {self.sizes}, got {tuple(shape)}")
        check_channels(self, tuple(self.spectrum.shape[: -len(self.sizes)]), tuple(shape), len(self.sizes))
        return shape

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
        if any(a != b and 1 not in (a, b) for a, b in zip(left.shape[::-1], right.shape[::-1], strict=False)):
            raise ShapeError(
                f"{self!r} + {other!r}: expected spectra of one shape, got {tuple(left.shape)} and {tuple(right.shape)}"
            )
        return self._holding(left + right)

    def diagonal(self) -> Any:
        """The kernel's entry at lag 0, one for all pixels: the mean of the whole spectrum."""
        return half.mean(self.spectrum, self.padded(self.sizes))

    def _not_closed(self, what: str) -> NotClosedFormError:
        return NotClosedFormError(
            f"{self!r} has no closed form of {what}: it is diagonal in no Fourier basis of the image; use A_dagger or "
            f"compute_norm of the operator, which iterate with this value"
        )

    def _summary(self) -> str:
        return "×".join(map(str, self.sizes)) + ("" if self._real else ", complex")
