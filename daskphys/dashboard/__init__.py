"""A page of distributed operators on Dask's own dashboard.

`DistributedContext` puts it on the clusters that it starts; elsewhere ``dask scheduler --preload daskphys.dashboard`` does,
or `install`.
"""

from __future__ import annotations

from typing import Any

from daskphys.errors import MissingDependencyError, ParameterError, describe

__all__ = ["install"]


def install(client: Any) -> bool:
    """Put the page ``/daskphys`` on the dashboard of a client's scheduler; doing so twice is no error.

    Parameters
    ----------
    client : distributed.Client
        Of a scheduler whose environment has daskphys.

    Returns
    -------
    bool
        Whether it is there: a scheduler may have no dashboard.

    Raises
    ------
    ParameterError
        It is no client.
    MissingDependencyError
        The scheduler's environment has no daskphys.

    Examples
    --------
    >>> from dask.distributed import Client
    >>> from daskphys.dashboard import install
    >>> with Client(processes=False, n_workers=1, dashboard_address="127.0.0.1:0") as client:
    ...     install(client)
    True
    """
    from distributed import Client

    from daskphys.dashboard.watcher import Watcher

    if not isinstance(client, Client):
        raise ParameterError(
            f"install expected a distributed.Client, as in install(ctx.client), got {describe(client)}"
        )
    try:
        client.register_plugin(Watcher())
    except ImportError as error:
        raise MissingDependencyError(
            f"the scheduler at {client.scheduler.address} cannot import daskphys: install it there too, or do without this "
            f"page ({error})"
        ) from error
    return bool(client.run_on_scheduler(_has_page))


def _has_page(dask_scheduler: Any) -> bool:
    served = dask_scheduler.http_application.applications
    return any("/daskphys" in getattr(app, "app_paths", ()) for app in served)


async def dask_setup(scheduler: Any) -> None:
    """What Dask calls where this package is preloaded on a scheduler."""
    from daskphys.dashboard.watcher import Watcher

    await scheduler.register_scheduler_plugin(Watcher(), idempotent=True)
