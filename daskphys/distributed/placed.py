"""Where sensors are, as a mapping that shows itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daskphys.errors import ContextClosedError
from daskphys.markup import bytes_text, card, counted, listed, table


class Placement(dict[Any, list[int]]):
    """Worker → the sensors whose operators it holds: a dict, whose text and HTML say it in runs of sensors.

    Parameters
    ----------
    held
        Worker → sensors, in ascending order.
    nbytes
        Worker → bytes of these sensors' parameters.

    Examples
    --------
    >>> from daskphys.distributed.placed import Placement
    >>> P = Placement({0: [0, 1, 2, 3], 1: [4]}, {0: 4096, 1: 1024})
    >>> P
    Placement({0: sensors 0…3, 1: sensor 4})
    >>> P[0], P == {0: [0, 1, 2, 3], 1: [4]}
    ([0, 1, 2, 3], True)
    """

    def __init__(self, held: Mapping[Any, list[int]], nbytes: Mapping[Any, int]) -> None:
        super().__init__(held)
        self.nbytes = dict(nbytes)

    def __repr__(self) -> str:
        return f"Placement({{{', '.join(f'{w!r}: {listed(sensors)}' for w, sensors in self.items())}}})"

    def _repr_html_(self) -> str:
        sensors = len(set().union(*self.values()))
        title = f"{counted(sensors, 'sensor')} on {counted(len(self), 'worker')}"
        if (copies := sum(map(len, self.values()))) > sensors:
            title += f", {copies / sensors:.2g} copies of each"
        return card(title, [], below=table(("worker", "sensors", "parameters"), self._cells()))

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (str(w), listed(own).partition(" ")[2], bytes_text(self.nbytes[w])) for w, own in self.items()
        ]


def rows(D: Any, blocks: int) -> list[tuple[str, str]]:
    """Lines of a distributed operator's HTML: how much there is of it, and where."""
    try:
        held = [(f"worker {w}", listed(sensors)) for w, sensors in D.placement.items()]
    except ContextClosedError:
        held = [("workers", "none: the context is closed")]
    return [("sensors", str(len(D))), ("blocks", str(blocks)), ("parameters", bytes_text(D.nbytes)), *held]
