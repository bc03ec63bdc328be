"""What one worker computes in a solve: the products of its sensors, and what is as large as its measurements."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from daskphys import backend
from daskphys.distributed.factories import Expected
from daskphys.distributed.held import check_alike
from daskphys.krylov.vectors import inner, plus
from daskphys.pairwise import PairwiseSum, Partial
from daskphys.physics.blockproducts import adjoint_parts, forward_each, gram_parts
from daskphys.physics.measurements import Measurements
from daskphys.physics.stack import StackedPhysics, widened
from daskphys.physics.transform import Transform


@dataclass(frozen=True)
class Form:
    """What all workers of a solve know of its operator.

    Parameters
    ----------
    shape
        The image's.
    scalars
        That of one number a right-hand side (`System`).
    transform
        What all sensors of the whole stack do first, without its operators (`Transform.outline`).
    wide
        Whether sums over sensors are complex, for the whole stack as `physics.stack.widened` finds it: one worker
        has not all its sensors.
    device
        Where workers compute.
    expected
        The shapes that measurements must have (`Recipe.expected`).
    """

    shape: tuple[int, ...]
    scalars: tuple[int, ...]
    transform: Transform
    wide: bool
    device: str
    expected: Expected | None = None


@dataclass
class Sums:
    """Partial sums over sensors: of images (or of what their transform makes of them), and of ‖Uᵢ‖²."""

    images: list[Partial] = field(default_factory=list)
    squares: list[Partial] = field(default_factory=list)


class Run:
    """Neighbouring sensors, with their U."""

    def __init__(self, start: int, sensors: StackedPhysics, form: Form) -> None:
        self.start, self.sensors, self._form = start, sensors, form
        if form.expected is not None:
            seen = [sensor._range_shape(form.shape) for sensor in sensors]
            check_alike(sensors, seen, form.expected, start)
        self.transform = sensors.transform.filled(form.transform)
        self.u: list[Any] = []
        self.seconds, self.transforms = 0.0, 0

    @property
    def bound(self) -> tuple[int, int]:
        return self.start, self.start + len(self.sensors)

    def begin(self, x0: Any, y: Sequence[Any]) -> Sums:
        self.u = list(y)
        if x0 is not None:
            made = forward_each(self.sensors, x0, self.transform, self.start)
            self.u = [own - seen for own, seen in zip(y, made, strict=True)]
        return self._sums()

    def step(self, v: Any, scale: Any) -> Sums:
        made = forward_each(self.sensors, v, self.transform, self.start)
        self.u = [plus(seen, -scale, own) for seen, own in zip(made, self.u, strict=True)]
        return self._sums()

    def _sums(self) -> Sums:
        squares = PairwiseSum()
        for index, own in enumerate(self.u, self.start):
            squares.append(index, inner(own, own, self._form.scalars))
        u = Measurements(self.u)
        if self._form.wide:
            u = widened(u, backend.complex_name)
        images = adjoint_parts(self.sensors, u, self._form.shape, self.transform, self.start)
        return Sums(images, squares.parts)

    def gram(self, p: Any, weights: Any) -> Sums:
        own = None if weights is None else weights[slice(*self.bound)]
        return Sums(gram_parts(self.sensors, p, self.start, own))


class Part:
    """All sensors of one worker, as runs of neighbours: each run lifts the image once."""

    def __init__(
        self, blocks: Sequence[tuple[int, StackedPhysics]], form: Form, share: tuple[int, int]
    ) -> None:
        self._form = form
        self.runs = [
            Run(found[0][0], StackedPhysics(tuple(s for _, block in found for s in block)), form)
            for found in _neighbours(blocks)
        ]
        # FFTs of all workers on a host together must not use more threads than it has cores.
        own, all_here = share
        self._threads = min(own, max(1, backend.cpu_count() * own // all_here))

    def begin(self, x0: Any, y: dict[int, Any]) -> Sums:
        """U ← y − A x0."""
        placed = {i: backend.to_device(a, self._form.device) for i, a in y.items()}
        return self._each(lambda run, x: run.begin(x, [placed[i] for i in range(*run.bound)]), x0)

    def step(self, v: Any, scale: Any) -> Sums:
        """U ← A v − scale · U."""
        return self._each(lambda run, x: run.step(x, scale), v)

    def gram(self, p: Any, weights: Any = None) -> Sums:
        """AᴴA p, where `weights` has one for each sensor of the whole stack."""
        return self._each(lambda run, x: run.gram(x, weights), p)

    def _each(self, f: Callable[[Run, Any], Sums], x: Any) -> Sums:
        total = Sums()
        if not self.runs:
            return total
        x = None if x is None else backend.to_device(x, self._form.device)
        for run in self.runs:
            with self._measured(run):
                made = f(run, x)
            for part in made.images:
                value = backend.to_numpy(part.value)
                total.images.append(
                    Partial(part.start, part.stop, value, part.owned or value is not part.value)
                )
            total.squares.extend(made.squares)
        return total

    def lowered(self, z: Any) -> Any:
        """The image of a whole sum of `begin` or `step`."""
        with self._measured(self.runs[0]) as run:
            image = run.transform.lower(backend.to_device(z, self._form.device), self._form.shape)
        return backend.to_numpy(image)

    @contextlib.contextmanager
    def _measured(self, run: Run) -> Iterator[Run]:
        begin = time.perf_counter()
        with backend.fft_threads(self._threads), backend.count_transforms() as count:
            yield run
        run.seconds += time.perf_counter() - begin
        run.transforms += count.total


def joined(sums: Sequence[Sums]) -> Sums:
    """Partial sums of several workers, added as far as the canonical tree allows."""
    if len(sums) == 1:
        return sums[0]
    return Sums(_join([s.images for s in sums]), _join([s.squares for s in sums]))


def _join(lists: Sequence[list[Partial]]) -> list[Partial]:
    parts = sorted((part for found in lists for part in found), key=lambda part: part.start)
    made: list[Partial] = []
    for run in _adjacent(parts):
        made.extend(PairwiseSum.join([run], given_up=True).parts)
    return made


def _adjacent(parts: Sequence[Partial]) -> list[list[Partial]]:
    runs: list[list[Partial]] = []
    for part in parts:
        if runs and runs[-1][-1].stop == part.start:
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _neighbours(blocks: Sequence[tuple[int, StackedPhysics]]) -> list[list[tuple[int, StackedPhysics]]]:
    runs: list[list[tuple[int, StackedPhysics]]] = []
    stop = None
    for start, block in blocks:
        if start == stop:
            runs[-1].append((start, block))
        else:
            runs.append([(start, block)])
        stop = start + len(block)
    return runs
