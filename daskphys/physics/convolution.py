"""Operators that are every f-th sample of a circular convolution: products of them are too, and are computed as one."""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.physics.cost import Cost, fft_flops, half, nbytes
from daskphys.physics.normal_kind import NormalKind, aliased, fourier
from daskphys.physics.polyphase import Polyphase, coarse, transform_of
from daskphys.physics.transform import Transform, from_pair

#: Larger matrices, of which there is one a coarse frequency, are not made: this one takes 512 bytes a pixel.
MOST_COUPLED = 64


@dataclass(frozen=True)
class Convolution(abc.ABC):
    """What an operator that is every `factor`-th sample of a circular convolution says of itself.

    It gives its transfer function by the hook ``_transfer(sizes)``.

    Parameters
    ----------
    ndim
        The number of spatial axes.
    factor
        f; the image's sizes are multiples of it.
    """

    ndim: int
    factor: int = 1

    def after(self, first: Convolution | None) -> Convolution | None:
        """That of the product, first `first` and then this one; None where it is no such operator."""
        if first is None or first.ndim != self.ndim:
            return None
        return replace(self if self.factor > 1 else first, factor=self.factor * first.factor)

    @property
    def transform(self) -> Transform:
        """Where it is a product with numbers: those of `factors`."""
        return transform_of(self.ndim, self.factor)

    @property
    def normal_kind(self) -> NormalKind | None:
        """With what AᴴA merges; None where its matrices were too large."""
        if self.factor == 1:
            return fourier(self.ndim)
        return aliased(self.ndim, self.factor) if self.factor**self.ndim <= MOST_COUPLED else None

    @abc.abstractmethod
    def make_normal(self, transfer: Any, sizes: tuple[int, ...]) -> Any:
        """AᴴA, for the operator with this transfer function and images of `sizes`."""

    def factors(self, transfer: Any, sizes: tuple[int, ...]) -> Any:
        """What the lifted image is multiplied by, for the operator with this transfer function."""
        if self.factor == 1:
            return transfer
        return Polyphase(self.ndim, self.factor).row(transfer, sizes)

    def forward(self, z: Any, factors: Any, shape: Any) -> Any:
        """The measurement from the lifted image ``z = transform.lift(x)``, where `shape` is that of x."""
        sizes = tuple(shape[-self.ndim :])
        if self.factor == 1:
            return from_pair(backend.filtered(z, factors, sizes), len(shape))
        tail = (slice(None),) * self.ndim
        # A matrix of one row.
        y = backend.block_product(factors[(..., None, slice(None), *tail)], z, self.ndim)
        y = backend.irfftn(y, coarse(sizes, self.factor))
        return from_pair(y[(..., 0, *tail)], len(shape))

    def adjoint(self, y: Any, factors: Any) -> Any:
        """What `transform` lowers to Aᴴy, from the half spectrum `y` of a measurement, which may be overwritten."""
        if self.factor == 1:
            return backend.times_conj(y, factors)
        # Named: NumPy would multiply into a temporary the other way round, which has other last bits.
        factors = backend.namespace(factors).conj(factors)
        return y[(..., None, *(slice(None),) * self.ndim)] * factors

    def step_cost(self, shape: Any, dtype: str, kernels: int, transform: Transform) -> Cost:
        """What is left of a product after the shared step, for an operator with so many kernels."""
        lifted, kind = transform.lifted(shape, dtype)
        sizes = tuple(shape[-self.ndim :])
        result = (*shape[: -self.ndim], *coarse(sizes, self.factor))
        z, out = nbytes(lifted, kind), nbytes(result, dtype)
        count = self.factor**self.ndim
        kept = kernels * count * nbytes(half(coarse(sizes, self.factor)), backend.complex_name(dtype))
        # The transfer function, the kernel, its components and their spectra, in double precision.
        making = kernels * (
            nbytes(sizes, "float64") + 2 * count * nbytes(half(coarse(sizes, self.factor)), "complex128")
        )
        flops = fft_flops(result, self.ndim) + 8.0 * backend.size(lifted)
        return Cost(1, flops, 0, kept, max(z, making), out)


def product(left: Any, right: Any) -> Any:
    """The product of transfer functions, on the device of the one that is on one."""
    left, right = _together(left, right)
    return left * right


def total(left: Any, right: Any) -> Any:
    """The sum of transfer functions, likewise."""
    left, right = _together(left, right)
    return left + right


def _together(left: Any, right: Any) -> tuple[Any, Any]:
    if isinstance(left, np.ndarray):
        return backend.like(left, right), right
    return left, backend.like(right, left)


def upsampled(transfer: Any, sizes: tuple[int, ...], factor: int) -> Any:
    """The transfer function, for an image `factor` times as large as `sizes`, of the same kernel with zeros between.

    Every f-th sample and then a convolution is a convolution with that kernel and then every f-th sample.
    """
    if factor == 1:
        return transfer
    kernel = backend.irfftn(transfer, sizes)
    wide = backend.zeros((*kernel.shape[: -len(sizes)], *(n * factor for n in sizes)), kernel)
    wide[(..., *(slice(None, None, factor),) * len(sizes))] = kernel
    return backend.rfftn(wide, len(sizes))
