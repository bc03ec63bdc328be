"""What the tasks of `daskphys.interop.tiles` do: one tile of a block of sensors each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from distributed import get_worker

from daskphys import backend
from daskphys.errors import ShapeError
from daskphys.interop.sources import Part
from daskphys.pairwise import PairwiseSum, Partial
from daskphys.physics.cache import derived
from daskphys.physics.naming import naming
from daskphys.physics.stencil import Stencil
from daskphys.physics.tiles import Box, Local
from daskphys.physics.weighted import Weights

#: Spectra may take one part in so many of a worker's memory.
CACHE_PART = 8

#: The part of its argument that a product of `Local` needs.
_NEEDS = {"forward": "image_part", "adjoint": "range_part", "normal": "normal_part"}


@dataclass(frozen=True)
class Tile:
    """What a task knows of its tile beforehand.

    Parameters
    ----------
    parts
        The parts of arrays that its sensors need; sensors that need the same one share it.
    which
        Each sensor's part.
    boxes
        Each sensor's tile.
    sizes
        The image's spatial shape.
    start
        The first sensor's index.
    device
        Where it computes, as in `daskphys.distributed.Blocks`.
    """

    parts: tuple[Part, ...]
    which: tuple[int, ...]
    boxes: tuple[Box, ...]
    sizes: tuple[int, ...]
    start: int = 0
    device: str | None = None

    def evaluate(self, block: Any, given: list[Any], product: str) -> Iterator[tuple[int, Any]]:
        """Each sensor's index and tile of a `product`: "forward", "adjoint" or "normal"."""
        _limit_cache()
        arrays = [part.assembled(given) for part in self.parts]
        if self.device is not None:
            arrays = [backend.to_device(a, self.device) for a in arrays]
        with backend.fft_threads(1):  # tasks run side by side
            for index, (sensor, which, box) in enumerate(
                zip(block, self.which, self.boxes, strict=True), self.start
            ):
                with naming(index, sensor):
                    local = Local(sensor.stencil, self.sizes, sensor)
                    if product == "normal" and local.stencil.padding == "circular":
                        own = derived.get(sensor, "kernel of AᴴA", partial(normal_kernel, sensor))
                        yield index, self.convolved(own, arrays[which], box)
                    else:
                        _check(sensor, arrays[which], getattr(local, _NEEDS[product])(box))
                        yield index, getattr(local, product)(arrays[which], box)

    def convolved(self, stencil: Stencil, x: Any, box: Box) -> Any:
        """The tile of a convolution."""
        local = Local(stencil, self.sizes, stencil)
        _check(stencil, x, local.image_part(box))
        return local.forward(x, box)

    def fetched(self, x: Any) -> Any:
        return x if self.device is None else backend.to_numpy(x)


def run_forward(block: Any, place: int, given: list[Any], tile: Tile) -> Any:
    """A tile of the measurement of one sensor, by its place in the block."""
    ((_, made),) = tile.evaluate(block[place : place + 1], given, "forward")
    return tile.fetched(made)


def run_sum(
    block: Any,
    given: list[Any],
    earlier: Sequence[list[Partial]],
    tile: Tile,
    product: str,
    last: bool,
    weights: Weights | None = None,
) -> Any:
    """The partial sums of a tile over the sensors of this block and of `earlier` ones; of the last one, the sum.

    `weights` are those of the block.
    """
    own = PairwiseSum()
    for index, made in tile.evaluate(block, given, product):
        own.append(index, made if weights is None else weights[index - tile.start] * made)
    total = PairwiseSum.join([*earlier, own.parts])
    return tile.fetched(total.total()) if last else total.parts


def run_kernel(
    block: Any,
    start: int,
    real: bool,
    overlap: tuple[int, ...] | None = None,
    weights: Weights | None = None,
) -> list[Partial]:
    """The block's partial sums of the kernels of (weighted) AᴴA, none of which reaches further than `overlap`."""
    total = PairwiseSum()
    for index, sensor in enumerate(block, start):
        with naming(index, sensor):
            kernel = normal_kernel(sensor)
            if overlap is not None and any(
                max(own) > most for own, most in zip(kernel.reach, overlap, strict=True)
            ):
                raise _unlike(sensor)
            kernel = kernel.real if real else kernel
            total.append(index, kernel if weights is None else kernel.scaled(weights[index - start]))
    return total.parts


def run_kernel_total(parts: list[list[Partial]]) -> Stencil:
    """The kernel of AᴴA."""
    total: Stencil = PairwiseSum.join(parts).total()
    return total


def normal_kernel(sensor: Any) -> Stencil:
    """The kernel of AᴴA of a periodic sensor, real where AᴴA of a real image is."""
    stencil: Stencil = sensor.stencil.normal()
    return stencil if sensor.normal_kind is None else stencil.real


def run_normal(stencil: Stencil, given: list[Any], tile: Tile) -> Any:
    """A tile of AᴴA x, by its kernel."""
    _limit_cache()
    (x,) = (part.assembled(given) for part in tile.parts)
    x = x if tile.device is None else backend.to_device(x, tile.device)
    with backend.fft_threads(1):
        return tile.fetched(tile.convolved(stencil, x, tile.boxes[0]))


def _limit_cache() -> None:
    """Let spectra take no more than their part of the worker's memory limit; tiles at borders have some of their own."""
    try:
        limit = get_worker().memory_manager.memory_limit
    except ValueError:  # not on a worker
        return
    if limit:
        derived.limit(limit // CACHE_PART)


def _check(operator: Any, array: Any, box: Box) -> None:
    """Refuse what a kernel of another size than that of sensor 0 would make of its part."""
    if tuple(array.shape[-len(box) :]) != tuple(stop - start for start, stop in box):
        raise _unlike(operator)


def _unlike(operator: Any) -> ShapeError:
    return ShapeError(
        f"{operator!r}: on tiles the factory's sensors are expected to have kernels of one size, that of sensor 0: "
        f"make the image's axes one chunk with x.rechunk, or distribute the stack itself"
    )
