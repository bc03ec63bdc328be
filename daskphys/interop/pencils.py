"""Fourier multipliers on Dask arrays with chunks along the image's own axes: an FFT over pencils.

The array is cut along the first axis of the image alone, and transformed over the others; then along the
others alone, and transformed over the first.  There a chunk of the spectrum is multiplied by the same chunk of
the multiplier, which is computed from the kernels in the chunk's own task; and all the way back.  What moves
between workers moves by Dask's own rechunk, peer to peer where the cluster can.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from daskphys import backend
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.physics import DistributedPhysics
from daskphys.distributed.rechunking import check_rechunk
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.interop import penciltasks as tasks
from daskphys.interop.blocks import begin
from daskphys.interop.chunks import aligned
from daskphys.interop.penciltasks import Band
from daskphys.interop.sources import rechunked
from daskphys.interop.tiles import kernel_task, stacked
from daskphys.interop.tiling import SENSORS, bands, evenly, spans, stencils_of
from daskphys.pairwise import pairwise_sum
from daskphys.physics.base import Adjoint, Gram, LinearPhysics, PseudoInverse
from daskphys.physics.measurements import Measurements
from daskphys.physics.normal import FourierMultiplier
from daskphys.physics.normal.spectral import fft_rounding_units
from daskphys.physics.weighted import WeightedGram

#: Bytes of a pencil of the half spectrum at most.  A task holds about three, and a worker's part of a
#: rechunk lies in its memory beside them.
PENCIL_BYTES = 1 << 24

#: Pencils in which an array is cut at least, if they need not be smaller than its chunks for it.
PENCILS = 64


def apply(operator: Any, value: Any) -> Any:
    """``operator`` on chunks of the image's own axes, or None where it is no Fourier multiplier."""
    match operator:
        case FourierMultiplier() | Adjoint(parent=FourierMultiplier()):
            return _held(operator, value)
        case Gram(parent=FourierMultiplier() as parent):
            return _held(parent._normal(value.shape), value)
    physics = _parent(operator)
    if not _periodic(physics):
        return None
    match operator:
        case Gram() | WeightedGram():
            return _gram(operator, stacked(physics), value)
        case Adjoint() | PseudoInverse():
            y = value if isinstance(value, Measurements) else Measurements([value])
            return _back(operator, stacked(physics), y)
    y = _forward(stacked(physics), value)
    return y if isinstance(physics, SENSORS) else y[0]


def _parent(operator: Any) -> Any:
    """The operator of which another is the adjoint, AᴴA or the inverse."""
    return (
        operator.parent if isinstance(operator, Adjoint | Gram | WeightedGram | PseudoInverse) else operator
    )


def _periodic(physics: LinearPhysics) -> bool:
    """Whether every sensor is a convolution with a real kernel and a periodic border."""
    found = stencils_of(physics) or ()
    return bool(found) and all(s.padding == "circular" and not backend.is_complex(s.kernel) for s in found)


# -- there and back ----------------------------------------------------------------------------------------


