"""`DistributedContext`: the cluster that a user's operators run on."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Any, Literal, Self

from distributed import Client
from distributed.utils import format_dashboard_link

from daskphys.distributed import cluster as clusters
from daskphys.distributed import connecting
from daskphys.distributed.calibration import calibrate
from daskphys.distributed.softpins import register
from daskphys.errors import (
    ContextClosedError,
    DeviceError,
    FallbackWarning,
    NoWorkersError,
    SchedulerUnreachableError,
    checks_keywords,
    warn,
)
from daskphys.graph.plan import Rates
from daskphys.markup import bytes_text, card, counted, link
from daskphys.physics.checks import check_seed

#: Seconds between two questions whether a worker has come.
_POLL = 0.05


class DistributedContext:
    """A Dask cluster to distribute operators on.

    With nothing given it takes the current default client, else it starts a local cluster: threads in this
    process on a CPU host, one process a GPU where dask-cuda can use one.  On leaving it closes what it opened
    and nothing else.

    Parameters
    ----------
    client : distributed.Client, optional
        A client to use as it is.
    address : str, optional
        The address of a running scheduler.
    scheduler_file : str or path, optional
        The file that a running scheduler has written.
    cluster : {"auto", "local", "cuda"} or a Dask cluster
        What to start: "auto" a GPU cluster where NVML sees a device and each worker can use it; or a
        cluster of yours to connect to.
    n_workers : int, optional
        How many workers to start: one a core (or GPU) by default.
    processes : bool, optional
        Worker processes in place of threads.  A script then needs ``if __name__ == "__main__":``.
    device : {"auto", "cpu", "cuda"}
        Where workers compute.
    seed : int, optional
        Of the noise that ``D(x)`` adds, where neither the call nor the noise model has a seed: every call gives the same.

    Raises
    ------
    ParameterError
        The seed is no integer from 0 on.
    SchedulerUnreachableError
        No scheduler answers at the address within Dask's ``distributed.comm.timeouts.connect``.
    NoWorkersError
        There is no worker within that time.
    MainGuardError
        Processes were asked for from a script without a guard; the message says what to write.

    Examples
    --------
    >>> from daskphys.distributed import DistributedContext
    >>> with DistributedContext(n_workers=2, seed=42) as ctx:
    ...     ctx.rank, ctx.world_size, ctx.device
    (0, 2, 'cpu')
    """

    #: There is one client, and it is the first: code written for one process a rank runs as it is.
    rank = 0

    @checks_keywords
    def __init__(
        self,
        client: Client | None = None,
        *,
        address: str | None = None,
        scheduler_file: str | os.PathLike[str] | None = None,
        cluster: Any = "auto",
        n_workers: int | None = None,
        processes: bool | None = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        seed: int | None = None,
    ) -> None:
        self.seed = None if seed is None else check_seed(seed, "DistributedContext")
        self.fallbacks: list[str] = []
        self._rates: Rates | None = None
        self._cluster: Any = None
        self._client: Client | None = None
        self._owns_client = False
        asked = connecting.Asked(client, address, scheduler_file, cluster, n_workers, processes, device)
        try:
            found = self._open(asked)
            self.require_workers()
            register(self.client)
            self.device = _device(self.client, found if device == "auto" else device)
        except BaseException:
            self.close()
            raise

    def _open(self, asked: connecting.Asked) -> str:
        """Find or start a cluster; returns the device of its workers, or "auto" where that is to be found out."""
        if asked.client is not None:
            self._client = asked.client
        elif asked.address is not None or asked.scheduler_file is not None:
            self._client = connecting.connect(asked.address, asked.scheduler_file)
            self._owns_client = True
        elif not isinstance(asked.cluster, str):
            self._client, self._owns_client = Client(asked.cluster), True
        elif asked.anything and (current := connecting.current_client()) is not None:
            self._client = current
        else:
            return self._start(asked)
        return "auto"

    def _start(self, asked: connecting.Asked) -> str:
        found = "cpu"
        if asked.kind == "cuda":
            self._cluster, found = clusters.start_cuda_cluster(asked.n_workers), "cuda"
        elif asked.kind == "local":
            self._cluster = clusters.start_cluster(asked.n_workers, asked.processes)
        else:
            self._cluster, found, self.fallbacks = clusters.auto_cluster(asked.n_workers, asked.processes)
        # Images go straight to the workers of a cluster on this machine, not by its scheduler: half the bytes.
        self._client, self._owns_client = Client(self._cluster, direct_to_workers=True), True
        return found

    @property
    def client(self) -> Client:
        """The Dask client.

        Raises
        ------
        ContextClosedError
            The context, or the client that it was given, is closed.
        """
        if self._client is None or self._client.status in ("closed", "closing"):
            raise ContextClosedError(
                "this DistributedContext is closed: make a new one, and distribute again"
            )
        return self._client

    @property
    def world_size(self) -> int:
        """The number of workers."""
        return len(self.workers())

    @property
    def dashboard_link(self) -> str:
        """The address of Dask's dashboard; empty where the scheduler has none."""
        if self._cluster is None:
            return str(self.client.dashboard_link or "")
        # A cluster of threads has no host of its own, and Dask would give that of a network card.
        port = self.client.scheduler_info(n_workers=0)["services"].get("dashboard")
        return str(format_dashboard_link("127.0.0.1", port)) if port else ""

    def workers(self) -> dict[Any, clusters.WorkerInfo]:
        """Name → address and threads of each worker that is there now."""
        client = self.client
        try:
            info = client.scheduler_info(n_workers=-1)
        except OSError:
            info = {}
        if "workers" not in info:  # what Dask's client keeps of a scheduler that is gone
            raise SchedulerUnreachableError(
                f"the scheduler at {client.scheduler.address} does not answer any more: start it again, then make a "
                f"new DistributedContext"
            )
        return clusters.worker_table(info)

    def require_workers(self) -> dict[Any, clusters.WorkerInfo]:
        """`workers`, or `NoWorkersError` where none is left and none joins in time.

        By asking: `Client.wait_for_workers` replaces what the cluster object knows of its workers, and a message
        of one that leaves at that moment then fails in it.
        """
        timeout = connecting.timeout()
        deadline = time.monotonic() + timeout
        while not (found := self.workers()):
            if time.monotonic() >= deadline:
                raise NoWorkersError(
                    f"no worker has joined the scheduler at {self.client.scheduler.address} within {timeout:g} s: "
                    f"start one with `dask worker {self.client.scheduler.address}`, or raise Dask's "
                    f"distributed.comm.timeouts.connect"
                )
            time.sleep(_POLL)
        return found

    def rates(self) -> Rates:
        """How fast workers, this process and the wires between them are; measured the first time, in about 0.2 s."""
        if self._rates is None:
            self._rates = calibrate(self.client, self.device)
        return self._rates

    def close(self) -> None:
        """Close the client and the cluster that this context opened.  Closing twice is no error."""
        client, self._client = self._client, None
        cluster, self._cluster = self._cluster, None
        if client is not None and self._owns_client:
            client.close()
            connecting.restore_scheduler()
        if cluster is not None:
            cluster.close()

    def __enter__(self) -> Self:
        _ = self.client
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._client is None:
            return "DistributedContext(closed)"
        address = str(self.client.scheduler.address)
        where = "threads of this process" if address.startswith("inproc") else address
        return f"DistributedContext({counted(self.world_size, 'worker')}, {self.device}, {where})"

    def _repr_html_(self) -> str:
        if self._client is None:
            return card(repr(self), [])
        info = self.client.scheduler_info(n_workers=-1)["workers"].values()
        rows = [
            ("dashboard", link(self.dashboard_link)),
            ("workers", ", ".join(f"{w['name']} ({counted(w['nthreads'], 'thread')})" for w in info)),
            ("memory", bytes_text(sum(w["memory_limit"] or 0 for w in info))),
            ("device", self.device),
            *(("fallback", note) for note in self.fallbacks),
        ]
        return card(repr(self), rows)


def _device(client: Client, wanted: str) -> str:
    """The device that every worker computes on."""
    if wanted == "cpu":
        return "cpu"
    found = client.run(clusters.probe_gpu)
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
