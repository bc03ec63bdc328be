"""What a task graph will take before it runs: bytes on the wire, peaks of memory, time.

The figures are those of the very graph that would be submitted, task by task; nothing here knows what tasks do.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dask.task_spec import GraphNode

Key = Hashable
Worker = Hashable


@dataclass(frozen=True)
class Work:
    """What one task takes: FFTs, operations, bytes at its peak besides arguments and result, result, bytes kept."""

    transforms: int = 0
    flops: float = 0.0
    workspace: int = 0
    result: int = 0
    kept: int = 0


@dataclass(frozen=True)
class Rates:
    """How fast a cluster is, from a short calibration.

    Parameters
    ----------
    flops
        Operations of FFTs a second, on one thread of a worker.
    client_flops
        The same of the client, with all its threads.
    wire
        Bytes a second between two processes.
    trip
        Seconds from a submission to its result, for one empty task.
    task
        Seconds that each further task takes of the scheduler's time.
    """

    flops: float
    client_flops: float
    wire: float
    trip: float
    task: float


@dataclass
class Load:
    """What one worker has to do, and the bytes that the call holds there at the peak."""

    tasks: int = 0
    transforms: int = 0
    flops: float = 0.0
    received: int = 0
    kept: int = 0
    peak: int = 0
    levels: dict[int, float] = field(default_factory=dict)  # operations, by the level of the tasks


@dataclass(frozen=True)
class Account:
    """What a graph takes in all, and each worker's part of it."""

    loads: Mapping[Worker, Load]
    tasks: int
    sent: int
    between: int
    returned: int

    @property
    def transforms(self) -> int:
        return sum(load.transforms for load in self.loads.values())

    def seconds(self, rates: Rates, threads: Mapping[Worker, int]) -> float:
        """About how long it takes: one level of tasks after the other, each as long as its busiest worker."""
        levels = {level for load in self.loads.values() for level in load.levels}
        work = sum(
            max(load.levels.get(level, 0.0) / (rates.flops * threads[w]) for w, load in self.loads.items())
            for level in levels
        )
        between = max((load.received for load in self.loads.values()), default=0)
        moved = (self.sent + self.returned + between) / rates.wire
        return rates.trip + rates.task * self.tasks + moved + work


def repeated(one: Account, times: int, at_once: Mapping[Worker, int]) -> Account:
    """The same graph for several chunks, so many of which each worker has in hand at once; nothing is sent first.

    What is kept is kept once.
    """
    loads = {
        worker: Load(
            times * load.tasks,
            times * load.transforms,
            times * load.flops,
            times * load.received,
            load.kept,
            at_once[worker] * load.peak,
            {level: times * flops for level, flops in load.levels.items()},
        )
        for worker, load in one.loads.items()
    }
    return Account(loads, times * one.tasks, 0, times * one.between, times * one.returned)


def together(accounts: Sequence[Account]) -> Account:
    """Several graphs one after the other, on the same workers; what is kept for the largest serves all."""
    first = accounts[0]
    loads = {worker: Load() for worker in first.loads}
    for one in accounts:
        for worker, load in one.loads.items():
            mine = loads[worker]
            mine.tasks += load.tasks
            mine.transforms += load.transforms
            mine.flops += load.flops
            mine.received += load.received
            mine.kept = max(mine.kept, load.kept)
            mine.peak = max(mine.peak, load.peak)
            for level, flops in load.levels.items():
                mine.levels[level] = mine.levels.get(level, 0.0) + flops
    return Account(
        loads,
        sum(one.tasks for one in accounts),
        sum(one.sent for one in accounts),
        sum(one.between for one in accounts),
        sum(one.returned for one in accounts),
    )


def account(
    tasks: Mapping[Key, GraphNode],
    homes: Mapping[Key, Worker],
    works: Mapping[Key, Work],
    given: Mapping[Key, tuple[int, Worker]],
    wanted: Iterable[Key],
    threads: Mapping[Worker, int],
    processes: Mapping[Worker, Hashable],
) -> Account:
    """What a graph takes.

    Parameters
    ----------
    tasks
        The graph.  Dependencies that are neither here nor in `given` (operators that are held) cost nothing.
    homes, works
        The worker of each task, and what it takes.
    given
        Bytes, and the worker, of what is sent before the tasks start, and held until the end.
    wanted
        The tasks whose results the client collects; they are held until then.
    threads
        How many tasks each worker runs at a time.
    processes
        The process of each worker: workers that share one hold a thing once.

    Notes
    -----
    Tasks run in levels: those of level n need results of level n − 1.  A worker runs as many of them at a time as
    it has threads.  What is held at level n are its arguments, results that are needed at level n or later, and
    the largest workspaces of tasks that run at once.  Freed memory is used again.
    """
    wanted = set(wanted)
    level: dict[Key, int] = {}
    for key, task in tasks.items():  # a builder adds what a task needs before it
        level[key] = 1 + max((level[d] for d in task.dependencies if d in level), default=-1)
    last = max(level.values(), default=0)
    loads = {worker: Load() for worker in threads}
    size = {key: work.result for key, work in works.items()} | {key: n for key, (n, _) in given.items()}
    # Of each thing: in which process it lies, from which level to which.
    spans: dict[tuple[Key, Hashable], tuple[int, int]] = {}

    def hold(key: Key, worker: Worker, first: int, until: int) -> None:
        at = (key, processes[worker])
        old = spans.get(at, (first, until))
        spans[at] = (min(old[0], first), max(old[1], until))

    home_of = dict(homes) | {key: worker for key, (_, worker) in given.items()}
    fetched: set[tuple[Key, Worker]] = set()
    for key, (_, worker) in given.items():
        hold(key, worker, 0, last)
    for key, task in tasks.items():
        worker, work, at = homes[key], works[key], level[key]
        load = loads[worker]
        load.tasks += 1
        load.transforms += work.transforms
        load.flops += work.flops
        load.kept += work.kept
        load.levels[at] = load.levels.get(at, 0.0) + work.flops
        hold(key, worker, at, last if key in wanted else at)
        for needed in task.dependencies:
            if needed not in size:
                continue
            hold(needed, home_of[needed], level.get(needed, 0), at)
            hold(needed, worker, at, at)
            if home_of[needed] != worker and (needed, worker) not in fetched:
                fetched.add((needed, worker))
                load.received += size[needed]
    _peaks(loads, level, last, homes, works, size, spans, threads, processes)
    return Account(
        loads,
        len(tasks),
        sum(n for n, _ in given.values()),
        sum(load.received for load in loads.values()),
        sum(size[key] for key in wanted),
    )


def _peaks(
    loads: Mapping[Worker, Load],
    level: Mapping[Key, int],
    last: int,
    homes: Mapping[Key, Worker],
    works: Mapping[Key, Work],
    size: Mapping[Key, int],
    spans: Mapping[tuple[Key, Hashable], tuple[int, int]],
    threads: Mapping[Worker, int],
    processes: Mapping[Worker, Hashable],
) -> None:
    """Fill in each worker's peak, which is that of its process."""
    held = {process: [0] * (last + 1) for process in processes.values()}
    for (key, process), (first, until) in spans.items():
        for at in range(first, until + 1):
            held[process][at] += size[key]
    spaces: dict[tuple[Worker, int], list[int]] = {}
    for key, at in level.items():
        spaces.setdefault((homes[key], at), []).append(works[key].workspace)
    for (worker, at), sizes in spaces.items():
        held[processes[worker]][at] += sum(sorted(sizes)[-threads[worker] :])
    for worker, load in loads.items():
        load.peak = max(held[processes[worker]])
