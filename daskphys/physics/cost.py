"""What a product of an operator costs, known from shapes alone: nothing is computed.

Times follow from transforms and operations, peaks of memory from the bytes that are held at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from daskphys import backend

_BYTES = {"float32": 4, "float64": 8, "complex64": 8, "complex128": 16}


@dataclass(frozen=True)
class Cost:
    """What one product takes.

    Parameters
    ----------
    transforms
        FFTs, each of one array with all its leading axes.
    flops
        Floating-point operations, with 2.5 n log₂ n for a real FFT of n samples (the convention of benchFFT).
    parameters
        Bytes of the operator's parameters.
    kept
        Bytes of what is made of them for the image's shape and precision and then kept (spectra).
    workspace
        Bytes that are held at the peak besides the argument, the result, the parameters and what is kept.  At
        the first product of a shape, when the peak is the making of what is kept, it is that.
    result
        Bytes of the result.

    Examples
    --------
    >>> from daskphys.physics.cost import Cost
    >>> first, second = Cost(workspace=8, result=4), Cost(workspace=1, result=2)
    >>> first.then(second)  # at the peak 12 bytes, of which 2 are the result's
    Cost(transforms=0, flops=0.0, parameters=0, kept=0, workspace=10, result=2)
    """

    transforms: int = 0
    flops: float = 0.0
    parameters: int = 0
    kept: int = 0
    workspace: int = 0
    result: int = 0

    def then(self, after: Cost) -> Cost:
        """This product, and `after` of its result, which is freed at the end."""
        peak = max(self.workspace + self.result, self.result + after.workspace + after.result)
        return replace(self._with(after), workspace=peak - after.result, result=after.result)

    def beside(self, other: Cost) -> Cost:
        """This product, then `other` of the same argument; both results are held."""
        workspace = max(self.workspace - other.result, other.workspace, 0)
        return replace(self._with(other), workspace=workspace, result=self.result + other.result)

    def _with(self, other: Cost) -> Cost:
        return Cost(
            self.transforms + other.transforms,
            self.flops + other.flops,
            self.parameters + other.parameters,
            self.kept + other.kept,
        )


def all_of(costs: Iterable[Cost]) -> Cost:
    """Products of one argument whose results are all held."""
    total = Cost()
    for cost in costs:
        total = total.beside(cost)
    return total


def summed(costs: Sequence[Cost], sums: int) -> Cost:
    """Products of one argument, added up in the order of `daskphys.pairwise`; `sums` partial sums are the result.

    While the last of n terms is made, at most log₂ n sums of those before it are held.
    """
    total = Cost()
    for cost in costs:
        total = total._with(cost)
    size = max(cost.result for cost in costs)
    pending = (len(costs).bit_length() - 1) * size
    peak = pending + max(cost.workspace + cost.result for cost in costs)
    flops = total.flops + (len(costs) - sums) * size / 4
    return replace(total, flops=flops, workspace=max(0, peak - sums * size), result=sums * size)


def nbytes(shape: Any, dtype: str) -> int:
    """Bytes of an array of this shape, or of arrays of these shapes.

    Examples
    --------
    >>> from daskphys.physics.cost import nbytes
    >>> nbytes((3, 4), "float32"), nbytes(((3, 4), (2, 2)), "complex64")
    (48, 128)
    """
    if shape and isinstance(shape[0], tuple):
        return sum(nbytes(own, dtype) for own in shape)
    return backend.size(shape) * _BYTES[dtype]


def half(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the half spectrum of a real array."""
    return (*sizes[:-1], sizes[-1] // 2 + 1)


def fft_flops(shape: tuple[int, ...], ndim: int) -> float:
    """Operations of a real FFT over the last `ndim` axes, by the convention of benchFFT.

    Source: M. Frigo and S. G. Johnson, "The Design and Implementation of FFTW3", Proc. IEEE 93 (2005), §V.
    """
    return 2.5 * backend.size(shape) * math.log2(max(2, backend.size(shape[-ndim:])))
