"""Fourier multipliers on Dask arrays with chunks along the image's own axes: an FFT over pencils.

The array is cut along the first axis of the image alone, and transformed over the others; then along the
others alone, and transformed over the first.  There a chunk of the spectrum is multiplied by the same chunk of
the multiplier, which is computed from the kernels in the chunk's own task; and all the way back.  What moves
between workers moves by Dask's own rechunk, peer to peer where the cluster can.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from daskphys import backend
from daskphys.distributed import calls
from daskphys.graph.builder import GraphBuilder
from daskphys.interop import penciltasks as tasks
from daskphys.interop.blocks import begin
from daskphys.interop.chunks import aligned
from daskphys.interop.tiles import kernel_task, stacked
from daskphys.interop.tiling import SENSORS, spans, stencils_of
from daskphys.pairwise import pairwise_sum
from daskphys.physics.base import Adjoint, Gram, LinearPhysics, PseudoInverse
from daskphys.physics.measurements import Measurements
from daskphys.physics.normal import FourierMultiplier
from daskphys.physics.normal.spectral import fft_rounding_units

Band = tuple[tuple[int, int], ...]

#: Bytes of a pencil of the half spectrum at most.  A task holds about three, and a worker's part of a
#: rechunk lies in its memory beside them.
PENCIL_BYTES = 1 << 25

#: Pencils in which an array is cut at least, if they need not be smaller than its chunks for it.
PENCILS = 64


def apply(operator: Any, value: Any) -> Any:
    """``operator`` on chunks of the image's own axes, or None where it is no Fourier multiplier."""
    match operator:
        case FourierMultiplier() | Adjoint(parent=FourierMultiplier()):
            return _held(operator, value)
        case Gram(parent=FourierMultiplier() as parent):
            return _held(parent._normal(value.shape), value)
    physics: Any = operator.parent if isinstance(operator, Adjoint | Gram | PseudoInverse) else operator
    if not _periodic(physics):
        return None
    match operator:
        case Gram():
            return _gram(operator, stacked(physics), value)
        case Adjoint() | PseudoInverse():
            y = value if isinstance(value, Measurements) else Measurements([value])
            return _back(operator, stacked(physics), y)
    y = _forward(stacked(physics), value)
    return y if isinstance(physics, SENSORS) else y[0]


def _periodic(physics: LinearPhysics) -> bool:
    """Whether every sensor is a convolution with a real kernel and a periodic border."""
    stencils = stencils_of(physics) or ()
    return bool(stencils) and all(
        s.padding == "circular" and not backend.is_complex(s.kernel) for s in stencils
    )


# -- there and back ----------------------------------------------------------------------------------------


