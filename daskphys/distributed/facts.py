"""What the sensors of a stack have in common: all that the client knows of those that it does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskphys.physics.stack import StackedPhysics
from daskphys.physics.transform import Plain, Transform


@dataclass(frozen=True)
class Facts:
    """What the sensors of a block, or of the whole stack, have in common."""

    transform: Transform
    normal_kind: Any
    domain_ndim: int
    nbytes: int
    makes_complex: bool  # whether a real image has a complex sum over sensors

    @classmethod
    def of(cls, block: StackedPhysics) -> Facts:
        wide = block._result_dtype("float32") != "float32"
        return cls(block.transform, block.normal_kind, block.domain_ndim, block.nbytes, wide)

    def joined(self, other: Facts) -> Facts:
        same = self.transform == other.transform
        return Facts(
            self.transform if same else Plain(),
            self.normal_kind if self.normal_kind == other.normal_kind else None,
            max(self.domain_ndim, other.domain_ndim),
            self.nbytes + other.nbytes,
            self.makes_complex or other.makes_complex,
        )
