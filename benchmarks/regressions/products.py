"""Products of the plain operator: times, peaks of memory, FFTs."""

from __future__ import annotations

from benchmarks.timing import blurs, image
from daskphys import backend


class Products:
    """A, Aᵀ and AᵀA of N blurs, 512×512×3."""

    params = (3, 32)
    param_names = ("sensors",)

    def setup(self, sensors: int) -> None:
        self.A, self.x = blurs(sensors), image(3, 512, 512)
        self.y = self.A(self.x)
        self.A.A_adjoint_A(self.x)  # what depends on the shape is made once

    def time_A(self, sensors: int) -> None:
        self.A(self.x)

    def time_A_adjoint(self, sensors: int) -> None:
        self.A.A_adjoint(self.y)

    def time_A_adjoint_A(self, sensors: int) -> None:
        self.A.A_adjoint_A(self.x)

    def track_transforms_A(self, sensors: int) -> int:
        return self._transforms(lambda: self.A(self.x))

    def track_transforms_A_adjoint(self, sensors: int) -> int:
        return self._transforms(lambda: self.A.A_adjoint(self.y))

    def track_transforms_A_adjoint_A(self, sensors: int) -> int:
        return self._transforms(lambda: self.A.A_adjoint_A(self.x))

    @staticmethod
    def _transforms(call) -> int:  # type: ignore[no-untyped-def]
        with backend.count_transforms() as count:
            call()
        return count.total


class Peaks:
    """The memory that a process needs at most, set-up included."""

    def peakmem_merge_256_sensors(self) -> None:
        blurs(256).normal((512, 512))

    def peakmem_A_32_sensors(self) -> None:
        blurs(32)(image(3, 512, 512))


Products.track_transforms_A.unit = "FFTs"  # type: ignore[attr-defined]
Products.track_transforms_A_adjoint.unit = "FFTs"  # type: ignore[attr-defined]
Products.track_transforms_A_adjoint_A.unit = "FFTs"  # type: ignore[attr-defined]
