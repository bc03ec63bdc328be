"""The shared first step of blurs: the image extended at its borders by the reach of the kernels.

What follows is an FFT of the extended image, or, where all kernels of the stack are small, nothing: sensors then
convolve it directly.  Sizes with large prime factors are extended to faster ones in the same way: for kernels of
`reach` samples, the periodic image needs only so many more, and the result is exact.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from daskphys import backend
from daskphys.physics import padding
from daskphys.physics.cost import Cost, fft_flops, half, nbytes
from daskphys.physics.transform import Plain, RealFFT, Shape, Transform, as_pair, from_pair, paired

#: A larger FFT must be cheaper than that of the image's own size by this factor: it costs a copy of the image.
EXTENSION_PAYS = 1.2

#: What one multiply-add a sample costs, in operations of `backend.fft_cost`: 5 to 7 were measured on a CPU
#: (benchmarks/products.py), and a margin for the FFT.
TAP_COST = 8.0

#: Smaller images are not convolved directly: calls of the array library cost more than arithmetic (a single 3×3
#: kernel gains 1.1 times at 128², 1.5 at 181², 2 at 2048²).
DIRECT_LEAST = 20_000


@dataclass(frozen=True)
class Grid:
    """Where an image lies in the array that is transformed (or convolved directly).

    Parameters
    ----------
    sizes
        The array's spatial shape.
    widths
        What is extended before and after the image; zeros fill the rest.
    direct
        Whether the array is convolved directly, without an FFT.
    """

    sizes: Shape
    widths: tuple[tuple[int, int], ...]
    direct: bool = False

    def spare(self, space: Shape) -> Shape:
        """How many zeros follow on each axis."""
        return tuple(s - n - a - b for s, n, (a, b) in zip(self.sizes, space, self.widths, strict=True))


@dataclass(frozen=True)
class Extended(Transform):
    """The image extended at its borders, as it is or as a half spectrum.

    Parameters
    ----------
    mode : {"circular", "valid", "replicate", "reflect"}
        What lies beyond the border; "valid" extends by nothing but zeros, which no result sees.
    reach
        How far the kernels of all sensors reach ``(before, after)`` the image, axis by axis.
    sensors, taps
        How many sensors share it, and the multiply-adds a sample that they all take together without an FFT.
    """

    mode: str
    reach: tuple[tuple[int, int], ...]
    sensors: int
    taps: int
    sums_in_place = True

    def grid(self, shape: Shape, gpu: bool) -> Grid:
        """Where images of `shape` lie: by their spatial shape alone, and the kind of device."""
        return _grid(self, tuple(shape[-len(self.reach) :]), gpu)

    def lift(self, x: Any) -> Any:
        grid = self.grid(x.shape, backend.on_gpu(x))
        spare = grid.spare(x.shape[-len(self.reach) :])
        z = padding.pad(as_pair(x), grid.widths, self.mode, spare)
        return z if grid.direct else backend.rfftn(z, len(self.reach))

    def lower(self, z: Any, shape: Shape) -> Any:
        grid = self.grid(shape, backend.on_gpu(z))
        if not grid.direct:
            z = backend.irfftn(z, grid.sizes)
        z = padding.pad_transpose(z, grid.widths, self.mode, grid.spare(shape[-len(self.reach) :]))
        return from_pair(z, len(shape))

    def join(self, other: Transform) -> Transform:
        if isinstance(other, RealFFT):
            own = self.at_image_size()
            return own if own == other else Plain()
        if not isinstance(other, Extended) or len(other.reach) != len(self.reach):
            return Plain()
        modes = {self.mode, other.mode}
        if len(modes) > 1 and modes != {"circular", "valid"}:
            return Plain()
        return Extended(
            min(modes),
            tuple((max(a, c), max(b, d)) for (a, b), (c, d) in zip(self.reach, other.reach, strict=True)),
            self.sensors + other.sensors,
            self.taps + other.taps,
        )

    def at_image_size(self) -> Transform:
        return RealFFT(len(self.reach)) if self.mode in ("circular", "valid") else self

    def method(self, shape: Shape) -> str:
        space = tuple(shape[-len(self.reach) :])
        grid = self.grid(shape, gpu=False)
        if grid.direct:
            return f"direct, {self.taps} multiply-adds a sample"
        if grid.sizes == space:
            return "FFT"
        how = {"circular": "wrapped", "valid": "zeros added"}.get(self.mode, self.mode)
        return f"FFT of {'×'.join(map(str, grid.sizes))}, {how}"

    def sizes(self, shape: Shape) -> Shape:
        return (*shape[: -len(self.reach)], *self.grid(shape, gpu=False).sizes)

    def lifted(self, shape: Shape, dtype: str) -> tuple[Shape, str]:
        pair, real = paired(self.sizes(shape), dtype)
        return (
            (pair, real) if self.grid(shape, gpu=False).direct else (half(pair), backend.complex_name(dtype))
        )

    def cost(self, shape: Shape, dtype: str) -> Cost:
        pair, real = paired(self.sizes(shape), dtype)
        result = nbytes(*self.lifted(shape, dtype))
        if self.grid(shape, gpu=False).direct:
            return Cost(workspace=result if pair[-len(shape) :] != shape else 0, result=result)
        copied = nbytes(pair, real) if pair != shape else 0
        return Cost(1, fft_flops(pair, len(self.reach)), workspace=copied, result=result)


@functools.lru_cache(maxsize=1024)
def _grid(step: Extended, space: Shape, gpu: bool) -> Grid:
    none = ((0, 0),) * len(space)
    widths = none if step.mode == "valid" else step.reach
    full = padding.padded_shape(space, widths)
    if step.mode == "circular":  # an axis that is not extended is periodic by itself
        choices = [(n, backend.fast_length(m)) for n, m in zip(space, full, strict=True)]
    else:
        choices = [(m, backend.fast_length(m)) for m in full]
    # Where the image is copied in any case, a larger size need only be cheaper.
    sizes = backend.fast_sizes(choices, EXTENSION_PAYS if full == space or step.mode == "circular" else 1.0)
    if not gpu and _direct_pays(step, space, full, sizes):
        return Grid(full, widths, direct=True)
    if step.mode == "circular":
        widths = tuple(w if s != n else (0, 0) for w, s, n in zip(widths, sizes, space, strict=True))
    return Grid(sizes, widths)


def _direct_pays(step: Extended, space: Shape, full: Shape, sizes: Shape) -> bool:
    size = backend.size(space)
    direct = TAP_COST * step.taps * backend.size(full)
    return size >= DIRECT_LEAST and direct < (1 + step.sensors) * backend.fft_cost(sizes)


def grid_of(transform: Transform, shape: Shape, ndim: int, gpu: bool) -> Grid:
    """Where the image lies in the array of a transform that blurs start from."""
    if isinstance(transform, Extended):
        return transform.grid(shape, gpu)
    return Grid(tuple(shape[-ndim:]), ((0, 0),) * ndim)
