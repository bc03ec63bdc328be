"""A worker's share in one solve: its part, and the workers below it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daskphys.distributed.resident.link import Link, PeerLost, aligned, unpacked
from daskphys.distributed.resident.part import Form, Part, Sums, joined
from daskphys.distributed.resident.tree import Node


@dataclass(frozen=True)
class SolveOrder:
    """What a worker is told when a solve begins.

    Parameters
    ----------
    form
        The operator, as all workers of the solve know it.
    measurements
        Worker → the key of its measurements, a mapping from sensor to array; empty where a solve needs none.
    """

    form: Form
    measurements: Mapping[str, Any]


@dataclass(frozen=True)
class Share:
    """What a worker did in a solve: seconds and transforms of each run of sensors, and the bytes that it wrote.

    `up` of these bytes were sums for the worker above, the rest images for those below.
    """

    worker: Any
    runs: tuple[tuple[tuple[int, int], float, int], ...]
    sent: int
    up: int


class Session:
    """The share of `worker` in one solve, whose connections live on the worker's event loop.

    Parameters
    ----------
    worker
        The Dask worker.
    node
        Its place in the tree.
    order
        The solve.
    """

    def __init__(self, worker: Any, node: Node, order: SolveOrder) -> None:
        self._worker, self.node, self._order = worker, node, order
        self.links: list[Link] = []
        self.part: Part
        self.y: dict[int, Any] = {}
        self.sent = 0  # to the worker above

    async def open(self) -> None:
        """Take the blocks and measurements that the worker keeps, and connect to the workers below."""
        self.part = Part(
            [(b.start, self._kept(b.key)) for b in self.node.blocks], self._order.form, self.node.share
        )
        if (key := self._order.measurements.get(self.node.address)) is not None:
            self.y = self._kept(key)
        opened = await asyncio.gather(
            *(
                Link.open(self._worker, child.address, node=child, order=self._order)
                for child in self.node.children
            ),
            return_exceptions=True,
        )
        self.links = [found for found in opened if isinstance(found, Link)]
        for found in opened:
            if isinstance(found, BaseException):
                raise found

    def _kept(self, key: Any) -> Any:
        try:
            return self._worker.data[key]
        except KeyError as error:
            raise PeerLost(self.node.address, f"it has not {key}") from error

    async def ask(self, what: str, **arrays: Any) -> list[dict[str, Any]]:
        """Ask all workers below at once; when one fails the first failure is raised, after all have ended."""
        answers = await asyncio.gather(
            *(link.ask(what, **arrays) for link in self.links), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if isinstance(answer, dict)]

    def own(self, what: str, arrays: Mapping[str, Any]) -> Sums:
        """The partial sums of this worker's sensors; in a thread that may compute."""
        if what == "begin":
            return self.part.begin(arrays.get("x0"), self._measured())
        if what == "step":
            return self.part.step(arrays["v"], arrays["scale"])
        return self.part.gram(arrays["p"], arrays.get("weights"))

    def _measured(self) -> dict[int, Any]:
        missing = {i for run in self.part.runs for i in range(*run.bound)} - set(self.y)
        if missing:
            raise PeerLost(self.node.address, f"it has no measurements of sensors {sorted(missing)}")
        return {i: aligned(a) for i, a in self.y.items()}

    def total(self, own: Sums, answers: list[dict[str, Any]]) -> Sums:
        """Its own partial sums and those from below."""
        below = [
            unpacked(answer, received=not link.by_reference)
            for link, answer in zip(self.links, answers, strict=True)
        ]
        return joined([own, *below])

    def shares(self, answers: list[dict[str, Any]]) -> list[Share]:
        """What this worker and those below it did."""
        up, down = self.sent, sum(link.sent for link in self.links)
        runs = tuple((run.bound, run.seconds, run.transforms) for run in self.part.runs)
        return [
            Share(self._worker.name, runs, up + down, up),
            *(s for answer in answers for s in answer["shares"]),
        ]

    def close(self) -> None:
        """Close the connections to the workers below, which end their share when they see it."""
        for link in self.links:
            link.abort()
        self.links = []
