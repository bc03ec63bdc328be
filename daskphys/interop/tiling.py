"""How an image is cut into tiles, by the chunks that it has, merged where they are too small; and into pencils."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from daskphys.distributed.sensors import Distributed
from daskphys.physics.base import Adjoint, Gram, LinearPhysics
from daskphys.physics.measurements import Measurements
from daskphys.physics.stacked import Stacked
from daskphys.physics.stencil import Stencil
from daskphys.physics.tiles import Box, Local, clipped
from daskphys.physics.weighted import WeightedGram

SENSORS = (Stacked, Distributed)

Chunks = tuple[int, ...]


@dataclass(frozen=True)
class Tiling:
    """The tiles of one product.

    Parameters
    ----------
    locals
        Each sensor as a compact operator.
    given
        The chunks of the argument along the image's axes (of the first measurement, for an adjoint).
    boxes
        Start and stop of each tile along each axis, in positions of the image.
    overlap
        The samples that a tile needs of its neighbours, before or after it, whichever are more, on each axis.
    """

    locals: tuple[Local, ...]
    given: tuple[Chunks, ...]
    boxes: tuple[Box, ...]
    overlap: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The image's spatial shape."""
        return self.locals[0].sizes

    @property
    def ndim(self) -> int:
        return len(self.sizes)

    def chunks(self, limits: Box | None = None) -> tuple[Chunks, ...]:
        """The sizes of the tiles, or of what of them lies within `limits`."""
        limits = self.locals[0].image if limits is None else limits
        return tuple(
            tuple(stop - start for start, stop in clipped(spans, (limit,) * len(spans)))
            for spans, limit in zip(self.boxes, limits, strict=True)
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was merged by rule: chunks smaller than the overlap, one line an axis."""
        return tuple(
            f"axis {axis}: {len(given)} chunks of {min(given)} to {max(given)} merged into {len(spans)} tiles, for "
            f"each needs {overlap} samples of its neighbours"
            for axis, given, spans, overlap in zip(
                range(-self.ndim, 0), self.given, self.boxes, self.overlap, strict=True
            )
            if len(spans) < len(given)
        )


def plan(operator: Any, value: Any) -> Tiling | None:
    """The tiles of ``operator`` on a Dask array, or on measurements of them; None where it has no tiles.

    `operator` is A, ``A.H`` or (weighted) AᴴA of a compact A.  A periodic operator has none where the chunks of an axis
    would all be merged, or its kernel is longer than about half of the axis: it is better taken for the Fourier
    multiplier that it is (`daskphys.interop.pencils`).

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> from daskphys.interop.tiling import plan
    >>> from daskphys.physics import Blur
    >>> tiles = plan(Blur(np.ones((9, 9)), "reflect"), da.ones((64, 64), chunks=(3, 16)))
    >>> tiles.chunks()[0][:3], tiles.chunks()[1]
    ((6, 6, 6), (16, 16, 16, 16))
    >>> tiles.notes
    ('axis -2: 22 chunks of 1 to 3 merged into 10 tiles, for each needs 4 samples of its neighbours',)
    """
    parent = operator.parent if isinstance(operator, Adjoint | Gram | WeightedGram) else operator
    stencils = stencils_of(parent)
    if stencils is None:
        return None
    backwards = isinstance(operator, Adjoint)
    first = value[0] if isinstance(value, Measurements) else value
    many = isinstance(value, Measurements)
    shape = parent._domain_shape(value.shapes if many else value.shape) if backwards else value.shape
    ndim = stencils[0].ndim
    locals = tuple(Local(s, tuple(shape[-ndim:]), None) for s in stencils)
    given = tuple(first.chunks[-ndim:])
    reaches = [s.reach for s in stencils]
    twice = isinstance(operator, Gram | WeightedGram)
    overlap = tuple(
        max(a + b if twice else max(a, b) for a, b in axis) for axis in zip(*reaches, strict=True)
    )
    kept = tuple(merged(c, n + 1) for c, n in zip(given, overlap, strict=True))
    periodic = all(s.padding == "circular" for s in stencils)
    sides = zip(given, kept, overlap, shape[-ndim:], strict=True)
    if periodic and any(len(c) > 1 and (len(k) == 1 or 4 * o > n) for c, k, o, n in sides):
        return None
    # The measurement of a blur without borders begins at the kernel's reach; its outer tiles are those of the
    # image less that.
    limits = locals[0].range if backwards else locals[0].image
    boxes = []
    for chunks, (start, _), n in zip(kept, limits, shape[-ndim:], strict=True):
        inner = (start + e for e in itertools.accumulate(chunks[:-1]))
        boxes.append(tuple(itertools.pairwise((0, *inner, n))))
    return Tiling(locals, given, tuple(boxes), overlap)


def stencils_of(physics: Any) -> list[Stencil] | None:
    """The stencil of each sensor, or of the operator itself; None where one has none."""
    sensors = sensors_of(physics)
    unlike = {id(s): s.stencil for s in sensors}
    stencils = [s for s in (unlike[id(sensor)] for sensor in sensors) if s is not None]
    if len(stencils) < len(sensors) or len({s.ndim for s in stencils}) > 1:
        return None
    return stencils


def sensors_of(physics: Any) -> tuple[LinearPhysics, ...]:
    """The sensors' operators as they are known here; an operator without a sensor axis is one."""
    if not isinstance(physics, Distributed):
        return physics.sensors if isinstance(physics, Stacked) else (physics,)
    # Of a factory's sensors the first one stands for all: the tasks check that it does.
    known = physics.recipe.template
    return known.sensors if isinstance(known, Stacked) else (known,) * len(physics)


def merged(chunks: Chunks, least: int) -> Chunks:
    """`chunks` with neighbours joined until each has `least` samples, or only one is left."""
    made: list[int] = []
    for chunk in chunks:
        if made and made[-1] < least:
            made[-1] += chunk
        else:
            made.append(chunk)
    if len(made) > 1 and made[-1] < least:
        last = made.pop()
        made[-1] += last
    return tuple(made)


def spans(chunks: Chunks) -> Box:
    """Start and stop of each chunk."""
    return tuple(itertools.pairwise((0, *itertools.accumulate(chunks))))


def evenly(n: int, width: int) -> Chunks:
    """`n` in chunks of at most `width` samples that differ by one at most."""
    count = -(-n // max(1, min(n, width)))
    return tuple(n // count + (i < n % count) for i in range(count))


def bands(half: Chunks, samples: int) -> tuple[Chunks, ...]:
    """The chunks of a half spectrum along the axes but the first; whole from the last one on, as far as `samples` go."""
    made: list[Chunks] = []
    for n in reversed(half):
        made.insert(0, evenly(n, samples))
        samples = max(1, samples // n)
    return tuple(made)
