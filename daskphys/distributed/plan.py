"""What a call will cost before it runs, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from daskphys.distributed.memory import Peak, refuse
from daskphys.markup import bytes_text, card, counted, meter, span, table

#: Columns of the table of workers.
_COLUMNS = ("worker", "sensors", "tasks", "FFTs", "has", "spectra", "call", "peak", "may have")


@dataclass(frozen=True)
class WorkerPlan:
    """One worker's part of a call.

    Attributes
    ----------
    name
        The worker's.
    sensors : tuple of (start, stop)
        The sensors that it holds.
    tasks, transforms : int
        Tasks, and FFTs in them.
    memory : Peak
        Bytes of its process at the peak: what it has already, spectra that are kept, images and workspace of the
        call, and what it may have (0: no limit).  Workers that are threads of one process share one peak.
    """

    name: Any
    sensors: tuple[tuple[int, int], ...]
    tasks: int
    transforms: int
    memory: Peak


@dataclass(frozen=True)
class Plan:
    """What a call will cost; made by `DistributedPhysics.plan`, by which nothing is computed.

    Attributes
    ----------
    operator, method, where : str
        What is called, and where it runs.
    shape : tuple of int
    dtype : str
    chunks : int
        Into how many chunks of leading axes a lazy image falls; 1 in memory.
    tasks, transforms : int
        Tasks, and FFTs of a later call; the first one makes what is kept besides.
    sent, between, returned : int
        Bytes from the client to workers, among workers, and back.
    seconds : float or None
        An estimate for a later call, from the context's calibration; None where it was not wanted.
    workers : tuple of WorkerPlan
    notes : tuple of str
        What else there is to know.
    """

    operator: str
    method: str
    where: str
    shape: tuple[int, ...]
    dtype: str
    chunks: int
    tasks: int
    transforms: int
    sent: int
    between: int
    returned: int
    seconds: float | None
    workers: tuple[WorkerPlan, ...]
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether no worker needs more memory than it may have."""
        return all(worker.memory.fits for worker in self.workers)

    def check(self) -> None:
        """Refuse what cannot fit.

        Raises
        ------
        MemoryPlanError
            With what the worst worker would need, what it may have, and three ways out.
        """
        refuse(
            f"{self.method} of an image of {self.shape}, {self.dtype},",
            {w.name: w.memory for w in self.workers},
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain numbers, strings, lists and dictionaries; ``dict(plan)`` is the same."""
        found = asdict(self)
        for worker, plain in zip(self.workers, found["workers"], strict=True):
            plain["memory"] |= {"total": worker.memory.total, "fits": worker.memory.fits}
        return found | {"workers": list(found["workers"]), "fits": self.fits}

    def keys(self) -> Iterator[str]:
        """The names of `to_dict`."""
        return iter(self.to_dict())

    def __getitem__(self, key: str) -> Any:
        return self.to_dict()[key]

    def _lines(self) -> list[tuple[str, str]]:
        shape = "×".join(map(str, self.shape))
        chunks = f" in {counted(self.chunks, 'chunk')}" if self.chunks > 1 else ""
        time = "not estimated" if self.seconds is None else f"about {_time_text(self.seconds)}, an estimate"
        return [
            ("call", f"{self.method} of {shape}, {self.dtype}{chunks}, {self.where}"),
            ("tasks", f"{counted(self.tasks, 'task')}, {counted(self.transforms, 'FFT')}"),
            (
                "bytes",
                f"{bytes_text(self.sent)} sent, {bytes_text(self.between)} between workers, "
                f"{bytes_text(self.returned)} returned",
            ),
            ("time", time),
            *(("note", note) for note in self.notes),
        ]

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                str(w.name),
                ", ".join(span(*run).removeprefix("sensors ").removeprefix("sensor ") for run in w.sensors),
                str(w.tasks),
                str(w.transforms),
                *(bytes_text(n) for n in (w.memory.base, w.memory.kept, w.memory.call, w.memory.total)),
                (bytes_text(w.memory.room) if w.memory.room else "no limit")
                + ("" if w.memory.fits else " !"),
            )
            for w in self.workers
        ]

    def __str__(self) -> str:
        head = [f"{name:<7}{text}" for name, text in self._lines()]
        rows = [_COLUMNS, *self._cells()] if self.workers else []
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = [
            "  ".join(f"{cell:>{n}}" for cell, n in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        return "\n".join([*head, *table])

    def _repr_html_(self) -> str:
        workers = table(_COLUMNS, self._html_cells()) if self.workers else ""
        return card(f"plan of {self.operator}", self._lines(), below=workers)

    def _html_cells(self) -> list[tuple[str, ...]]:
        """The cells, with a bar where a worker's memory has a limit."""
        return [
            (
                *cells[:-2],
                meter(w.memory.total / w.memory.room, cells[-2]) if w.memory.room else cells[-2],
                cells[-1],
            )
            for w, cells in zip(self.workers, self._cells(), strict=True)
        ]


def _time_text(seconds: float) -> str:
    return f"{1e3 * seconds:.2g} ms" if seconds < 0.1 else f"{seconds:.2g} s"
