"""What operators that sample a circular convolution say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskphys import backend
from daskphys.physics.convolution import Convolution
from daskphys.physics.normal.aliased import AliasedMultiplier


@dataclass(frozen=True)
class Sampled(Convolution):
    """Every f-th sample of a circular convolution, f at least 2: its AᴴA has matrices of rank 1."""

    def make_normal(self, transfer: Any, sizes: tuple[int, ...]) -> AliasedMultiplier:
        row = self.factors(transfer, sizes)
        tail = (slice(None),) * self.ndim
        column = backend.namespace(row).conj(row)[(..., slice(None), None, *tail)]
        blocks = column * row[(..., None, slice(None), *tail)]
        # No copy, and no question whether they are Hermitian: they are large.
        return AliasedMultiplier._of(blocks=blocks, sizes=sizes, factor=self.factor)
