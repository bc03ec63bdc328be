"""What the sensors of a stack have in common: all that the client knows of those that it does not hold."""

from __future__ import annotations

from dataclasses import dataclass

from daskphys import backend
from daskphys.physics.base import LinearPhysics
from daskphys.physics.noise.model import NoiseModel
from daskphys.physics.normal_kind import NormalKind
from daskphys.physics.normal_kind import joined as joined_kind
from daskphys.physics.stacked import Stacked
from daskphys.physics.transform import Transform


@dataclass(frozen=True)
class Facts:
    """What the sensors of a block, or of the whole stack, have in common."""

    transform: Transform
    normal_kind: NormalKind | None
    domain_ndim: int
    nbytes: int
    noise_models: tuple[NoiseModel | None, ...]  # one a sensor
    makes_complex: bool  # whether a real image has complex measurements
    gives_real: bool  # whether a complex image has real ones
    sums_complex: bool  # whether Aᴴ y is complex for a real y
    of_real_images: bool
    linear: bool

    def result_dtype(self, dtype: str) -> str:
        """The widest dtype of the sensors' A x for x of `dtype`."""
        if self.gives_real:
            return backend.real_name(dtype)
        return backend.complex_name(dtype) if self.makes_complex else dtype

    def sum_dtype(self, dtype: str) -> str:
        """The dtype of Aᴴ y for y of `dtype`."""
        if self.of_real_images:
            return backend.real_name(dtype)
        return backend.complex_name(dtype) if self.sums_complex else dtype

    @classmethod
    def of(cls, block: Stacked) -> Facts:
        linear = isinstance(block, LinearPhysics)
        sums = block._adjoint_dtype("float32") if isinstance(block, LinearPhysics) else "float32"
        return cls(
            transform=block.transform,
            normal_kind=block.normal_kind,
            domain_ndim=block.domain_ndim,
            nbytes=block.nbytes,
            noise_models=tuple(sensor.noise_model for sensor in block),
            makes_complex=block._result_dtype("float32") != "float32",
            gives_real=block.gives_real,
            sums_complex=sums != "float32",
            of_real_images=block.of_real_images,
            linear=linear,
        )

    def joined(self, other: Facts) -> Facts:
        return Facts(
            self.transform.join(other.transform),
            joined_kind((self.normal_kind, other.normal_kind)),
            max(self.domain_ndim, other.domain_ndim),
            self.nbytes + other.nbytes,
            self.noise_models + other.noise_models,
            self.makes_complex or other.makes_complex,
            self.gives_real and other.gives_real,
            self.sums_complex or other.sums_complex,
            self.of_real_images or other.of_real_images,
            self.linear and other.linear,
        )
