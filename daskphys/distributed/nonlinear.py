"""The operator that `distribute` returns for sensors that are not all linear."""

from __future__ import annotations

from typing import Any

from daskphys.distributed import calls
from daskphys.distributed.sensors import Distributed


class DistributedNonlinear(Distributed, linear=False):
    """A stack of sensors that are not all linear, on the workers of a cluster; made by `distribute`.

    It has the methods of the plain operator and returns the same kinds with the same bits.
    """

    def _vjp(self, x: Any, v: Any) -> Any:
        return self.runner.run("A_vjp", (x, v), calls.vjp, algorithm=self._method(x.shape))

    def visualize(
        self, method: str = "A", filename: str | None = "daskphys", format: str | None = None
    ) -> Any:
        """The task graph of A as a picture (Graphviz); see `DistributedPhysics.visualize`."""
        if method != "A":
            raise self._not_linear(f"graph of {method}")
        return super().visualize(method, filename, format)
