"""What a call did: tasks, bytes, transforms, and the time of each block on each worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from daskphys.distributed.ledger import Entry
from daskphys.markup import bytes_text, card, counted, span


@dataclass(frozen=True)
class Call:
    """What the client knows of a call when it has ended."""

    name: str
    method: str
    tasks: int = 0
    seconds: float = 0.0
    bytes_sent: int = 0
    bytes_returned: int = 0
    transforms: int = 0
    attempts: int = 1
    algorithm: str = ""
    bytes_between: int = 0
    blocks: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Report:
    """The last call of a distributed operator.

    Attributes
    ----------
    method : str
        What was called, and how it was done.
    tasks : int
        Tasks of its graph (0 where the merged normal operator did it beside the image).
    seconds : float
        Wall time on the client.
    bytes_sent, bytes_between, bytes_returned : int
        Image data from the client to workers, data among workers, and results to the client.  Operators
        are not among them: they were sent once, by `distribute` (`bytes_operators`).
    transforms : int
        FFTs made, on all workers.
    blocks : sequence of Entry
        One for each task: worker, sensors ``(start, stop)`` or None for the reduction, seconds, transforms.
    attempts : int
        How often the call was submitted: more than 1 when workers were lost.
    notes : sequence of str
        Fall-backs.
    algorithm : str
        How the arithmetic was done on a CPU: "FFT of 800×512, wrapped"; empty where a family does not say.
    """

    method: str
    tasks: int
    seconds: float
    bytes_operators: int
    bytes_sent: int
    bytes_between: int
    bytes_returned: int
    transforms: int
    attempts: int
    blocks: Sequence[Entry] = field(default_factory=list)
    notes: Sequence[str] = ()
    algorithm: str = ""

    def _lines(self) -> list[tuple[str, str]]:
        return [
            (
                "call",
                f"{self.method}, {1e3 * self.seconds:.1f} ms, {counted(self.tasks, 'task')}, {counted(self.transforms, 'FFT')}",
            ),
            (
                "bytes",
                f"{bytes_text(self.bytes_sent)} sent, {bytes_text(self.bytes_between)} between workers, "
                f"{bytes_text(self.bytes_returned)} returned (operators: {bytes_text(self.bytes_operators)}, once)",
            ),
            *([("method", self.algorithm)] if self.algorithm else []),
            *((f"worker {worker}", text) for worker, text in self._workers()),
            *([("submitted", f"{self.attempts} times: workers were lost")] if self.attempts > 1 else []),
            *(("fallback", note) for note in self.notes),
        ]

    def _workers(self) -> list[tuple[Any, str]]:
        by_worker: dict[Any, list[Entry]] = {}
        for entry in self.blocks:
            by_worker.setdefault(entry.worker, []).append(entry)
        return [
            (worker, ", ".join(map(_entry_text, by_worker[worker]))) for worker in sorted(by_worker, key=str)
        ]

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self._lines())
        return "\n".join(f"{name:<{width}}  {text}" for name, text in self._lines())

    def _repr_html_(self) -> str:
        return card("report of the last call", self._lines())


def _entry_text(entry: Entry) -> str:
    what = "sum" if entry.block is None else span(*entry.block)
    return f"{what}: {1e3 * entry.seconds:.1f} ms, {counted(entry.transforms, 'FFT')}"
