"""The hooks of AᴴA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from daskphys import backend
from daskphys.krylov.normal import OfNormal
from daskphys.krylov.system import Progress, Solution
from daskphys.physics.algebracost import GramCost
from daskphys.physics.hooks import Hooks
from daskphys.physics.spaces import Images, Sensors, real_part, shape_of
from daskphys.physics.system import gram_dtype, scalars_shape


class GramHooks(GramCost):
    """AᴴA: by the merged normal operator where there is one, else A and then Aᴴ."""

    parent: Hooks

    @property
    def domain(self) -> Images | Sensors:
        return self.parent.domain

    @property
    def range(self) -> Images | Sensors:
        return self.parent.domain

    def _forward(self, x: Any) -> Any:
        if self.parent._by_normal:
            return self.parent._normal(shape_of(x))._forward(x)
        return self.parent._gram(x)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._forward(real_part(y) if self.of_real_images else y)

    @property
    def _weights(self) -> tuple[float, ...] | None:
        """A weight for each sensor."""
        return None

    def _solve(
        self, solver: Any, y: Any, shape: Any, x0: Any = None, progress: Progress | None = None
    ) -> Solution:
        """Where the parent's products are computed, which may be on a cluster."""
        given = [a for a in (y, x0) if a is not None]
        if not isinstance(self.domain, Images) or not given:
            return super()._solve(solver, y, shape, x0, progress)
        one = OfNormal(solver, scalars_shape(self, shape), y is not None, self._weights)
        return self.parent._solve(one, None, shape, backend.namespace(given[0]).stack(given), progress)

    def _distant(self) -> Iterator[Hooks]:
        return super()._distant() if self.parent.normal_kind is None else iter(())

    def _range_shape(self, shape: Any) -> Any:
        self.parent._range_shape(shape)
        return shape

    def _result_dtype(self, dtype: str) -> str:
        return gram_dtype(self.parent, dtype)

    def __repr__(self) -> str:
        return f"{self.parent!r}.H @ {self.parent!r}"

    def _rows(self) -> list[tuple[str, str]]:
        how = (
            "every sensor's A and Aᴴ, and their sum" if self.parent.normal_kind is None else "the merged AᴴA"
        )
        return [*super()._rows(), ("each product", how)]
