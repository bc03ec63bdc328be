"""The plugin on Dask's scheduler that fills the record, and puts the page on the dashboard when it starts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

from daskphys.dashboard.calls import Calls, Ended
from daskphys.dashboard.record import Operator, Record
from daskphys.dashboard.telling import EVENTS, PROGRESS


class Watcher(SchedulerPlugin):  # type: ignore[misc]
    """Sees the tasks of distributed operators end and workers go; looks at nothing else.

    Attributes
    ----------
    record : Record
        What is remembered.
    """

    name, idempotent = "daskphys", True

    def __init__(self) -> None:
        self.record = Record()

    async def start(self, scheduler: Any) -> None:
        """Begin, and add the page to the scheduler's dashboard where it has one."""
        self._scheduler = scheduler
        # A plugin that was taken off leaves the page, and what it shows; Dask starts one that is preloaded twice.
        is_new = "daskphys-record" not in scheduler.extensions
        self.record = scheduler.extensions.setdefault("daskphys-record", self.record)
        self._calls = Calls(self.record)
        self.record.names.update({address: w.name for address, w in scheduler.workers.items()})
        if is_new:
            try:
                from daskphys.dashboard.pages import add_pages

                add_pages(scheduler, self.record)
            except Exception:  # its parts are Dask's own, which change; a cluster works without the page
                logging.getLogger(__name__).warning("the dashboard has no page of daskphys", exc_info=True)

    def add_worker(self, scheduler: Any, worker: str) -> None:
        self.record.names[worker] = scheduler.workers[worker].name

    def remove_worker(self, scheduler: Any, worker: str, *, stimulus_id: str, **_: Any) -> None:
        lost: set[int] = set()
        kept: set[int] = set()
        for operator in self.record.operators.values():
            for key, home in list(operator.homes.items()):
                if home == worker:
                    task = scheduler.tasks.get(key)
                    others = [w.address for w in (task.who_has or ())] if task is not None else []
                    (kept if others else lost).update(range(key[1], key[2]))
                    if others:  # one that retires has handed them over
                        operator.holds(key, others[0])
        self.record.gone(worker, lost, kept)

    def log_event(self, topic: str, msg: Any) -> None:
        if topic == PROGRESS:
            self.record.progressed(msg)
        elif topic == EVENTS:
            self.record.heard(msg)
            if msg.get("kind") == "operator":
                self._find_blocks(msg["token"])

    def _find_blocks(self, token: str) -> None:
        """The blocks that were there before the operator was told of."""
        name, operator = f"block-{token}", self.record.operators[token]
        for key, task in self._scheduler.tasks.items():
            if isinstance(key, tuple) and key[0] == name and task.who_has:
                operator.holds(key, next(iter(task.who_has)).address)

    def transition(
        self, key: Any, start: str, finish: str, *args: Any, stimulus_id: str, **said: Any
    ) -> None:
        if not self.record.operators or not isinstance(key, tuple) or not isinstance(key[0], str):
            return
        token = key[0].removeprefix("block-")
        if token in self.record.operators:
            self._block(self.record.operators[token], key, start, finish, said)
        elif (start, finish) == ("processing", "memory") and self._calls.names(key):
            needed = {other.key: max(0, other.nbytes) for other in self._scheduler.tasks[key].dependencies}
            seconds = _computing(said["startstops"])
            self._calls.ended(Ended(key, said["worker"], int(said["nbytes"]), seconds, needed))
            self._measure(said["worker"])

    def _block(self, operator: Operator, key: Any, start: str, finish: str, said: Mapping[str, Any]) -> None:
        if finish == "forgotten":
            operator.forgets(key)
        elif (start, finish) == ("processing", "memory"):
            bound, where = (key[1], key[2]), f"worker {self.record.name(said['worker'])}"
            if key in operator.homes:
                self.record.happened_to(bound, f"{{}} made again on {where}")
            elif operator.moves(key):
                self.record.happened_to(bound, f"{{}} copied to {where}")
            operator.holds(key, said["worker"])

    def _measure(self, address: str) -> None:
        """Note the memory of a worker's process, as its last heartbeat has it."""
        if (worker := self._scheduler.workers.get(address)) is not None:
            self.record.measure(address, int(worker.metrics.get("memory", 0)))


def _computing(startstops: Any) -> float:
    """Seconds of a task's computation."""
    return float(sum(s["stop"] - s["start"] for s in startstops if s["action"] == "compute"))
