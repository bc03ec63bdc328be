"""Finding a cluster that runs already, and checking what a context is asked for."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
from dask.utils import parse_timedelta
from distributed import Client
from distributed.comm.addressing import parse_address, parse_host_port
from distributed.deploy import Cluster

from daskphys.distributed import encryption
from daskphys.errors import ParameterError, SchedulerUnreachableError, describe


@dataclass(frozen=True)
class Asked:
    """What a `DistributedContext` is asked for; its docstring explains each."""

    client: Any = None
    address: str | None = None
    scheduler_file: str | os.PathLike[str] | None = None
    cluster: Any = "auto"
    n_workers: int | None = None
    processes: bool | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        named = self._named
        if len(named) > 1:
            raise _refused(f"one of client, address, scheduler_file, cluster, got {' and '.join(named)}")
        runs_already = bool(named) and self.cluster not in ("local", "cuda")
        if runs_already and (self.n_workers is not None or self.processes is not None):
            raise _refused(f"no n_workers and no processes with {named[0]}=, where it starts nothing")
        if self.client is not None and not isinstance(self.client, Client):
            raise _refused(f"client as a distributed.Client, got {describe(self.client)}")
        if self.client is not None and self.client.asynchronous:
            raise _refused("a synchronous client, got an asynchronous one: Client(..., asynchronous=False)")
        known = (
            self.cluster in ("auto", "local", "cuda")
            if isinstance(self.cluster, str)
            else isinstance(self.cluster, Cluster)
        )
        if not known:
            raise _refused(f"cluster as 'auto', 'local', 'cuda' or a cluster, got {self.cluster!r}")
        if isinstance(self.cluster, Cluster) and self.cluster.asynchronous:
            raise _refused("a synchronous cluster, got an asynchronous one: asynchronous=False")
        whole = isinstance(self.n_workers, int) and not isinstance(self.n_workers, bool)
        if self.n_workers is not None and (not whole or self.n_workers < 1):
            raise _refused(f"n_workers as a positive integer, got {self.n_workers!r}")
        if self.device not in (None, "auto", "cpu", "cuda"):
            raise _refused(f"device as 'auto', 'cpu' or 'cuda', got {self.device!r}")
        if self.cluster == "cuda" and self.device == "cpu":
            raise _refused("cluster='cuda' or device='cpu', got both: leave one of them out")

    @property
    def _named(self) -> list[str]:
        """Which of the ways to a cluster were given."""
        given = {"client": self.client, "address": self.address, "scheduler_file": self.scheduler_file}
        chosen = not isinstance(self.cluster, str) or self.cluster != "auto"
        return [k for k, v in given.items() if v is not None] + (["cluster"] if chosen else [])

    @property
    def anything(self) -> bool:
        """Whether any cluster will do, one that runs already too."""
        return not self._named and self.n_workers is None and self.processes is None

    @property
    def kind(self) -> str:
        """The kind of cluster to start."""
        if self.device == "cuda":
            return "cuda"
        return "local" if self.device == "cpu" else str(self.cluster)


def _refused(what: str) -> ParameterError:
    return ParameterError(f"DistributedContext expected {what}")


def timeout() -> float:
    """Seconds to wait for a scheduler or a worker: Dask's own setting."""
    return float(parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"), default="s"))


def current_client() -> Client | None:
    """The client that Dask would use here, where there is a synchronous one."""
    try:
        client = Client.current()
    except ValueError:
        return None
    return None if client.asynchronous else client


def restore_scheduler() -> None:
    """Let Dask compute here again when the last client has gone.

    Each client restores the setting that it found; where two do so in the order that they were opened, the last
    one leaves Dask asking for a scheduler that no client has.
    """
    if dask.config.get("scheduler", None) == "dask.distributed" and current_client() is None:
        dask.config.set(scheduler=None)


def connect(address: str | None, scheduler_file: str | os.PathLike[str] | None) -> Client:
    """A client of a running scheduler, or an error that names the address."""
    where = address if address is not None else str(scheduler_file)
    if scheduler_file is not None and not Path(scheduler_file).exists():
        raise SchedulerUnreachableError(
            f"the scheduler file {where} does not exist: start `dask scheduler --scheduler-file {where}` first"
        )
    location = _check_address(address) if scheduler_file is None else _check_file(Path(scheduler_file))
    encryption.check(location)
    seconds, before = timeout(), current_client()
    try:
        return Client(address, scheduler_file=scheduler_file and str(scheduler_file), timeout=seconds)
    except (OSError, TimeoutError, ValueError) as error:
        # Dask may have made the half-open client its default.
        if (left := current_client()) is not None and left is not before:
            left.close()
        restore_scheduler()
        tls = encryption.explain(location, error)
        raise SchedulerUnreachableError(
            f"no scheduler answers at {where} within {seconds:g} s: check the address, and that `dask scheduler` "
            f"runs there ({error})" + (f"; {tls}" if tls else "")
        ) from error


def _check_address(address: Any) -> str:
    """The address, but refuse what is none of a scheduler: a client of it would be made, and hang."""
    try:
        protocol, location = parse_address(address)
        if protocol in ("tcp", "tls", "ucx", "ws", "wss"):
            parse_host_port(location)
    except (TypeError, ValueError) as error:
        raise SchedulerUnreachableError(
            f"DistributedContext expected address as one of a scheduler, tcp://HOST:PORT, got {address!r}"
        ) from error
    return str(address)


def _check_file(path: Path) -> str:
    """The address in a scheduler's file."""
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SchedulerUnreachableError(f"{path} is no scheduler file that can be read: {error}") from error
    if not isinstance(known, dict) or not isinstance(known.get("address"), str):
        raise SchedulerUnreachableError(
            f"{path} is no scheduler file: expected JSON with an address, as `dask scheduler --scheduler-file` writes it"
        )
    return _check_address(known["address"])
