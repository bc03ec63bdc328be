"""What the sensors of a stack do first, and all alike: it is done once for all of them.

A family of operators whose members factor as A = B ∘ T, with one and the same T, says so by its `transform`.
A stack then computes T x once, and Aᵀy = Tᵀ Σᵢ Bᵢᵀ yᵢ sums before it transforms back: for N circular blurs,
1 + N and N + 1 FFTs in place of 2 N.  `lift` is T; `lower` is what is left of Aᵀ when the sum is taken.

Which T serves all sensors is found by `join`, over the whole stack, and told to every block: a block that chose
for itself would make the bits depend on the cut.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from typing import Any

from daskphys import backend
from daskphys.physics.cost import Cost, fft_flops, half, nbytes

Shape = tuple[int, ...]


class Transform(abc.ABC):
    """A shared first step.  Instances are frozen, hashable and pickle; equal ones are the same step."""

    #: Whether the arrays that sensors make for `lower` are their own, so that sums may be taken in place.
    sums_in_place = False

    @abc.abstractmethod
    def lift(self, x: Any) -> Any:
        """The image in the form that all sensors start from."""

    @abc.abstractmethod
    def lower(self, z: Any, shape: Shape) -> Any:
        """The image of this shape from the sum over sensors; may overwrite `z`."""

    def join(self, other: Transform) -> Transform:
        """The first step that serves the sensors of both; `Plain` where they have none in common.

        Commutative and associative, for a stack joins its sensors' in any grouping: a pair of unlike classes is
        decided in one of the two, and the other asks it.
        """
        return self if self == other else Plain()

    def at_image_size(self) -> Transform:
        """The same step on the image's own grid, where merged normal operators live."""
        return self

    def outline(self) -> Transform:
        """What a block must be told of it: all but the operators, which the block has itself."""
        return self

    def filled(self, outline: Transform) -> Transform:
        """The transform of the whole stack from its outline and that of a block (this one)."""
        return outline

    def method(self, shape: Shape) -> str:
        """How a product of images of this shape on the CPU is computed, in words."""
        return "direct call"

    def sizes(self, shape: Shape) -> Shape:
        """The shape of the real array that stands for an image of `shape`, after its borders are extended."""
        return shape

    def lifted(self, shape: Shape, dtype: str) -> tuple[Shape, str]:
        """Shape and dtype of ``lift(x)`` for an image x of these."""
        return shape, dtype

    def cost(self, shape: Shape, dtype: str) -> Cost:
        """What `lift` takes (and `lower`, with an image as its result)."""
        return Cost()


@dataclass(frozen=True)
class Plain(Transform):
    """No shared step: sensors start from the image, and their results are images."""

    def lift(self, x: Any) -> Any:
        return x

    def lower(self, z: Any, shape: Shape) -> Any:
        return z


@dataclass(frozen=True)
class RealFFT(Transform):
    """The half spectrum over the last `ndim` axes, on the image's own grid.

    A complex image is lifted as a pair (real, imaginary) along a new first axis: kernels are real, and two
    real transforms cost what one complex transform does.
    """

    ndim: int
    sums_in_place = True

    def join(self, other: Transform) -> Transform:
        if isinstance(other, RealFFT):
            return super().join(other)
        return other.join(self)  # an extended image knows whether the image's own grid serves its sensors too

    def lift(self, x: Any) -> Any:
        return backend.rfftn(as_pair(x), self.ndim)

    def lower(self, z: Any, shape: Shape) -> Any:
        return from_pair(backend.irfftn(z, shape[-self.ndim :]), len(shape))

    def method(self, shape: Shape) -> str:
        return "FFT"

    def lifted(self, shape: Shape, dtype: str) -> tuple[Shape, str]:
        return half(paired(shape, dtype)[0]), backend.complex_name(dtype)

    def cost(self, shape: Shape, dtype: str) -> Cost:
        pair, _ = paired(shape, dtype)
        copied = nbytes(shape, dtype) if pair != shape else 0
        spectrum = nbytes(*self.lifted(shape, dtype))
        return Cost(1, fft_flops(pair, self.ndim), workspace=copied, result=spectrum)


@dataclass(frozen=True)
class After(Transform):
    """The shared step of ``A @ first``: that of A, after `first`."""

    first: Any
    then: Transform

    @property
    def sums_in_place(self) -> bool:  # type: ignore[override]
        return self.then.sums_in_place

    def lift(self, x: Any) -> Any:
        return self.then.lift(self.first._forward(x))

    def lower(self, z: Any, shape: Shape) -> Any:
        return self.first._adjoint(self.then.lower(z, self.first._range_shape(shape)), shape)

    def join(self, other: Transform) -> Transform:
        if isinstance(other, After) and self.first == other.first:
            return After(self.first, self.then.join(other.then))
        return Plain()

    def at_image_size(self) -> Transform:
        return replace(self, then=self.then.at_image_size())

    def outline(self) -> Transform:
        return After(None, self.then.outline())

    def filled(self, outline: Transform) -> Transform:
        return After(self.first, self.then.filled(outline.then)) if isinstance(outline, After) else outline

    def method(self, shape: Shape) -> str:
        return f"{self.first._method(shape)}, then {self.then.method(self.first._range_shape(shape))}"

    def sizes(self, shape: Shape) -> Shape:
        return self.then.sizes(self.first._range_shape(shape))

    def lifted(self, shape: Shape, dtype: str) -> tuple[Shape, str]:
        return self.then.lifted(self.first._range_shape(shape), self.first._result_dtype(dtype))

    def cost(self, shape: Shape, dtype: str) -> Cost:
        first: Cost = self.first._cost(shape, dtype)
        then = self.then.cost(self.first._range_shape(shape), self.first._result_dtype(dtype))
        return first.then(then) if then.result else first  # `Plain` makes nothing new


def paired(shape: Shape, dtype: str) -> tuple[Shape, str]:
    """Shape and dtype of `as_pair` of an image of these."""
    real = backend.real_name(dtype)
    return (shape, dtype) if real == dtype else ((2, *shape), real)


def as_pair(x: Any) -> Any:
    """A complex image as real and imaginary part along a new first axis; a real one as it is."""
    if not backend.is_complex(x):
        return x
    xp = backend.namespace(x)
    return xp.stack([xp.real(x), xp.imag(x)])


def from_pair(x: Any, ndim: int) -> Any:
    """The image with `ndim` axes of `as_pair`."""
    return backend.complex_of(x[0, ...], x[1, ...]) if x.ndim > ndim else x
