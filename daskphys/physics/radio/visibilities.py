"""One run of visibilities, as one call of ducc0."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import FallbackWarning, ShapeError, warn
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cost import Cost, fft_flops, nbytes
from daskphys.physics.equals import first_equal
from daskphys.physics.normal import Toeplitz
from daskphys.physics.normal_kind import NormalKind, toeplitz
from daskphys.physics.radio.gridder import EPS, LIGHT, Gridder
from daskphys.physics.transform import Transform
from daskphys.physics.value import value


@value
class Visibilities(LinearPhysics):
    """One run of visibilities, evaluated by one call of ducc0: what `Interferometry` is made of, without checks.

    Parameters
    ----------
    points : array, shape (rows, 3)
        (v, u, w), in the order of the image's axes.
    cell_size : float
        Radians.
    image_shape : (int, int)
        The image's (rows, columns).
    frequencies : array, shape (channels,), optional
        Hz.
    weights : array, optional
        With as many axes as the measurement.
    eps : float, optional
        As that of `Interferometry`.
    wterm : bool
        As that of `Interferometry`.

    Raises
    ------
    ShapeError
        At a call: an image or visibilities of another shape.
    MissingDependencyError
        At a call: ducc0 is not installed.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("ducc0")
    >>> from daskphys.physics.radio import Visibilities
    >>> A = Visibilities(np.array([[0.0, 20.0, 10.0]]), 1e-3, (32, 32))
    >>> source = np.zeros((32, 32))
    >>> source[16, 16] = 32.0  # at the phase centre, of 1 in the orthonormal scale
    >>> A(source).round(6)
    array([1.+0.j])
    """

    points: Any
    cell_size: float
    image_shape: tuple[int, int]
    frequencies: Any = None
    weights: Any = None
    eps: float | None = None
    wterm: bool = True
    domain_ndim = 2

    @property
    def range_ndim(self) -> int:
        return 1 if self.frequencies is None else 2

    @property
    def _samples(self) -> tuple[int, ...]:
        rows = int(self.points.shape[0])
        return (rows,) if self.frequencies is None else (rows, int(self.frequencies.shape[0]))

    def _range_shape(self, shape: Any) -> Any:
        if tuple(shape[-2:]) != self.image_shape:
            raise ShapeError(f"{self!r} expected an image of {self.image_shape}, got {tuple(shape)}")
        return (*shape[:-2], *self._samples)

    def _domain_shape(self, shape: Any) -> Any:
        if tuple(shape[len(shape) - self.range_ndim :]) != self._samples:
            raise ShapeError(f"{self!r} expected visibilities of {self._samples}, got {tuple(shape)}")
        return (*shape[: len(shape) - self.range_ndim], *self.image_shape)

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype)

    def _adjoint_dtype(self, dtype: str) -> str:
        return backend.real_name(dtype)

    # -- products: image by image, so that a batch has the bits of its entries --------------------------------

    def _forward(self, x: Any) -> Any:
        kind, precision = backend.dtype_name(x), self._precision(x)
        grid, factors = self._gridder(precision), self._factors(precision)
        images = _on_host(x).astype(precision, copy=False).reshape(-1, *self.image_shape)
        seen = backend.spread(
            lambda image: grid.forward(image, self._scale, factors), list(images), self._work
        )
        made = np.stack(seen).reshape(self._range_shape(tuple(x.shape)))
        return backend.like(made, x, backend.complex_name(kind))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        kind, precision = backend.real_name(backend.dtype_name(y)), self._precision(y)
        grid, factors = self._gridder(precision), self._factors(precision)
        host = _on_host(y).astype(backend.complex_name(precision), copy=False)
        seen = host.reshape(-1, self._samples[0], self._channels)
        made = backend.spread(lambda own: grid.adjoint(own, self._scale, factors), list(seen), self._work)
        return backend.like(np.stack(made).reshape(shape), y, kind)

    def _precision(self, x: Any) -> str:
        """The dtype that is computed in: double for an accuracy that single precision does not reach."""
        real = backend.real_name(backend.dtype_name(x))
        return "float64" if self.eps is not None and self.eps < EPS[real] else real

    def _gridder(self, precision: str) -> Gridder:
        hertz = np.array([LIGHT]) if self.frequencies is None else backend.to_numpy(self.frequencies)
        eps = EPS[precision] if self.eps is None else self.eps
        points = backend.to_numpy(self.points)
        return Gridder(points, hertz, self.cell_size, self.image_shape, eps, self._with_w)

    def _factors(self, precision: str) -> np.ndarray | None:
        """√w, shape (rows, channels)."""
        if self.weights is None:
            return None
        roots = np.sqrt(backend.to_numpy(self.weights)).astype(precision).reshape(self._samples[0], -1)
        return np.ascontiguousarray(np.broadcast_to(roots, (self._samples[0], self._channels)))

    @property
    def _channels(self) -> int:
        return 1 if self.frequencies is None else self._samples[1]

    @property
    def _scale(self) -> float:
        return 1 / math.sqrt(backend.size(self.image_shape))

    @property
    def _work(self) -> int:
        return max(backend.size(self.image_shape), backend.size(self._samples))

    @functools.cached_property
    def _with_w(self) -> bool:
        return has_w(self.points, self.wterm)

    # -- AᴴA --------------------------------------------------------------------------------------------------

    @property
    def normal_kind(self) -> NormalKind | None:
        """Convolution with the point spread function; none where w makes that change over the field."""
        return None if self._with_w else toeplitz(2, False)

    def _make_normal(self, shape: Any) -> Toeplitz:
        rows, columns = self.image_shape
        hertz = np.array([LIGHT]) if self.frequencies is None else backend.to_numpy(self.frequencies)
        lags = (2 * rows - 1, 2 * columns - 1)
        grid = Gridder(backend.to_numpy(self.points), hertz, self.cell_size, lags, EPS["float64"], False)
        factors = self._factors("float64")
        ones = np.ones((self._samples[0], self._channels), np.complex128)
        kernel = grid.adjoint(ones, self._scale**2, None if factors is None else factors**2)
        return Toeplitz.from_kernel((kernel + kernel[::-1, ::-1]) / 2)

    @property
    def _keeper(self) -> Any:
        return first_equal(self)

    # -- what it costs and how it looks -----------------------------------------------------------------------

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        wide, batch = backend.complex_name(dtype), backend.size(shape[:-2])
        accuracy = EPS[backend.real_name(dtype)] if self.eps is None else self.eps
        fine, taps = tuple(2 * n for n in self.image_shape), 1 + math.ceil(-math.log10(accuracy))
        planes, taps = (4 * taps, taps**3) if self._with_w else (1, taps**2)
        flops = batch * (planes * fft_flops(fine, 2) + 4.0 * taps * backend.size(self._samples))
        result = nbytes(self._range_shape(shape), wide)
        workspace = nbytes(fine, wide) + max(result, nbytes(shape, dtype))
        return Cost(0, flops, self.nbytes, 0, workspace, result)

    def _method(self, shape: Any) -> str:
        return "w-gridding" if self._with_w else "gridding"

    def _summary(self) -> str:
        return summary(self, self._samples)


def has_w(points: Any, wterm: bool) -> bool:
    """Whether the third coordinate, w, is anywhere other than 0 and counts."""
    return wterm and bool(np.any(backend.to_numpy(points)[:, 2]))


def summary(operator: Any, samples: tuple[int, ...]) -> str:
    """How many visibilities of what image, for a repr."""
    names = (f"{samples[0]} row{'' if samples[0] == 1 else 's'}", *(f"{n} channels" for n in samples[1:]))
    sizes = "×".join(map(str, operator.image_shape))
    return f"{' of '.join(names)}, {sizes} of {operator.cell_size:g}"


def _on_host(x: Any) -> np.ndarray:
    if backend.on_gpu(x):
        _warn_of_gpu()
    return backend.to_numpy(x)


@functools.cache
def _warn_of_gpu() -> None:
    """Say it once."""
    warn(
        "radio interferometry is computed by ducc0 on the CPU: images on a GPU go there and back",
        FallbackWarning,
    )
