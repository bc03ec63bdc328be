"""Mosaics larger than the memory of the workers, from store to store: time, and the peak of each worker.

The workers are real processes with a real limit, at whose 95 % Dask's nanny kills them.  Stores are ``.npy``
files that a task opens, reads a rectangle of, and closes: what is read is memory of the task and not a map of
the file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

from benchmarks.timing import Bench, Case
from daskphys.physics import Blur, gaussian_blur, stack

MiB = 1 << 20


@dataclass(frozen=True)
class Npy:
    """An array in a ``.npy`` file that can be sliced, and written slice by slice."""

    path: str

    @classmethod
    def create(cls, path: Path, shape: tuple[int, ...]) -> Npy:
        np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape).flush()
        return cls(str(path))

    def _open(self, mode: Any = "r") -> Any:
        return np.lib.format.open_memmap(self.path, mode=mode)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._open().shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    dtype = np.dtype(np.float32)

    def __getitem__(self, slices: Any) -> np.ndarray:
        return np.array(self._open()[slices])

    def __setitem__(self, slices: Any, values: Any) -> None:
        self._open("r+")[slices] = values

    def __dask_tokenize__(self) -> tuple[str, str]:
        return ("Npy", self.path)


def make_mosaic(path: Path, side: int, tile: int) -> Npy:
    """A mosaic of noise, written tile by tile."""
    store, rng = Npy.create(path, (side, side)), np.random.default_rng(0)
    for row in range(0, side, tile):
        store[row : row + tile] = rng.random((tile, side), dtype=np.float32)
    return store


@contextlib.contextmanager
def limited(n_workers: int, memory: int, *, spill: bool = True) -> Iterator[Client]:
    """Worker processes of one thread and `memory` bytes each; a worker that is killed is an error, not a retry.

    The allocator gives freed arrays back at once, as Dask sets it: here memory counts more than time.  Without
    `spill` workers neither write to disk nor pause near their limit, they are just killed at it.
    """
    settings: dict[str, Any] = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 65536,
        "distributed.nanny.pre-spawn-environ.MALLOC_ARENA_MAX": 2,
        # Of a peer-to-peer rechunk: Dask's own 1 GiB is all that these workers have.
        "distributed.p2p.comm.buffer": "64 MiB",
    }
    if not spill:
        settings |= {f"distributed.worker.memory.{what}": False for what in ("target", "spill", "pause")}
    local = tempfile.mkdtemp(prefix="daskphys-outofcore-")
    try:
        with (
            dask.config.set(settings),
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                memory_limit=memory,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                local_directory=local,
                silence_logs=50,
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
    finally:
        shutil.rmtree(local, ignore_errors=True)


def peak_memory() -> int:
    """The most memory that this process has held at once, of its own and not of mapped files' pages, in bytes."""
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmHWM"].split()[0]) * 1024


def run(client: Client, result: Any, store: Npy) -> tuple[float, int]:
    """Seconds from store to store, and the largest peak of a worker since it started."""
    begin = time.perf_counter()
    da.store(result, store, lock=False)
    seconds = time.perf_counter() - begin
    return seconds, max(client.run(peak_memory).values())


def products(A: Any, x: Any, directory: Path) -> dict[str, Callable[[], tuple[Any, Npy]]]:
    """What is measured, by name: the lazy result, and the store that it goes to."""

    def opened(name: str) -> Any:
        return da.from_array(Npy(str(directory / name)), chunks=x.chunks)

    def to(name: str, make: Callable[[], Any]) -> Callable[[], tuple[Any, Npy]]:
        return lambda: (made := make(), Npy.create(directory / name, made.shape))

    return {
        "A": to("y.npy", lambda: A(x)),
        "Aᵀ": to("b.npy", lambda: A.A_adjoint(opened("y.npy"))),
        "AᵀA": to("n.npy", lambda: A.A_adjoint_A(x)),
    }


def _measure(case: Case, side: int, tile: int, memory: int, chosen: Callable[[Any, Any, Path], Any]) -> Case:
    directory = Path(tempfile.mkdtemp(prefix="daskphys-outofcore-", dir=os.environ.get("TMPDIR")))
    try:
        store = make_mosaic(directory / "x.npy", side, tile)
        x = da.from_array(store, chunks=tile)
        with limited(2, memory) as client:
            idle = max(client.run(peak_memory).values())
        for name, make in chosen(x, directory).items():  # each on workers that have held nothing yet
            with limited(2, memory) as client:
                result, target = make()
                tasks = len(result.__dask_graph__().to_dict())
                seconds, peak = run(client, result, target)
            row = {"product": name, "seconds": seconds, "tasks": tasks, "peak, MiB": peak / MiB}
            row |= {"limit, MiB": memory / MiB, "mosaic ÷ memory of all workers": 4 * side**2 / (2 * memory)}
            case.rows.append(row)
        case.notes.append(
            f"a worker that has done nothing: {idle / MiB:.0f} MiB; limits are real, 2 processes"
        )
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return case


def tiles(bench: Bench) -> Case:
    side, memory = (4096, 400 * MiB) if bench.quick else (16384, 512 * MiB)
    case = Case(
        "out of core, tiles", f"blur of 25×25 on {side}² float32, tiles of 1024², from store to store"
    )
    A = Blur(gaussian_blur(sigma=(1.5, 3.5), angle=30))
    return _measure(case, side, 1024, memory, lambda x, directory: products(A, x, directory))


def pencils(bench: Bench) -> Case:
    side, memory = (4096, 1024 * MiB) if bench.quick else (16384, 1024 * MiB)
    case = Case(
        "out of core, pencils",
        f"Fourier multipliers on {side}² float32, chunks of 1024², from store to store",
    )
    A = stack(Blur(gaussian_blur(0.5)))

    def chosen(x: Any, directory: Path) -> dict[str, Any]:
        return {
            "A⁺": lambda: (
                A.A_dagger([x]),
                Npy.create(directory / "p.npy", x.shape),
            )
        }

    return _measure(case, side, 1024, memory, chosen)


CASES = (tiles, pencils)
