"""A plugin of the scheduler for tasks that belong where a block of sensors is.

Dask forgets the pins of lazy results when it fuses their graphs, and leaves soft-pinned tasks asleep whose workers are all
gone, also when new workers have joined: it asks which workers a task is pinned to, and forgets that others will do.
"""

from __future__ import annotations

import contextlib
from typing import Any

from distributed import Client, SchedulerPlugin


def wake(client: Client) -> None:
    """Have the scheduler place soft-pinned tasks whose workers are gone on any other, now."""

    # Inside, so that it travels by value: a scheduler need not have daskphys.
    def place(dask_scheduler: Any = None) -> None:
        asleep = {ts.key: "processing" for ts in dask_scheduler.unrunnable if ts.loose_restrictions}
        if asleep:
            dask_scheduler.transitions(asleep, stimulus_id="daskphys-wake")

    with contextlib.suppress(ValueError):  # a scheduler whose owner allows no functions
        client.run_on_scheduler(place)


def register(client: Client) -> None:
    """Have the scheduler pin new tasks to the block that they need, and wake pinned ones whenever a worker joins.

    A block's key ends with the address of its home (`daskphys.distributed.holding`).  The plugin stays with the scheduler,
    as lazy results may outlive a context; by its name it is there once.
    """

    class SoftPins(SchedulerPlugin):  # type: ignore[misc]
        name = "daskphys-soft-pins"
        idempotent = True  # several contexts of one cluster

        def add_worker(self, scheduler: Any, worker: str) -> None:
            def place() -> None:
                asleep = {ts.key: "processing" for ts in scheduler.unrunnable if ts.loose_restrictions}
                if asleep:
                    scheduler.transitions(asleep, stimulus_id="daskphys-soft-pins")

            for seconds in (0.1, 1.0):  # when the worker has been taken in, and when it runs
                scheduler.loop.call_later(seconds, place)

        def update_graph(self, scheduler: Any, *, tasks: Any, **_: Any) -> None:
            for key in tasks:
                ts = scheduler.tasks.get(key)
                if ts is None or ts.worker_restrictions or ts.host_restrictions:
                    continue
                needed = (d.key for d in ts.dependencies)
                homes = {
                    k[3]
                    for k in needed
                    if isinstance(k, tuple) and len(k) > 3 and str(k[0]).startswith("block-")
                }
                if len(homes) == 1 and homes <= scheduler.workers.keys():
                    ts.worker_restrictions, ts.loose_restrictions = homes, True

    with contextlib.suppress(ValueError):
        client.register_plugin(SoftPins())
