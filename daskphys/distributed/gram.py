"""AᴴA of a distributed operator, where it is best computed."""

from __future__ import annotations

import time
from typing import Any

from daskphys import backend
from daskphys.distributed.report import Call
from daskphys.physics.base import Gram
from daskphys.physics.value import value

#: How a distributed AᴴA is computed.
METHODS = ("auto", "tree", "client", "workers")


@value
class DistributedGram(Gram):
    """AᴴA of a distributed operator: merged, beside the image or on the workers, or by the tree."""

    parent: Any  # a DistributedPhysics, which makes it
    method: str = "auto"

    def check_method(self) -> None:
        """Refuse a product by the merged operator where there is none."""
        if self.parent.normal_kind is None and self.method in ("client", "workers"):
            raise self.parent._not_closed("AᴴA")

    def _forward(self, x: Any) -> Any:
        parent = self.parent
        self.check_method()
        if self.method == "tree" or parent.normal_kind is None:
            return parent._gram(x)
        if parent.merged.takes(x, self.method):
            return parent.merged.run(x)
        begin = time.perf_counter()
        merged = parent._normal(x.shape)
        with backend.count_transforms() as count:
            result = merged._forward(x)
        seconds = time.perf_counter() - begin
        how = merged._method(x.shape)
        parent.runner.last = Call(
            "", "A_adjoint_A, merged", 0, seconds, transforms=count.total, algorithm=how
        )
        return result
