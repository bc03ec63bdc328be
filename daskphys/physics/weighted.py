"""AᴴA of a stack with a weight for each sensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError, describe
from daskphys.physics.base import LinearPhysics
from daskphys.physics.blockcost import gram_cost, total_cost
from daskphys.physics.cost import Cost
from daskphys.physics.gram import GramHooks
from daskphys.physics.transform import Plain
from daskphys.physics.value import value

Weights = tuple[float, ...]


@value
class WeightedGram(GramHooks, LinearPhysics):
    """``Σᵢ wᵢ Aᵢᴴ Aᵢ`` of a stack, sensor by sensor; made by ``A.normal(shape, weights=w)`` where it does not merge."""

    parent: Any
    weights: Weights

    @property
    def H(self) -> LinearPhysics:
        """Itself."""
        return self

    @property
    def _weights(self) -> Weights:
        return self.weights

    def _forward(self, x: Any) -> Any:
        return self.parent._gram(x, self.weights)

    def _cost(self, shape: Any, dtype: str) -> Cost:
        parts = gram_cost(tuple(self.parent), shape, dtype)
        return total_cost(parts, shape, dtype, Plain())

    def __repr__(self) -> str:
        return f"{self.parent!r}.H @ weights @ {self.parent!r}"


def weighted_normal(operator: Any, shape: Any, weights: Any) -> LinearPhysics:
    """``Σᵢ wᵢ Aᵢᴴ Aᵢ`` of an operator with a sensor axis for images of `shape`: merged where AᴴA merges."""
    own = checked_weights(operator, weights)
    if operator.normal_kind is None:
        return WeightedGram(operator, own)
    made: LinearPhysics = operator._make_normal(shape, own)
    return made


def checked_weights(operator: Any, weights: Any) -> Weights:
    """`weights` as numbers, or an error that says what was expected of them and what came."""
    expected = f"{operator!r}.normal expected {len(operator)} weights, one a sensor, real and not negative"
    given = doors.to_core(weights)
    host = backend.to_numpy(given) if backend.is_array(given) else np.asarray(given)
    if host.dtype.kind not in "iufb":
        raise ParameterError(f"{expected}; got {describe(weights)} of dtype {host.dtype}")
    if host.shape != (len(operator),):
        raise ShapeError(f"{expected}; got {_counted(host)}")
    wrong = np.flatnonzero(~(np.isfinite(host) & (host >= 0)))
    if wrong.size:
        raise ParameterError(f"{expected}; got {host[wrong[0]]} for sensor {wrong[0]}")
    return tuple(float(w) for w in host)


def _counted(host: np.ndarray) -> str:
    return f"{len(host)} weights" if host.ndim == 1 else f"an array of shape {host.shape}"
