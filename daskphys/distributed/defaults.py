"""What a context is asked for where its arguments leave it open: Dask's configuration says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from distributed import Client

from daskphys import config
from daskphys.distributed import connecting
from daskphys.distributed.connecting import Asked
from daskphys.errors import ParameterError, SchedulerUnreachableError

_ADDRESS, _FILE = "context.address", "context.scheduler-file"


def device(asked: Asked) -> str:
    """Where workers compute; a cluster that is asked for by its kind says so itself."""
    configured = str(config.default("context.device", asked.device))
    return "auto" if asked.device is None and asked.cluster in ("local", "cuda") else configured


def running(asked: Asked) -> Asked | None:
    """`asked` with the scheduler that is configured, where there is one and any will do."""
    now = config.configured()
    address, file = now[_ADDRESS], now[_FILE]
    if not asked.anything or (address is None and file is None):
        return None
    if address is not None and file is not None:
        raise ParameterError(
            f"Dask's configuration has both daskphys.{_ADDRESS} ({config.origin(_ADDRESS, address)}) and "
            f"daskphys.{_FILE} ({config.origin(_FILE, file)}): set one of them to null"
        )
    return replace(asked, address=address, scheduler_file=file)


def connect(there: Asked) -> Client:
    """A client of a scheduler that is configured; an error says so, since the call does not."""
    key, value = (_ADDRESS, there.address) if there.address is not None else (_FILE, there.scheduler_file)
    try:
        return connecting.connect(there.address, there.scheduler_file)
    except SchedulerUnreachableError as error:
        raise SchedulerUnreachableError(
            f"{error} (DistributedContext() was given no cluster, and took daskphys.{key} of Dask's configuration, from "
            f"{config.origin(key, value)})"
        ) from error


def to_start(asked: Asked) -> Asked:
    """`asked` with the workers that are configured, for a cluster to start."""
    return replace(
        asked,
        n_workers=config.default("context.n-workers", asked.n_workers),
        processes=config.default("context.processes", asked.processes),
    )


def progress(given: bool | None) -> bool:
    """Whether calls draw a bar."""
    if not isinstance(given, bool | None):
        raise ParameterError(f"DistributedContext expected progress as True or False, got {given!r}")
    return bool(config.default("context.progress", given))


def replicas(given: int | None, workers: Callable[[], int]) -> int:
    """On how many workers each block is kept; what is configured is for clusters of all sizes, so it gives way."""
    wanted: int = config.default("distribute.replicas", given)
    return wanted if given is not None or wanted == 1 else max(1, min(wanted, workers()))
