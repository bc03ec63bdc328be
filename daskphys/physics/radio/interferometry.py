"""Radio interferometry: visibilities of an image of the sky."""

from __future__ import annotations

import functools
import math
import numbers
import warnings
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import FallbackWarning, ParameterError, ShapeError
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cost import Cost, fft_flops, nbytes
from daskphys.physics.equals import first_equal
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.normal import Diagonal, Toeplitz
from daskphys.physics.normal_kind import NormalKind, toeplitz
from daskphys.physics.radio import coordinates
from daskphys.physics.radio.gridder import EPS, LIGHT, Gridder
from daskphys.physics.transform import Transform
from daskphys.physics.value import value

# ducc0 refuses accuracies below this one.
_FINEST = 2.1e-13

# Visibilities that are evaluated together, at least: for fewer the work around them is more than they are.
_TOGETHER = 1 << 14


@value
class Visibilities(LinearPhysics):
    """One run of visibilities, evaluated by one call of ducc0: what `Interferometry` is made of, without checks.

    Parameters
    ----------
    points : array, shape (rows, 3)
        (v, u, w), in the order of the image's axes.
    cell_size, image_shape, frequencies, weights, eps, wterm
        Those of `Interferometry`; weights have as many axes as the measurement.
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
        return _has_w(self.points, self.wterm)

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
        return _summary(self, self._samples)


@value
class Interferometry(JoinedPhysics):
    """``V = √(w / N) Σ I(l, m) exp(−2πi (u l + v m + w (n − 1)))``, with n = √(1 − l² − m²), for each visibility.

    I is a real image in flux a pixel (Jy/pixel), whose N pixels are at m = (row − rows//2) · cell_size and
    l = (column − columns//2) · cell_size: v and m go with rows, u and l with columns, as in FITS.  Pixels of
    brightness (Jy/sr) would be divided by n first, once.  √(1/N) makes it orthonormal where (u, v) is the image's own
    grid of frequencies.

    Parameters
    ----------
    uvw : array, shape (rows, 3)
        (u, v, w) of each baseline at each time: in wavelengths, or with `frequencies` in metres.
    cell_size : float
        The size of a pixel, in radians (direction cosines).
    image_shape : (int, int)
        The image's rows and columns.
    frequencies : array, shape (channels,), optional
        Channel frequencies in Hz.
    weights : array, shape (rows,) or with frequencies (rows, channels), optional
        Imaging weights w of the visibilities, such as those of `briggs_weights`; not negative.  Their root is in A, so
        that AᴴA = FᴴWF: a measured visibility is multiplied by it first (`measurement`).
    eps : float, optional
        The relative accuracy of a product, at least 2.1e-13; by default 1e-12 in double and 1e-5 in single precision,
        which is what that reaches.  An `eps` below it is computed in double precision for single images too.
    wterm : bool
        Whether w counts; False takes it as 0.

    Raises
    ------
    ShapeError
        uvw that is not (rows, 3) or empty, weights of another number, another image, other visibilities.
    ParameterError
        NaN; |u| or |v| beyond 1 / (2 cell_size), Nyquist's limit; an image that reaches below the horizon while w is
        not 0; weights that are negative or all zero; frequencies that are not above 0; an `eps` out of range.
    DtypeError
        A complex image: the adjoint is a real part.
    MissingDependencyError
        ducc0 is not installed; this is found at the first product.

    Notes
    -----
    The measurement has shape (…, rows), with frequencies (…, rows, channels).  The sensor axis is that of rows, and
    runs of rows are evaluated together, each by one call of ducc0 in one thread; how long a run is depends on the
    image's size alone (`sensors_a_part`), so that results have the same bits wherever runs are computed.

    The adjoint is the transpose to rounding, whatever `eps`.  Where w is 0 everywhere, or ``wterm=False``, AᴴA is the
    convolution with the point spread function, exactly: one `Toeplitz` operator, for any number of visibilities.  With w
    it is no convolution, and stays a product.

    References
    ----------
    A. R. Thompson, J. M. Moran and G. W. Swenson, "Interferometry and Synthesis in Radio Astronomy", 3rd ed. (2017),
    eq. 3.7 (the signs); P. Arras, M. Reinecke, R. Westermann and T. A. Enßlin, Astron. Astrophys. 646, A58 (2021), ducc0.

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("ducc0")
    >>> from daskphys.physics import Interferometry
    >>> A = Interferometry([[0.0, 0.0, 0.0], [100.0, 20.0, 3.0]], cell_size=1e-3, image_shape=(64, 64))
    >>> x = np.zeros((64, 64))
    >>> x[32, 42] = 64.0  # a source of 64 Jy at l = 0.01: u = 100 wavelengths see it one turn of phase later
    >>> A(x).round(6)  # n − 1 is −5e−5 there, of which w = 3 makes a phase too
    array([1.+0.j      , 1.+0.000943j])
    >>> A[1], A.A_adjoint(A(x)).shape
    (Squeeze(1) @ Interferometry(1 row, 64×64 of 0.001), (64, 64))
    """

    uvw: Any
    cell_size: float
    image_shape: tuple[int, int]
    frequencies: Any = None
    weights: Any = None
    eps: float | None = None
    wterm: bool = True

    def __post_init__(self) -> None:
        owner = "Interferometry"
        uvw, cell = coordinates.checked_uvw(self.uvw, owner), coordinates.checked_cell(self.cell_size, owner)
        shape = coordinates.checked_shape(self.image_shape, owner)
        frequencies, weights = self.frequencies, self.weights
        if frequencies is not None:
            frequencies = coordinates.checked_frequencies(frequencies, owner)
        if weights is not None:
            channels = None if frequencies is None else int(frequencies.shape[0])
            weights = coordinates.checked_weights(weights, owner, int(uvw.shape[0]), channels)
        host = backend.to_numpy(uvw)
        waves = 1.0 if frequencies is None else float(backend.to_numpy(frequencies).max()) / LIGHT
        coordinates.check_nyquist(host[:, :2] * waves, cell, owner, metres=frequencies is not None)
        if _has_w(uvw, self.wterm):
            coordinates.check_horizon(cell, shape, owner)
        if self.eps is not None and not (
            isinstance(self.eps, numbers.Real) and _FINEST <= float(self.eps) < 1
        ):
            raise ParameterError(f"{owner} expected {_FINEST} <= eps < 1, got {self.eps!r}")
        if not isinstance(self.wterm, bool):
            raise ParameterError(f"{owner} expected wterm True or False, got {self.wterm!r}")
        self.__dict__.update(
            uvw=uvw, cell_size=cell, image_shape=shape, frequencies=frequencies, weights=weights
        )

    @property
    def sensor_fields(self) -> dict[str, int]:  # type: ignore[override]
        """The parameters that have one entry a row."""
        weighted = {} if self.weights is None else {"weights": -1 if self.frequencies is None else -2}
        return {"uvw": -2, **weighted}

    @property
    def sensors_a_part(self) -> int:  # type: ignore[override]
        """About how many rows are evaluated together: as many visibilities as pixels, without w as half of them.

        (2¹⁴ at least.)  The FFTs of a run are then a tenth of its work.
        """
        pixels = backend.size(self.image_shape)
        channels = 1 if self.frequencies is None else int(self.frequencies.shape[0])
        return max(1, max(_TOGETHER, pixels if self._with_w else pixels // 2) // channels)

    @property
    def counts(self) -> tuple[int, ...]:
        """Runs of equal lengths: a short one at the end would cost as many FFTs as the others."""
        rows = len(self)
        runs = max(1, round(rows / self.sensors_a_part))
        return tuple(rows * (i + 1) // runs - rows * i // runs for i in range(runs))

    @functools.cached_property
    def _with_w(self) -> bool:
        return _has_w(self.uvw, self.wterm)

    def _together(self) -> Visibilities:
        xp = backend.namespace(self.uvw)
        points = backend.lock(xp.stack([self.uvw[:, i] for i in (1, 0, 2)], -1))
        return Visibilities(
            points,
            self.cell_size,
            self.image_shape,
            self.frequencies,
            self.weights,
            self.eps,
            self.wterm,
        )

    # -- what is measured, and the images of the field ----------------------------------------------------------

    def measurement(self, visibilities: Any) -> Any:
        """What A x is compared with, of visibilities as an instrument gives them (in Jy): ``√(w / N) · V``.

        Parameters
        ----------
        visibilities : array, shape (…, rows) or (…, rows, channels)
            Calibrated visibilities, of the sign that the class states.
        """
        given = np.ones((len(self), 1)[: self.range_ndim]) if self.weights is None else self.weights
        roots = backend.namespace(given).sqrt(given / backend.size(self.image_shape))
        return Diagonal(roots).A(visibilities)

    def dirty_image(self, y: Any) -> Any:
        """``Aᴴ y`` in flux a beam: a source of 1 Jy far from others has its peak at 1.

        Parameters
        ----------
        y : array
            A measurement, as A gives it; of an instrument's visibilities, that of `measurement`.
        """
        return self.A_adjoint(y) / self.beam_sum

    def psf(self) -> Any:
        """The point spread function (dirty beam) at the phase centre, of the image's shape, with peak 1.

        The dirty image of a source of 1 Jy in the middle pixel.
        """
        rows, columns = self.image_shape
        source = np.zeros(self.image_shape)
        source[rows // 2, columns // 2] = 1.0
        return self.dirty_image(self.A(source))

    @property
    def beam_sum(self) -> float:
        """``Σ w / N``: AᴴA's response to a source in its own pixel."""
        count = len(self) * (1 if self.frequencies is None else int(self.frequencies.shape[0]))
        if self.weights is None:
            return count / backend.size(self.image_shape)
        weights = backend.to_numpy(self.weights)
        return float(weights.sum()) * (count / weights.size) / backend.size(self.image_shape)

    def _summary(self) -> str:
        rows = (len(self),)
        return _summary(self, rows if self.frequencies is None else (*rows, int(self.frequencies.shape[0])))


def _has_w(points: Any, wterm: bool) -> bool:
    """Whether the third coordinate, w, is anywhere other than 0 and counts."""
    return wterm and bool(np.any(backend.to_numpy(points)[:, 2]))


def _summary(operator: Visibilities | Interferometry, samples: tuple[int, ...]) -> str:
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
    warnings.warn(
        "radio interferometry is computed by ducc0 on the CPU: images on a GPU go there and back",
        FallbackWarning,
        stacklevel=2,
    )
