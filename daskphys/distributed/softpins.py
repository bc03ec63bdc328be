"""Soft-pinned tasks whose workers are all gone: Dask leaves them asleep, also when new workers have joined.

Its scheduler asks which workers a sleeping task is pinned to before it wakes it, and forgets that soft pins allow others.
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


def keep_awake(client: Client) -> None:
    """Have the scheduler do so whenever a worker joins: nobody here waits for lazy results.

    The plugin stays with the scheduler, as results may outlive a context; by its name it is there once.
    """

    class Awake(SchedulerPlugin):
        name = "daskphys-soft-pins"
        idempotent = True  # several contexts of one cluster

        def add_worker(self, scheduler: Any, worker: str) -> None:
            def place() -> None:
                asleep = {ts.key: "processing" for ts in scheduler.unrunnable if ts.loose_restrictions}
                if asleep:
                    scheduler.transitions(asleep, stimulus_id="daskphys-soft-pins")

            for seconds in (0.1, 1.0):  # when the worker has been taken in, and when it runs
                scheduler.loop.call_later(seconds, place)

    with contextlib.suppress(ValueError):
        client.register_plugin(Awake())
