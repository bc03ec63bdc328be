"""The task that a solve is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distributed import get_worker, secede

from daskphys.distributed.resident.link import PeerLost, aligned
from daskphys.distributed.resident.session import Share
from daskphys.distributed.resident.system import Job, ResidentSystem
from daskphys.krylov.system import Solution


@dataclass(frozen=True)
class Outcome:
    """What a solve gives.

    Parameters
    ----------
    solution
        The solver's.
    worker
        The name of the worker that it ran on.
    products
        Round trips among the workers.
    rebuilt
        How often the tree was made anew, since a worker of it was lost.
    shares
        What each worker did.
    heard
        What the solver has said of its progress.
    """

    solution: Solution
    worker: Any
    products: int
    rebuilt: int
    shares: list[Share]
    heard: list[tuple[int, float]]


def run_solver(solver: Callable[..., Solution], job: Job, x0: Any) -> Outcome:
    """Run `solver` here, at the root of the tree over the workers that hold the blocks of `job`."""
    worker = get_worker()
    if worker.address != job.root:  # it is gone, and the scheduler has moved the task
        raise PeerLost(job.root, "it was to be the root and is gone")
    key = worker.get_current_task()
    # Blocks of a lost worker may be made again here: they need the place that this task has.
    secede()
    with ResidentSystem(worker, job, key) as system:
        solution = solver(system, None if x0 is None else aligned(x0), system.progress)
        return Outcome(solution, worker.name, system.products, system.rebuilt, system.end(), system.heard)
