"""What the sensors of a stack do first, and all alike: it is done once for all of them.

A family of operators whose members factor as A = B ∘ T, with one and the same T, says so by its `transform`.
A stack then computes T x once, and Aᵀy = Tᵀ Σᵢ Bᵢᵀ yᵢ sums before it transforms back: for N circular blurs,
1 + N and N + 1 FFTs in place of 2 N.  `lift` is T; `lower` is what is left of Aᵀ when the sum is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from daskphys import backend
from daskphys.physics import padding

Shape = tuple[int, ...]


class Transform(Protocol):
    """A shared first step; equal ones are the same step.  Instances are hashable and pickle."""

    def lift(self, x: Any) -> Any:
        """The image in the form that all sensors start from."""

    def lower(self, z: Any, shape: Shape) -> Any:
        """The image of this shape from the sum over sensors; may overwrite `z`."""


@dataclass(frozen=True)
class Plain:
    """No shared step: sensors start from the image, and their results are images."""

    def lift(self, x: Any) -> Any:
        return x

    def lower(self, z: Any, shape: Shape) -> Any:
        return z


@dataclass(frozen=True)
class RealFFT:
    """The half spectrum over the last `ndim` axes.

    A complex image is lifted as a pair (real, imaginary) along a new first axis: kernels are real, and two
    real transforms cost what one complex transform does.
    """

    ndim: int

    def lift(self, x: Any) -> Any:
        if backend.is_complex(x):
            xp = backend.namespace(x)
            x = xp.stack([xp.real(x), xp.imag(x)])
        return backend.rfftn(x, self.ndim)

    def lower(self, z: Any, shape: Shape) -> Any:
        image = backend.irfftn(z, shape[-self.ndim :])
        return backend.complex_of(image[0, ...], image[1, ...]) if z.ndim > len(shape) else image


@dataclass(frozen=True)
class PaddedRealFFT:
    """The half spectrum of the image extended at its borders (`padding` gives the modes)."""

    mode: str
    widths: tuple[tuple[int, int], ...]

    def _padded(self, shape: Shape) -> Shape:
        return padding.padded_shape(shape, self.widths)

    def lift(self, x: Any) -> Any:
        return RealFFT(len(self.widths)).lift(padding.pad(x, self.widths, self.mode))

    def lower(self, z: Any, shape: Shape) -> Any:
        image = RealFFT(len(self.widths)).lower(z, self._padded(shape))
        return padding.pad_transpose(image, self.widths, self.mode)


@dataclass(frozen=True)
class After:
    """The shared step of ``A @ first``: that of A, after `first`."""

    first: Any
    then: Transform

    def lift(self, x: Any) -> Any:
        return self.then.lift(self.first._forward(x))

    def lower(self, z: Any, shape: Shape) -> Any:
        return self.first._adjoint(self.then.lower(z, self.first._range_shape(shape)), shape)
