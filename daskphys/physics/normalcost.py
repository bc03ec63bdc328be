"""What normal values cost whose transform is not their operator's, as values and as what its AᴴA is."""

from __future__ import annotations

from typing import Any

from daskphys import backend
from daskphys.physics.cost import Cost, fft_flops, half, nbytes
from daskphys.physics.polyphase import Polyphase, coarse


def padded_sizes(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The periods for images of `sizes`: fast FFT lengths, of at least all lags −(n−1) … n−1.

    At least 3, so that the whole and the half spectrum have unlike lengths.
    """
    return tuple(backend.fast_length(max(2 * int(n) - 1, 3)) for n in sizes)


def toeplitz_step(shape: Any, dtype: str, ndim: int, whole: bool) -> Cost:
    """One of the two FFTs of a product with a Toeplitz operator over the last `ndim` axes; its result is a spectrum.

    `whole` says whether the kernel is complex; of a real one half of the spectrum is held, twice for complex images.
    """
    pair = (2,) if not whole and dtype != backend.real_name(dtype) else ()
    field = (*pair, *shape[: len(shape) - ndim], *padded_sizes(tuple(shape[len(shape) - ndim :])))
    z = nbytes(field if whole else half(field), backend.complex_name(dtype))
    return Cost(1, fft_flops(field, ndim) * (2 if whole else 1), result=z)


def toeplitz_nbytes(sizes: tuple[int, ...], whole: bool) -> int:
    """Bytes of the operator's spectrum, in double precision."""
    field = padded_sizes(tuple(sizes))
    return nbytes(field if whole else half(field), "float64")


def aliased_nbytes(shape: tuple[int, ...], ndim: int, factor: int) -> int:
    """Bytes of one matrix a coarse frequency, in double precision; axes before the last `ndim` are kernels."""
    matrices = factor ** (2 * ndim)
    return int(matrices * nbytes((*shape[:-ndim], *half(coarse(shape[-ndim:], factor))), "complex128"))


def aliased_step(shape: Any, dtype: str, ndim: int, factor: int) -> Cost:
    """One of the two transforms of a product with it, and half of the small products."""
    step = Polyphase(ndim, factor)
    cost = step.cost(shape, dtype)
    more = 4.0 * step.count * backend.size(step.lifted(shape, dtype)[0])
    return Cost(cost.transforms, cost.flops + more, workspace=cost.workspace, result=cost.result)