class Pencils:
    """An array in the Fourier domain, and the way there and back.

    Parameters
    ----------
    x
        An array of the image's shape and precision.
    ndim
        The number of spatial axes.
    """

    def __init__(self, x: Any, ndim: int) -> None:
        self.ndim, self.chunks, self.sizes = ndim, x.chunks, tuple(x.shape[-ndim:])
        self.complex = x.dtype.kind == "c"
        self.lead = x.ndim - ndim
        half = (*self.sizes[:-1], self.sizes[-1] // 2 + 1)
        own = math.prod(max(c) for c in x.chunks[self.lead :])
        most = PENCIL_BYTES // np.dtype(backend.complex_name(x.dtype.name)).itemsize
        samples = max(1, min(max(own, math.prod(half) // PENCILS), most))
        self.rows = _cut(self.sizes[0], samples // math.prod(half[1:]) or 1)
        self.bands = _bands(half[1:], samples // half[0] or 1)
        self.real, self.kind = backend.real_name(x.dtype.name), backend.complex_name(x.dtype.name)
        self._meta = x._meta

    @property
    def grid(self) -> tuple[tuple[int, ...], ...]:
        """The chunks of the spectrum along the image's axes."""
        return ((self.sizes[0],), *self.bands)

    def there(self, x: Any) -> Any:
        """The half spectrum; of a complex array, of its real and imaginary part along a new first axis."""
        rows = self.rows if self.ndim > 1 else -1
        x = x.rechunk({self.lead: rows, **dict.fromkeys(range(self.lead + 1, x.ndim), -1)})
        half = (*x.chunks[:-1], (self.sizes[-1] // 2 + 1,))
        new = {"new_axis": 0} if self.complex else {}
        z = x.map_blocks(
            tasks.run_half,
            self.ndim,
            dtype=self.kind,
            chunks=((2,), *half) if self.complex else half,
            meta=self._like(self.kind),
            **new,
        )
        if self.ndim == 1:
            return z
        z = z.rechunk(dict(zip(range(-self.ndim, 0), self.grid, strict=True)))
        return z.map_blocks(tasks.run_first_axis, self.ndim, False, dtype=self.kind, meta=z._meta)

    def back(self, z: Any, dtype: str) -> Any:
        """The array of a half spectrum that is not used again, with the chunks of the argument."""
        if self.ndim > 1:
            z = z.map_blocks(tasks.run_first_axis, self.ndim, True, dtype=self.kind, meta=z._meta)
            z = z.rechunk({-self.ndim: self.rows, **dict.fromkeys(range(1 - self.ndim, 0), -1)})
        chunks = (*z.chunks[:-1], (self.sizes[-1],))
        drop = {"drop_axis": 0} if self.complex else {}
        x = z.map_blocks(
            tasks.run_whole,
            self.sizes,
            self.complex,
            dtype=dtype,
            chunks=chunks[1:] if self.complex else chunks,
            meta=self._like(dtype),
            **drop,
        )
        return x.rechunk(self.chunks)

    def times(self, z: Any, multiplier: Any) -> Any:
        """The spectrum times a multiplier of its chunks."""
        return da.map_blocks(tasks.run_times, z, multiplier, dtype=self.kind, meta=z._meta)

    def places(self, channels: int) -> Iterator[tuple[tuple[int, ...], Band]]:
        """The chunk and the band of frequencies of each part of a multiplier with so many axes before the image's."""
        for numbered in itertools.product(*(enumerate(spans(chunks)) for chunks in self.bands)):
            index, band = zip(*numbered, strict=True) if numbered else ((), ())
            yield (*(0,) * channels, 0, *index), band

    def multiplier(self, graph: Any, name: str, channels: tuple[int, ...], dtype: str) -> Any:
        """The array of a multiplier whose tasks are in `graph`."""
        first = self.sizes[0] if self.ndim > 1 else self.sizes[0] // 2 + 1
        chunks = (*((n,) for n in channels), (first,), *self.bands)
        return da.Array(graph, name, chunks=chunks, meta=self._like(dtype, len(chunks)))

    def _like(self, dtype: str, ndim: int | None = None) -> Any:
        shape = (0,) * (self.lead + self.ndim if ndim is None else ndim)
        return backend.namespace(self._meta).zeros(shape, dtype=dtype)


def _cut(n: int, width: int) -> tuple[int, ...]:
    count = -(-n // max(1, min(n, width)))
    return tuple(n // count + (i < n % count) for i in range(count))


def _bands(half: tuple[int, ...], samples: int) -> tuple[tuple[int, ...], ...]:
    """The chunks along the axes but the first; whole from the last one on, as far as `samples` go."""
    bands: list[tuple[int, ...]] = []
    for n in reversed(half):
        bands.insert(0, _cut(n, samples))
        samples = max(1, samples // n)
    return tuple(bands)


# -- products ----------------------------------------------------------------------------------------------


def _held(operator: Any, x: Any) -> Any:
    """A multiplier that is held as a whole: each task has its slice of it in the graph."""
    multiplier: Any = operator.parent if isinstance(operator, Adjoint) else operator
    ndim, factor = len(multiplier.sizes), multiplier.multiplier
    (x,), _ = aligned(operator, x, ndim)
    pencils, builder = Pencils(x, ndim), GraphBuilder("multiplier")
    dtype = pencils.kind if backend.is_complex(factor) else pencils.real
    name = f"multiplier-{tokenize(operator, pencils.grid, dtype)}"
    conjugate = isinstance(operator, Adjoint) and backend.is_complex(factor)
    channels = tuple(factor.shape[:-ndim])
    for index, band in pencils.places(len(channels)):
        part = backend.astype(factor[(..., *(slice(*b) for b in band))], dtype)
        part = backend.copy(backend.namespace(part).conj(part) if conjugate else part)
        builder.add((name, *index), tasks.run_constant, part, layer=name)
    made = pencils.multiplier(builder.build(), name, channels, dtype)
    return pencils.back(pencils.times(pencils.there(x), made), x.dtype.name)


def _forward(physics: Any, x: Any) -> Measurements:
    (x,), _ = aligned(physics, x, _ndim(physics))
    builder, call, blocks = begin("forward-pencils", physics, [x])
    pencils = Pencils(x, _ndim(physics))
    made = _transfers(builder, call, blocks, physics, pencils, conjugate=False)
    z = pencils.there(x)
    return Measurements(pencils.back(pencils.times(z, m), x.dtype.name) for m in made(builder.build()))


def _back(operator: Any, physics: Any, y: Measurements) -> Any:
    """Aᴴ y or A⁺ y: both are summed over the sensors in the Fourier domain."""
    inputs, _ = aligned(physics.H, y, _ndim(physics))
    # In the chunks of the first one.
    inputs = [a.rechunk(inputs[0].chunks) for a in inputs]
    builder, call, blocks = begin("adjoint-pencils", operator, inputs, physics)
    pencils = Pencils(inputs[0], _ndim(physics))
    made = _transfers(builder, call, blocks, physics, pencils, conjugate=True)
    inverse = (
        _inverse(builder, call, blocks, physics, pencils, operator)
        if isinstance(operator, PseudoInverse)
        else None
    )
    graph = builder.build()
    z = pairwise_sum(pencils.times(pencils.there(a), m) for a, m in zip(inputs, made(graph), strict=True))
    if inverse is not None:
        z = pencils.times(z, inverse(graph))
    return pencils.back(z, inputs[0].dtype.name)


def _gram(operator: Gram, physics: Any, x: Any) -> Any:
    (x,), _ = aligned(physics, x, _ndim(physics))
    builder, call, blocks = begin("gram-pencils", operator, [x], physics)
    pencils, name = Pencils(x, _ndim(physics)), f"normal-{call}"
    kernel, channels = kernel_task(builder, call, blocks, real=True), _channels(physics)
    for index, band in pencils.places(len(channels)):
        args = (tasks.run_normal, kernel, pencils.sizes, band, pencils.real)
        builder.add((name, *index), *args, layer=name)
    made = pencils.multiplier(builder.build(), name, channels, pencils.real)
    return pencils.back(pencils.times(pencils.there(x), made), x.dtype.name)


def _ndim(physics: Any) -> int:
    return (stencils_of(physics) or [])[0].ndim


def _channels(physics: Any) -> tuple[int, ...]:
    """The channels that a sum over the sensors has parameters for."""
    shapes = [tuple(s.kernel.shape[: -s.ndim]) for s in stencils_of(physics) or []]
    return tuple(np.broadcast_shapes(*shapes))


def _transfers(
    builder: GraphBuilder, call: str, blocks: calls.Blocks, physics: Any, pencils: Pencils, *, conjugate: bool
) -> Callable[[Any], list[Any]]:
    """Tasks for each sensor's transfer function; what is returned gives the arrays when the graph is built."""
    stencils = stencils_of(physics) or []
    channels = [tuple(s.kernel.shape[: -s.ndim]) for s in stencils]
    names = [f"transfer-{i}-{call}" for i in range(len(stencils))]
    for bound, block, home in blocks:
        for i in range(*bound):
            for index, band in pencils.places(len(channels[i])):
                args = (block, i - bound[0], pencils.sizes, band, conjugate, pencils.kind)
                key = (names[i], *index)
                builder.add(key, tasks.run_transfer, *args, worker=home, layer=names[i])

    def arrays(graph: Any) -> list[Any]:
        return [
            pencils.multiplier(graph, name, c, pencils.kind) for name, c in zip(names, channels, strict=True)
        ]

    return arrays


def _inverse(
    builder: GraphBuilder,
    call: str,
    blocks: calls.Blocks,
    physics: Any,
    pencils: Pencils,
    operator: PseudoInverse,
) -> Callable[[Any], Any]:
    """Tasks for the pseudo-inverse of Σ|Ĥ|².

    It is computed twice, first for its largest entry: to keep it until that is known would take as much
    memory as the image.
    """
    name, channels = f"inverse-{call}", _channels(physics)
    places, held = list(pencils.places(len(channels))), list(blocks.refs)
    peaks = [
        builder.add((f"peak-{call}", *index), tasks.run_peak, held, pencils.sizes, band)
        for index, band in places
    ]
    eps = float(np.finfo(pencils.real).eps)
    rtol = eps * fft_rounding_units(pencils.sizes) if operator.rtol is None else operator.rtol
    least = builder.add(f"least-{call}", tasks.run_least, peaks, rtol**2)
    for index, band in places:
        args = (tasks.run_inverse, held, pencils.sizes, band, least, pencils.real)
        builder.add((name, *index), *args, layer=name)
    return lambda graph: pencils.multiplier(graph, name, channels, pencils.real)