class Pencils:
    """An array in the Fourier domain, and the way there and back.

    Parameters
    ----------
    operator
        The operator, for messages; a distributed one is computed by its own client.
    x
        An array of the image's shape and precision.
    ndim
        The number of spatial axes.

    Raises
    ------
    MemoryPlanError
        The workers of that client, else of the current one, have not the memory to rechunk it.
    """

    def __init__(self, operator: Any, x: Any, ndim: int) -> None:
        self.ndim, self.chunks, self.sizes = ndim, x.chunks, tuple(x.shape[-ndim:])
        self.complex = x.dtype.kind == "c"
        self.lead = x.ndim - ndim
        half = (*self.sizes[:-1], self.sizes[-1] // 2 + 1)
        own = math.prod(max(c) for c in x.chunks[self.lead :])
        most = PENCIL_BYTES // np.dtype(backend.complex_name(x.dtype.name)).itemsize
        samples = max(1, min(max(own, math.prod(half) // PENCILS), most))
        self.rows = evenly(self.sizes[0], samples // math.prod(half[1:]) or 1)
        self.bands = bands(half[1:], samples // half[0] or 1)
        self.real, self.kind = backend.real_name(x.dtype.name), backend.complex_name(x.dtype.name)
        self._meta = x._meta
        if ndim > 1:
            lead = ((2,),) * self.complex + x.chunks[: self.lead]
            chunks = (*lead, self.rows, *((n,) for n in half[1:]))
            physics = _parent(operator)
            client = physics.ctx.client if isinstance(physics, DistributedPhysics) else None
            check_rechunk(repr(operator), tuple(map(sum, chunks)), self.kind, chunks, client)

    @property
    def grid(self) -> tuple[tuple[int, ...], ...]:
        """The chunks of the spectrum along the image's axes."""
        return ((self.sizes[0],), *self.bands)

    def there(self, x: Any) -> Any:
        """The half spectrum; of a complex array, of its real and imaginary part along a new first axis."""
        rows = self.rows if self.ndim > 1 else -1
        x = rechunked(x, {self.lead: rows, **dict.fromkeys(range(self.lead + 1, x.ndim), -1)})
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

    def multiply(
        self, builder: GraphBuilder, name: str, z: Any, factor: Callable[[Band], tuple[Any, ...]]
    ) -> None:
        """Add the tasks of a spectrum times a multiplier.

        ``factor(band)`` gives the function, and its arguments, that makes the multiplier for a band of
        frequencies.  It runs in the task that multiplies: tasks of its own would need nothing, so the workers
        would run them all at once and hold the whole multiplier.
        """
        axes = [spans(chunks) for chunks in self.bands]
        for index in itertools.product(*(range(len(c)) for c in z.chunks)):
            band = tuple(axis[i] for axis, i in zip(axes, index[len(index) - len(axes) :], strict=True))
            builder.add((name, *index), tasks.run_times, Ref((z.name, *index)), *factor(band), layer=name)

    def spectrum(self, graph: Any, name: str, z: Any) -> Any:
        """The array of what `multiply` added, where `graph` holds it."""
        return da.Array(graph, name, chunks=z.chunks, meta=z._meta)

    def _like(self, dtype: str, ndim: int | None = None) -> Any:
        shape = (0,) * (self.lead + self.ndim if ndim is None else ndim)
        return backend.namespace(self._meta).zeros(shape, dtype=dtype)


# -- products ----------------------------------------------------------------------------------------------


def _held(operator: Any, x: Any) -> Any:
    """A multiplier that is held as a whole: each task has its slice of it in the graph."""
    multiplier: Any = operator.parent if isinstance(operator, Adjoint) else operator
    ndim, held = len(multiplier.sizes), multiplier.multiplier
    (x,), _ = aligned(operator, x, ndim)
    pencils = Pencils(operator, x, ndim)
    dtype = pencils.kind if backend.is_complex(held) else pencils.real
    conjugate = isinstance(operator, Adjoint) and backend.is_complex(held)

    @functools.cache  # chunks of the leading axes share a slice
    def factor(band: Band) -> tuple[Any, ...]:
        part = backend.astype(held[(..., *(slice(*b) for b in band))], dtype)
        return tasks.run_constant, backend.copy(backend.namespace(part).conj(part) if conjugate else part)

    z = pencils.there(x)
    name = f"times-{tokenize(operator, z.name)}"
    builder = GraphBuilder(name)
    pencils.multiply(builder, name, z, factor)
    return pencils.back(pencils.spectrum(builder.build([z]), name, z), x.dtype.name)


def _forward(physics: Any, x: Any) -> Measurements:
    (x,), _ = aligned(physics, x, _ndim(physics))
    builder, call, blocks = begin("forward-pencils", physics, [x])
    pencils = Pencils(physics, x, _ndim(physics))
    z = pencils.there(x)
    names = _add_transfers(builder, call, blocks, pencils, [z] * len(physics), conjugate=False)
    graph = builder.build([z])
    return Measurements(pencils.back(pencils.spectrum(graph, name, z), x.dtype.name) for name in names)


def _back(operator: Any, physics: Any, y: Measurements) -> Any:
    """Aᴴ y or A⁺ y: both are summed over the sensors in the Fourier domain."""
    inputs, _ = aligned(physics.H, y, _ndim(physics))
    inputs = [a.rechunk(inputs[0].chunks) for a in inputs]
    builder, call, blocks = begin("adjoint-pencils", operator, inputs, physics)
    pencils = Pencils(operator, inputs[0], _ndim(physics))
    spectra = [pencils.there(a) for a in inputs]
    names = _add_transfers(builder, call, blocks, pencils, spectra, conjugate=True)
    graph = builder.build(spectra)
    z = pairwise_sum(pencils.spectrum(graph, *pair) for pair in zip(names, spectra, strict=True))
    if isinstance(operator, PseudoInverse):
        z = _solved(operator, physics, pencils, z)
    return pencils.back(z, inputs[0].dtype.name)


def _gram(operator: Gram | WeightedGram, physics: Any, x: Any) -> Any:
    (x,), _ = aligned(physics, x, _ndim(physics))
    builder, call, blocks = begin("gram-pencils", operator, [x], physics)
    pencils, name = Pencils(physics, x, _ndim(physics)), f"times-{call}"
    weights = operator.weights if isinstance(operator, WeightedGram) else None
    kernel, z = kernel_task(builder, call, blocks, real=True, weights=weights), pencils.there(x)
    pencils.multiply(
        builder, name, z, lambda band: (tasks.run_normal, kernel, pencils.sizes, band, pencils.real)
    )
    return pencils.back(pencils.spectrum(builder.build([z]), name, z), x.dtype.name)


def _ndim(physics: Any) -> int:
    return (stencils_of(physics) or [])[0].ndim


def _add_transfers(
    builder: GraphBuilder,
    call: str,
    blocks: Blocks,
    pencils: Pencils,
    spectra: list[Any],
    *,
    conjugate: bool,
) -> list[str]:
    """Tasks for each sensor's transfer function times a spectrum of its own; the names of the results."""
    names = []
    for bound, block, _ in blocks:
        for i in range(*bound):
            names.append(f"times-{i}-{call}")
            factor = functools.partial(_transfer, block, i - bound[0], pencils, conjugate)
            pencils.multiply(builder, names[i], spectra[i], factor)
    return names


def _transfer(block: Ref, i: int, pencils: Pencils, conjugate: bool, band: Band) -> tuple[Any, ...]:
    return tasks.run_transfer, block, i, pencils.sizes, band, conjugate, pencils.kind


def _solved(operator: PseudoInverse, physics: Any, pencils: Pencils, z: Any) -> Any:
    """A spectrum times the pseudo-inverse of Σ|Ĥ|².

    The sum is computed twice, first for its largest entry: to keep it until that is known would take as much
    memory as the image.
    """
    builder, call, blocks = begin("inverse-pencils", operator, [z], physics)
    held, sizes = list(blocks.refs), pencils.sizes
    places = itertools.product(*(spans(chunks) for chunks in pencils.bands))
    peaks = [
        builder.add((f"peak-{call}", i), tasks.run_peak, held, sizes, band) for i, band in enumerate(places)
    ]
    eps = float(np.finfo(pencils.real).eps)
    rtol = eps * fft_rounding_units(sizes) if operator.rtol is None else operator.rtol
    least = builder.add(f"least-{call}", tasks.run_least, peaks, rtol**2)
    name = f"times-{call}"
    pencils.multiply(
        builder, name, z, lambda band: (tasks.run_inverse, sizes, band, least, pencils.real, *held)
    )
    return pencils.spectrum(builder.build([z]), name, z)
