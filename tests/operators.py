"""Operators of families that the package does not have, for the tests of AᴴA, and dense matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskphys import backend
from daskphys.physics import Diagonal, LinearPhysics, Toeplitz, value
from daskphys.physics.normal_kind import DIAGONAL, toeplitz


@value
class Mask(LinearPhysics):
    """Keeps the pixels where `keep` is true, in their order along one axis."""

    keep: Any

    def __post_init__(self) -> None:
        self.__dict__["keep"] = backend.frozen(np.asarray(self.keep, bool))

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(self.keep.ndim)

    range_ndim = 1  # type: ignore[assignment]

    def _forward(self, x: Any) -> Any:
        return x[..., self.keep]

    def _adjoint(self, y: Any, shape: Any) -> Any:
        x = np.zeros(shape, y.dtype)
        x[..., self.keep] = y
        return x

    def _range_shape(self, shape: Any) -> Any:
        return (*shape[: -self.keep.ndim], int(self.keep.sum()))

    def _domain_shape(self, shape: Any) -> Any:
        return (*shape[:-1], *self.keep.shape)

    normal_kind = DIAGONAL

    def _make_normal(self, shape: Any) -> Diagonal:
        return Diagonal(self.keep)


@value
class NonUniformFourier(LinearPhysics):
    """``y[m] = Σₙ x[n] exp(−2πi kₘ·n)`` by a dense matrix, for images of `sizes`."""

    points: Any
    sizes: tuple[int, ...]

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return len(self.sizes)

    range_ndim = 1  # type: ignore[assignment]

    def _waves(self, *axes: np.ndarray) -> np.ndarray:
        """``exp(2πi kₘ·l)`` for the lags l of a grid."""
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        return np.exp(2j * np.pi * grid @ self.points.T)

    def _forward(self, x: Any) -> Any:
        waves = self._waves(*map(np.arange, self.sizes)).conj()
        flat = x.reshape(*x.shape[: -len(self.sizes)], -1, 1)
        # Not by BLAS, whose sums depend on how many images there are.
        y = np.sum(flat * waves.reshape(-1, len(self.points)), axis=-2)
        return y.astype(backend.complex_name(x.dtype.name))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        waves = self._waves(*map(np.arange, self.sizes)).reshape(-1, len(self.points))
        x = np.sum(y[..., None] * waves.T, axis=-2)
        return x.reshape(shape).astype(backend.complex_name(y.dtype.name))

    def _range_shape(self, shape: Any) -> Any:
        return (*shape[: -len(self.sizes)], len(self.points))

    def _domain_shape(self, shape: Any) -> Any:
        return (*shape[:-1], *self.sizes)

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype)

    @property
    def normal_kind(self) -> Any:
        return toeplitz(len(self.sizes), True)

    def _make_normal(self, shape: Any) -> Toeplitz:
        waves = self._waves(*[np.arange(1 - n, n) for n in self.sizes])
        return Toeplitz.from_kernel(waves.sum(-1))


def points(n: int, ndim: int, seed: int = 0) -> np.ndarray:
    """Frequencies in cycles a sample."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (n, ndim))


def matrix(operator: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The dense matrix on real images of `shape`, column by column; of a stack, its sensors' one below another."""
    columns = []
    for i in range(int(np.prod(shape))):
        unit = np.zeros(shape)
        unit.flat[i] = 1.0
        made = operator(unit)
        columns.append(np.concatenate([np.ravel(a) for a in (made if hasattr(made, "shapes") else [made])]))
    return np.stack(columns, axis=1)
