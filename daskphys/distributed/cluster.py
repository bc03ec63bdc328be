"""Starting a local cluster, and finding out what it can run on."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import linecache
import logging
import multiprocessing.process
import os
import socket
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import dask
from distributed import Client, LocalCluster
from distributed.utils import LoopRunner, sync

from daskphys import backend
from daskphys.distributed import encryption
from daskphys.errors import (
    DaskphysError,
    DeviceError,
    FallbackWarning,
    MainGuardError,
    MissingDependencyError,
    warn,
)

#: glibc gives freed arrays back to the system at once, and Dask's nanny makes it stricter; each new array is
#: then paged in again.  Raised, a block of FFTs takes 0.6 of the time (benchmarks/results/foundation.txt).
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}

#: Dask's rechunk between peers fills 1 GiB of each worker before it waits, more than many workers have.
P2P_BUFFER = "64 MiB"

#: Seconds in which connections send what they have left: they do so every few milliseconds.
_LAST_MESSAGES = 0.02

#: The port of Dask's dashboard, where it is free.
PORT = 8787


def start_cluster(n_workers: int | None, processes: bool | None) -> LocalCluster:
    """A cluster of CPU workers on this machine, which listens on loopback alone.

    Threads of this process by default: the FFT releases the GIL, and images are not copied.
    """
    cores = backend.cpu_count()
    n = cores if n_workers is None else n_workers
    if processes:
        require_main_guard()
    with _cluster_settings():
        return LocalCluster(
            n_workers=n,
            threads_per_worker=max(1, cores // n),
            processes=bool(processes),
            # Said, since Dask would have threads speak TLS to each other where its settings ask for encryption.
            protocol=None if processes else "inproc://",
            security=encryption.of_processes() if processes else None,
            host="127.0.0.1" if processes else None,
            dashboard_address=f"127.0.0.1:{_free_port()}",
            worker_dashboard_address="127.0.0.1:0",  # without it a thread's worker listens on all interfaces
            silence_logs=50,  # a worker that goes is reported by what it was doing
        )


@contextlib.contextmanager
def _cluster_settings() -> Iterator[None]:
    settings = {f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in ALLOCATOR.items()}
    settings["distributed.p2p.comm.buffer"] = P2P_BUFFER
    # A nanny prefers what this process has in its environment, writes its own settings there, and leaves them.
    before = {name: os.environ.get(name) for name in ALLOCATOR}
    os.environ.update(ALLOCATOR)
    try:
        with dask.config.set(settings), warnings.catch_warnings():
            # Another program may take the port after `_free_port` has looked; Dask then takes another, and leaves the
            # socket of the first to be collected.
            warnings.filterwarnings("ignore", message="Port .* is already in use")
            warnings.filterwarnings("ignore", message="unclosed <socket", category=ResourceWarning)
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def start_cuda_cluster(n_workers: int | None) -> Any:
    """One worker process a GPU, by dask-cuda.

    Raises
    ------
    MissingDependencyError, DeviceError
        dask-cuda or CuPy is not installed; there is no GPU, or a worker cannot run a small FFT on its GPU.
    """
    try:
        from dask_cuda import LocalCUDACluster
    except ImportError as error:
        raise MissingDependencyError(
            "cluster='cuda' needs dask-cuda and CuPy: pip install 'daskphys[cuda13]' (or 'daskphys[cuda12]')"
        ) from error
    if not gpu_count():
        raise DeviceError(
            "cluster='cuda' needs a GPU with its driver, and NVML sees none on this machine: cluster='auto' takes "
            "the CPU then, and cluster='local' always"
        )
    require_main_guard()
    security = encryption.of_processes()
    with _cluster_settings():
        cluster = LocalCUDACluster(
            n_workers=n_workers,
            protocol="tls" if security else None,
            security=security,
            dashboard_address=f"127.0.0.1:{_free_port()}",
            worker_dashboard_address="127.0.0.1:0",
        )
    try:
        with Client(cluster, set_as_default=False) as client:
            failed = {worker: why for worker, why in client.run(probe_gpu).items() if why}
        if failed:
            raise DeviceError(f"workers cannot compute on their GPU: {failed}")
    except BaseException:
        cluster.close()
        raise
    return cluster


def close_cluster(cluster: Any) -> None:
    """Close a cluster that was started here.

    Dask logs, once its own silence is over, that a last message found its connection closed: no news.
    """
    log = logging.getLogger("distributed.batched")

    def is_news(
        record: logging.LogRecord,
    ) -> bool:  # one of this call's own, for clusters may close at the same time
        return record.levelno >= logging.WARNING

    log.addFilter(is_news)
    try:
        with _kept_running(cluster.loop):
            cluster.close()
    finally:
        log.removeFilter(is_news)


@contextlib.contextmanager
def _kept_running(loop: Any) -> Iterator[None]:
    """Keep a loop until connections have sent what they have left.

    Dask stops it at once, which leaves a connection that waits for its next message with an error that no one asks for.
    """
    if not loop.asyncio_loop.is_running():  # the cluster was closed before
        yield
        return
    keeps = LoopRunner(loop=loop)
    keeps.start()
    try:
        yield
        sync(loop, asyncio.sleep, _LAST_MESSAGES)
    finally:
        keeps.stop()


def auto_cluster(n_workers: int | None, processes: bool | None) -> tuple[Any, str, list[str]]:
    """A GPU cluster where NVML sees a device and each worker can use it, else a CPU cluster.

    Returns the cluster, its device, and what was fallen back from.
    """
    seen = gpu_count()
    if seen and processes is not False:
        try:
            return start_cuda_cluster(n_workers), "cuda", []
        except (DaskphysError, ValueError, RuntimeError, OSError) as error:
            note = f"NVML sees {seen} GPUs, but they are not used: {error}"
            warn(note, FallbackWarning)
            return start_cluster(n_workers, processes), "cpu", [note]
    return start_cluster(n_workers, processes), "cpu", []


def gpu_count() -> int:
    """How many GPUs NVML sees; 0 without its Python package or driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except Exception:  # whatever a missing driver raises, it means that there is none
        return 0


