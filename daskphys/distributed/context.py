"""`DistributedContext`: the cluster that a user's operators run on."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Self

from distributed import Client
from distributed.utils import format_dashboard_link

from daskphys import dashboard
from daskphys.dashboard.telling import tell
from daskphys.distributed import cluster as clusters
from daskphys.distributed import connecting, defaults
from daskphys.distributed.calibration import calibrate
from daskphys.distributed.softpins import register
from daskphys.errors import (
    ContextClosedError,
    NoWorkersError,
    SchedulerUnreachableError,
    checks_keywords,
)
from daskphys.graph.plan import Rates
from daskphys.markup import bytes_text, card, counted, link
from daskphys.physics.checks import check_seed

#: Seconds between two questions whether a worker has come.
_POLL = 0.05


class DistributedContext:
    """A Dask cluster to distribute operators on.

    With nothing given it takes the current default client, else the scheduler that Dask's configuration names for
    daskphys, else it starts a local cluster: threads in this process on a CPU host, one process a GPU where
    dask-cuda can use one.  On leaving it closes what it opened and nothing else.

    Parameters
    ----------
    client : distributed.Client, optional
        A client to use as it is, for example one with certificates: ``Client(address, security=Security(…))``.
    address : str, optional
        The address of a running scheduler.  Of one that speaks TLS (``tls://…``) with the certificates that
        Dask's configuration names under ``distributed.comm.tls``.
    scheduler_file : str or path, optional
        The file that a running scheduler has written.
    cluster : {"auto", "local", "cuda"} or a Dask cluster
        What to start: "auto" a GPU cluster where NVML sees a device and each worker can use it; or a
        cluster of yours to connect to.
    n_workers : int, optional
        How many workers to start: as configured, else one a core (or GPU).
    processes : bool, optional
        Worker processes in place of threads: as configured, else threads.  A script then needs ``if __name__ ==
        "__main__":``.
    device : {"auto", "cpu", "cuda"}, optional
        Where workers compute: as configured, else "auto", on GPUs where each worker can use one.
    seed : int, optional
        Of the noise that ``D(x)`` adds, where neither the call nor the noise model has a seed: every call gives the same.
    progress : bool, optional
        Draw a bar for each call that takes more than half a second, as `progress` does: as configured, else not.

    Raises
    ------
    ParameterError
        The seed is no integer from 0 on; Dask's configuration has a key below ``daskphys`` that is none, or a value
        that its key cannot have.
    SchedulerUnreachableError
        No scheduler answers at the address within Dask's ``distributed.comm.timeouts.connect``, or there is no
        certificate that it accepts; the message says which to set.
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
        device: Literal["auto", "cpu", "cuda"] | None = None,
        seed: int | None = None,
        progress: bool | None = None,
    ) -> None:
        self.seed = None if seed is None else check_seed(seed, "DistributedContext")
        self.fallbacks: list[str] = []
        self.shows_progress = defaults.progress(progress)
        self._rates: Rates | None = None
        self._cluster: Any = None
        self._client: Client | None = None
        self._owns_client = False
        asked = connecting.Asked(client, address, scheduler_file, cluster, n_workers, processes, device)
        wanted = defaults.device(asked)
        try:
            found = self._open(replace(asked, device=wanted))
            self.require_workers()
            register(self.client)
            self.device = clusters.device_of(self.client, found if wanted == "auto" else wanted)
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
        elif (there := defaults.running(asked)) is not None:
            self._client, self._owns_client = defaults.connect(there), True
        else:
            return self._start(defaults.to_start(asked))
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
        dashboard.install(self._client)
        for note in self.fallbacks:
            tell(self._client, {"kind": "fall-back", "text": note})
        return found

    def fell_back(self, note: str) -> None:
        """Note a fall-back, for reports and for the dashboard.

        Parameters
        ----------
        note : str
            From what to what, and why.
        """
        self.fallbacks.append(note)
        tell(self.client, {"kind": "fall-back", "text": note})

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

    @property
    def dashboard_note(self) -> str:
        """Why a cluster that this context started has its dashboard on another port than 8787; else empty."""
        if self._cluster is None:
            return ""
        port = self.client.scheduler_info(n_workers=0)["services"].get("dashboard")
        return f"port {clusters.PORT} is taken" if port not in (None, clusters.PORT) else ""

    def workers(self) -> dict[Any, clusters.WorkerInfo]:
        """The workers that are there now.

        Returns
        -------
        dict
            Name → address and threads.

        Raises
        ------
        ContextClosedError
            The context is closed.
        SchedulerUnreachableError
            The scheduler does not answer any more.
        """
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
        """`workers`, once there is one.

        Returns
        -------
        dict
            Name → address and threads.

        Raises
        ------
        NoWorkersError
            None is left, and none joins within Dask's ``distributed.comm.timeouts.connect``.
        ContextClosedError, SchedulerUnreachableError
            As `workers`.
        """
        # By asking: `Client.wait_for_workers` replaces what the cluster object knows of its workers, and a message
        # of one that leaves at that moment then fails in it.
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
        """How fast workers, this process and the wires between them are; measured the first time, in about 0.2 s.

        Returns
        -------
        object
            What `DistributedPhysics.plan` estimates times by.
        """
        if self._rates is None:
            self._rates = calibrate(self.client, self.device)
        return self._rates

    @contextlib.contextmanager
    def progress(self) -> Iterator[Self]:
        """Draw a bar for each call of this context's operators that takes more than half a second.

        It counts the call's tasks, of which there is about one a worker thread.  (Solvers have a bar of their own,
        ``progress=True``; for lazy results there is `distributed.progress`.)

        Yields
        ------
        DistributedContext
            This one.

        Examples
        --------
        >>> import numpy as np
        >>> from daskphys.distributed import DistributedContext, distribute
        >>> from daskphys.physics import Blur, gaussian_blur, stack
        >>> with DistributedContext(n_workers=2) as ctx, ctx.progress():
        ...     y = distribute(stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0))), ctx)(np.eye(32))
        """
        before, self.shows_progress = self.shows_progress, True
        try:
            yield self
        finally:
            self.shows_progress = before

    def close(self) -> None:
        """Close the client and the cluster that this context opened.  Closing twice is no error."""
        client, self._client = self._client, None
        cluster, self._cluster = self._cluster, None
        if client is not None and self._owns_client:
            client.close()
            connecting.restore_scheduler()
        if cluster is not None:
            clusters.close_cluster(cluster)

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
            *([("", note)] if (note := self.dashboard_note) else []),
            ("workers", ", ".join(f"{w['name']} ({counted(w['nthreads'], 'thread')})" for w in info)),
            ("memory", bytes_text(sum(w["memory_limit"] or 0 for w in info))),
            ("device", self.device),
            *(("fallback", note) for note in self.fallbacks),
        ]
        return card(repr(self), rows)
