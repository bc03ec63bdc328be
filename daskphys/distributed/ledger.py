"""What each task of a call did, kept on its worker until someone asks (`report()`)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from distributed import get_worker

from daskphys import backend

#: Calls whose entries a worker keeps.
MAX_CALLS = 64


@dataclass(frozen=True)
class Entry:
    """One task: a block of sensors ``(start, stop)``, or None for the reduction."""

    worker: Any
    block: tuple[int, int] | None
    seconds: float
    transforms: int


class Ledger:
    """The entries of the last calls, by call; safe for threads."""

    def __init__(self, max_calls: int = MAX_CALLS) -> None:
        self._calls: OrderedDict[str, list[Entry]] = OrderedDict()
        self._max_calls = max_calls
        self._lock = threading.Lock()

    def add(self, call: str, entry: Entry) -> None:
        with self._lock:
            self._calls.setdefault(call, []).append(entry)
            while len(self._calls) > self._max_calls:
                self._calls.popitem(last=False)

    def entries(self, call: str) -> list[Entry]:
        with self._lock:
            return list(self._calls.get(call, ()))


ledger = Ledger()


def worker_name() -> Any:
    """The name of the worker that runs this task; None outside one."""
    try:
        return get_worker().name
    except ValueError:
        return None


@contextlib.contextmanager
def measured(call: str, block: tuple[int, int] | None) -> Iterator[None]:
    """Note what the block of code does as part of `call`.

    Its FFTs use one thread: Dask already runs one task for each thread of the worker, and both together must
    not exceed the cores.
    """
    begin = time.perf_counter()
    with backend.fft_threads(1), backend.count_transforms() as count:
        yield
    ledger.add(call, Entry(worker_name(), block, time.perf_counter() - begin, count.total))


def fetch(call: str, dask_worker: Any = None) -> tuple[list[Entry], int]:
    """On a worker: its entries of `call`, and the bytes that it took from other workers for it."""
    mine = [e for e in ledger.entries(call) if e.worker == dask_worker.name]
    taken = sum(
        size
        for transfer in list(dask_worker.transfer_incoming_log)
        for key, size in transfer["keys"].items()
        if call in str(key)
    )
    return mine, taken
