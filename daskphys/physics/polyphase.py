"""The polyphase components of an image: for a factor f, the fᵈ coarse images of every f-th pixel.

What commutes with shifts by f pixels (a blur, every f-th sample of it, and its transpose) is a matrix of circular
convolutions of these components: of their Fourier transforms, one small matrix a coarse frequency.  In the spectrum of
the fine image the same matrix couples the fᵈ frequencies that fold onto one; the components' transforms are shorter and,
of a real image, halves suffice without any mirroring.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from daskphys import backend
from daskphys.physics.cost import Cost, fft_flops, half, nbytes
from daskphys.physics.transform import RealFFT, Shape, Transform, as_pair, from_pair, paired


def coarse(sizes: Shape, factor: int) -> Shape:
    """The sizes of a component."""
    return tuple(n // factor for n in sizes)


@dataclass(frozen=True)
class Polyphase(Transform):
    """The half spectra of the image's polyphase components, on one axis before theirs.

    Component ``a = (a₁, …, a_d)`` is ``x[a₁::f, …, a_d::f]``; the index on the axis is ``a₁ fᵈ⁻¹ + … + a_d``.

    Parameters
    ----------
    ndim
        The number of spatial axes d.
    factor
        f, of which the image's sizes are multiples; at least 2.
    """

    ndim: int
    factor: int
    sums_in_place = True

    @property
    def count(self) -> int:
        """How many components there are."""
        return int(self.factor**self.ndim)

    def components(self, x: Any) -> Any:
        """The components of `x`, (…, fᵈ, *coarse): a copy."""
        d, f, lead = self.ndim, self.factor, tuple(x.shape[: -self.ndim])
        sizes = coarse(tuple(x.shape[-d:]), f)
        xp = backend.namespace(x)
        split = xp.reshape(x, (*lead, *(m for n in sizes for m in (n, f))))
        phases, front = range(len(lead) + 1, len(lead) + 2 * d, 2), range(len(lead), len(lead) + d)
        return xp.reshape(xp.moveaxis(split, tuple(phases), tuple(front)), (*lead, self.count, *sizes))

    def image(self, parts: Any) -> Any:
        """The image with these components."""
        d, f, lead = self.ndim, self.factor, tuple(parts.shape[: -self.ndim - 1])
        sizes = tuple(parts.shape[-d:])
        xp = backend.namespace(parts)
        split = xp.reshape(parts, (*lead, *(f,) * d, *sizes))
        phases, front = range(len(lead) + 1, len(lead) + 2 * d, 2), range(len(lead), len(lead) + d)
        return xp.reshape(xp.moveaxis(split, tuple(front), tuple(phases)), (*lead, *(n * f for n in sizes)))

    def row(self, transfer: Any, sizes: Shape) -> Any:
        """What the transforms of the components are multiplied by, and summed, for every f-th sample of a convolution.

        Of ``y[n] = Σⱼ h[f n − j] x[j]`` with ``x_a[n] = x[f n + a]`` the transform is ``Y = Σ_a E_a X_a``, where E_a is
        that of ``h[f n − a]``: the conjugate of that of the component a of the flipped kernel.
        """
        xp = backend.namespace(transfer)
        return xp.conj(self.lift(_flipped(transfer, sizes)))

    def matrices(self, transfer: Any, sizes: Shape) -> Any:
        """The matrices of a circular convolution: row a is that of its result moved by −a, (…, fᵈ, fᵈ, *coarse)."""
        xp, axes = backend.namespace(transfer), tuple(range(-self.ndim, 0))
        flipped = _flipped(transfer, sizes)
        moves = itertools.product(range(self.factor), repeat=self.ndim)
        rows = [xp.conj(self.lift(xp.roll(flipped, move, axis=axes))) for move in moves]
        return xp.stack(rows, axis=-self.ndim - 2)

    def lift(self, x: Any) -> Any:
        return backend.rfftn(self.components(as_pair(x)), self.ndim)

    def lower(self, z: Any, shape: Shape) -> Any:
        sizes = coarse(tuple(shape[-self.ndim :]), self.factor)
        return from_pair(self.image(backend.irfftn(z, sizes)), len(shape))

    def method(self, shape: Shape) -> str:
        return f"FFT of {self.count} components"

    def lifted(self, shape: Shape, dtype: str) -> tuple[Shape, str]:
        pair, _ = paired(shape, dtype)
        sizes = coarse(tuple(shape[-self.ndim :]), self.factor)
        return (*pair[: -self.ndim], self.count, *half(sizes)), backend.complex_name(dtype)

    def cost(self, shape: Shape, dtype: str) -> Cost:
        pair, real = paired(shape, dtype)
        image = nbytes(pair, real)
        sizes = coarse(tuple(shape[-self.ndim :]), self.factor)
        flops = fft_flops((*pair[: -self.ndim], self.count, *sizes), self.ndim)
        copied = image * (2 if pair != shape else 1)
        return Cost(1, flops, workspace=copied, result=nbytes(*self.lifted(shape, dtype)))


def _flipped(transfer: Any, sizes: Shape) -> Any:
    """The kernel with this transfer function, turned around."""
    xp = backend.namespace(transfer)
    return backend.irfftn(xp.conj(backend.astype(transfer, "complex128")), sizes)


def transform_of(ndim: int, factor: int) -> Transform:
    """The transform in which every `factor`-th sample of a circular convolution is a product."""
    return RealFFT(ndim) if factor == 1 else Polyphase(ndim, factor)
