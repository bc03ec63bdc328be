"""Where solves of a distributed operator run."""

from __future__ import annotations

from typing import Any

from daskphys.distributed.resident import solving
from daskphys.krylov.cg import CG
from daskphys.krylov.lanczos import Lanczos
from daskphys.krylov.normal import OfNormal
from daskphys.krylov.system import Progress, Solution
from daskphys.physics.system import LocalSystem


class Solved:
    """The hooks of a distributed operator that solvers meet."""

    def _solve(
        self: Any, solver: Any, y: Any, shape: Any, x0: Any = None, progress: Progress | None = None
    ) -> Solution:
        if self.normal_kind is not None and isinstance(solver, CG | Lanczos | OfNormal):
            return solver(
                LocalSystem(self, y, shape), x0, progress
            )  # beside the image: nothing to communicate
        return solving.solve(self, solver, y, shape, x0, progress)

    def _iterated_from_here(self) -> None:
        solving.warn_of_calls(self)