def probe_gpu() -> str:
    """Why this process cannot run a small FFT on its GPU; empty where it can."""
    try:
        import cupy

        x = cupy.arange(16, dtype=cupy.float32)
        error = float(abs(cupy.fft.irfft(cupy.fft.rfft(x), n=16) - x).max())
        return "" if error < 1e-5 else f"a small FFT is off by {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def device_of(client: Client, wanted: str) -> str:
    """The device that every worker computes on."""
    if wanted == "cpu":
        return "cpu"
    found = client.run(probe_gpu)
    failed = {worker: why for worker, why in found.items() if why}
    if not failed:
        return "cuda"
    if wanted == "cuda":
        raise DeviceError(f"device='cuda': workers cannot compute on their GPU: {failed}")
    if len(failed) < len(found):
        warn(
            f"some workers can compute on a GPU and others cannot, so all compute on the CPU: {failed}",
            FallbackWarning,
        )
    return "cpu"


def require_main_guard() -> None:
    """Refuse to start processes from the top level of a script that they would import again."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if getattr(multiprocessing.process.current_process(), "_inheriting", False):
        raise _guard_error(file or "your script")
    frame = inspect.currentframe()
    while frame is not None:
        code = frame.f_code
        if (
            code.co_name == "<module>"
            and frame.f_globals.get("__name__") == "__main__"
            and file == code.co_filename
        ):
            if not _guarded("".join(linecache.getlines(file)), frame.f_lineno):
                raise _guard_error(file)
            return
        frame = frame.f_back


def _guarded(source: str, line: int) -> bool:
    """Whether a top-level line of `source` stands under a test of ``__name__``."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # no source to judge by (a frozen program)
        return True
    return any(
        isinstance(node, ast.If)
        and any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test))
        and node.lineno <= line <= (node.end_lineno or line)
        for node in tree.body
    )


def _guard_error(file: str) -> MainGuardError:
    return MainGuardError(
        f"worker processes import {file} again, so what starts them must stand under a guard: write\n\n"
        f'    if __name__ == "__main__":\n        with DistributedContext(processes=True) as ctx:\n            ...\n\n'
        f"or use threads (processes=False), which need none"
    )


def _free_port() -> int:
    """Dask's own dashboard port, or the next that is free, or any: two contexts at once need no warning."""
    for port in range(PORT, PORT + 10):
        with socket.socket() as probe:
            probe.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # one that a closed server had is free
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    return 0


class WorkerInfo(NamedTuple):
    """A worker: its address, how many tasks it runs at a time, and its memory limit in bytes (0: none).

    `used` is what its process held at its last heartbeat.
    """

    address: str
    threads: int
    memory: int = 0
    used: int = 0


def worker_table(info: Mapping[str, Any]) -> dict[Any, WorkerInfo]:
    """The workers in a scheduler's identity, by name: they join in any order."""
    found = sorted(info["workers"].items(), key=lambda item: (str(type(item[1]["name"])), item[1]["name"]))
    return {
        w["name"]: WorkerInfo(
            address,
            int(w["nthreads"]),
            int(w["memory_limit"] or 0),
            int(w.get("metrics", {}).get("memory", 0)),
        )
        for address, w in found
    }
