"""Waiting for tasks whose workers may be lost, and doing again what was cut short."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Hashable, Sequence, Set
from concurrent.futures import CancelledError
from typing import TypeVar

from distributed import Future, wait

from daskphys.distributed.context import DistributedContext
from daskphys.distributed.softpins import wake
from daskphys.errors import DaskphysError, WorkersLostError

#: Seconds between two looks at the workers while a call runs.
WATCH = 2.0

#: Seconds between two drawings of a bar.
_TICK = 0.1

#: How often something is submitted when workers that it needed are lost.
MAX_ATTEMPTS = 5

T = TypeVar("T")


class WorkersGone(Exception):
    """None of the workers that tasks were pinned to is left: submit them again."""


def wait_here(
    ctx: DistributedContext,
    futures: Sequence[Future],
    homes: Set[Hashable],
    tick: Callable[[], None] | None = None,
) -> None:
    """Wait for `futures`, whose tasks are pinned to the workers at `homes`, and call `tick` meanwhile.

    When every worker goes at once, Dask leaves soft-pinned tasks pending for ever, also after new workers
    have joined (its scheduler asks for the pinned workers alone before it wakes them).  Tasks of `futures` are
    then to be submitted again; what they depend on, such as a block that is made again, is woken.
    """
    while True:
        try:
            with ctx.client.as_current():  # Dask's `wait` asks the default client, which may be another
                _wait(futures, tick)
            return
        except TimeoutError:
            if not homes & {w.address for w in ctx.require_workers().values()}:
                raise WorkersGone from None
            wake(ctx.client)


def _wait(futures: Sequence[Future], tick: Callable[[], None] | None) -> None:
    """Wait for `WATCH` seconds, or raise a `TimeoutError`."""
    if tick is None:
        wait(futures, timeout=WATCH)
        return
    deadline = time.monotonic() + WATCH
    while True:
        try:
            wait(futures, timeout=_TICK)
            return
        except TimeoutError:
            tick()
            if time.monotonic() >= deadline:
                raise


def until_done(what: str, attempt: Callable[[int], T]) -> T:
    """``attempt(1)``, or where workers were lost under it ``attempt(2)``, and so on.

    Raises
    ------
    WorkersLostError
        `MAX_ATTEMPTS` of them were cut short.
    """
    for number in itertools.count(1):
        try:
            return attempt(number)
        except DaskphysError:
            raise
        except (CancelledError, OSError, WorkersGone) as error:
            # Data that only a lost worker had is gone; the scheduler rebuilds operators, not images.
            if number == MAX_ATTEMPTS:
                raise WorkersLostError(
                    f"{what}: workers were lost in each of {number} attempts, the last time with "
                    f"{type(error).__name__}: {error}; see the workers' logs (memory is what most often kills them)"
                ) from error
            time.sleep(0.1 * number)  # the scheduler may not have seen the loss yet
    raise AssertionError("itertools.count ends never")
