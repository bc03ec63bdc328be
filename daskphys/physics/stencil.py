"""A compact operator as its kernel: what tiles, and sums of kernels, need to know of it."""

from __future__ import annotations

from typing import Any

from daskphys import backend
from daskphys.physics.value import Value, value


@value
class Stencil(Value):
    """Convolution with a small kernel, whose centre is at ``n // 2``, and what lies beyond the border.

    Stencils of one padding add, whatever the sizes of their kernels.

    Parameters
    ----------
    kernel : array, shape (…, *space), float64 or complex128
        Leading axes are channels, as those of `daskphys.physics.Blur`.
    padding : {"circular", "valid", "replicate", "reflect"}
        As that of `daskphys.physics.Blur`.
    ndim : int
        The number of spatial axes.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.stencil import Stencil
    >>> both = Stencil(np.ones((1, 2)), "circular", 2) + Stencil(np.ones((3, 1)), "circular", 2)
    >>> both.kernel
    array([[0., 1.],
           [1., 2.],
           [0., 1.]])
    >>> both.reach
    ((1, 1), (0, 1))
    """

    kernel: Any
    padding: str
    ndim: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """The kernel's spatial shape."""
        return tuple(self.kernel.shape[-self.ndim :])

    @property
    def reach(self) -> tuple[tuple[int, int], ...]:
        """How far before and after an output sample, on each axis, its input samples lie."""
        return tuple((n - 1 - n // 2, n // 2) for n in self.sizes)

    def __repr__(self) -> str:
        return f"Stencil({'×'.join(map(str, self.sizes))}, {self.padding})"

    def agrees(self, other: Stencil) -> bool:
        """Whether the two add: one padding, and, as results without borders have other sizes, one size there."""
        same = (self.padding, self.ndim) == (other.padding, other.ndim)
        return same and (self.padding != "valid" or self.sizes == other.sizes)

    def __add__(self, other: Stencil) -> Stencil:
        reach = [(max(a, c), max(b, d)) for (a, b), (c, d) in zip(self.reach, other.reach, strict=True)]
        kernel = _widened(self, reach) + backend.like(_widened(other, reach), self.kernel)
        return Stencil(kernel, self.padding, self.ndim)

    def scaled(self, factor: complex) -> Stencil:
        """``factor`` times the operator."""
        return Stencil(factor * self.kernel, self.padding, self.ndim)

    def normal(self) -> Stencil:
        """AᴴA for the periodic border: the kernel's autocorrelation, of side ``2n - 1``."""
        xp = backend.namespace(self.kernel)
        sizes = tuple(2 * n - 1 for n in self.sizes)
        axes = tuple(range(-self.ndim, 0))

        def correlation(spectrum: Any) -> Any:
            return xp.roll(backend.irfftn(spectrum, sizes), tuple(n - 1 for n in self.sizes), axis=axes)

        parts = [self.kernel]
        if backend.is_complex(self.kernel):
            parts = [xp.real(self.kernel), xp.imag(self.kernel)]
        spectra = [backend.rfftn(_extended(p, sizes), self.ndim) for p in parts]
        kernel = correlation(sum(s * xp.conj(s) for s in spectra))
        if len(spectra) == 2:
            cross = spectra[1] * xp.conj(spectra[0])
            kernel = backend.complex_of(kernel, correlation(cross - xp.conj(cross)))
        return Stencil(kernel, self.padding, self.ndim)

    @property
    def real(self) -> Stencil:
        """The stencil of the kernel's real part."""
        if not backend.is_complex(self.kernel):
            return self
        return Stencil(
            backend.copy(backend.namespace(self.kernel).real(self.kernel)), self.padding, self.ndim
        )


def _widened(stencil: Stencil, reach: list[tuple[int, int]]) -> Any:
    """The kernel with zeros around it, so that it has this reach."""
    # A kernel's index runs against the image's, so what reaches after comes first.
    at = [
        slice(b - d, b - d + n) for (_, b), (_, d), n in zip(reach, stencil.reach, stencil.sizes, strict=True)
    ]
    lead = tuple(stencil.kernel.shape[: -stencil.ndim])
    wide = backend.zeros((*lead, *(a + b + 1 for a, b in reach)), stencil.kernel)
    wide[(..., *at)] = stencil.kernel
    return wide


def _extended(kernel: Any, sizes: tuple[int, ...]) -> Any:
    """The kernel with zeros behind it."""
    wide = backend.zeros((*kernel.shape[: -len(sizes)], *sizes), kernel)
    wide[(..., *(slice(0, n) for n in kernel.shape[-len(sizes) :]))] = kernel
    return wide
