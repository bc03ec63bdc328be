"""The Fourier transform at any frequencies."""

from __future__ import annotations

import itertools
import math
import numbers
from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cache import derived
from daskphys.physics.checks import is_count
from daskphys.physics.cost import Cost, fft_flops, nbytes
from daskphys.physics.equals import first_equal
from daskphys.physics.normal import Toeplitz
from daskphys.physics.normal_kind import NormalKind, toeplitz
from daskphys.physics.value import value

#: The accuracy of a transform where none is asked for, by precision.
EPS = {"float32": 1e-6, "float64": 1e-13}

# A frequency of half a cycle a sample may have been rounded in single precision.
_NYQUIST = 0.5 * (1 + 1e-6)


@value
class NUFFT(LinearPhysics):
    """``y[m] = √(w[m] / N) Σₙ x[n] exp(−2πi k[m]·(n − ⌊size / 2⌋))``: samples of an image's Fourier transform.

    N is the number of pixels, so that at the points of the image's own grid this is the centred orthonormal FFT.

    Parameters
    ----------
    points : array, shape (…, d), real
        The frequencies k in cycles a sample, from −1/2 to 1/2, one for each of the image's d axes and in their order:
        (height, width), or (depth, height, width).  Radians a sample are these times 2π, and "cycles a field of view"
        these times the image's size.
    image_shape : tuple of d int
        The image's shape, which the points do not tell; d is 1, 2 or 3.
    weights : array, shape as that of `points` without its last axis, or flat, optional
        The density compensation w: the inverse of how densely the points lie, not negative.  Its root is in A, so
        that AᴴA = FᴴWF and the adjoint stays exact: what was measured is multiplied by √w before Aᴴ (which is then
        the gridding FᴴW) or a solver (which then solves the weighted problem) takes it.
    eps : float, optional
        The relative accuracy of a transform; by default 1e-6 in single and 1e-13 in double precision.

    Raises
    ------
    ShapeError
        Points of another number of axes than the image has, none of them, as many weights as there are no points,
        another image.
    ParameterError
        NaN, complex numbers, points beyond half a cycle a sample; negative weights, or all zero; an `eps` that is
        none; an image of other than 1, 2 or 3 axes.
    MissingDependencyError
        finufft is not installed; this is found at the first product.

    Notes
    -----
    The measurement is flat, shape (…, samples), in the order of `points`.  By finufft on the CPU (extra ``mri``) and
    cufinufft on a GPU.  The adjoint is the transpose to rounding, whatever `eps`.  In single precision the
    frequencies are rounded too, which leaves an error of about 6e-8 of the image's longest side in pixels (1.5e-5
    for 256): cast to double where that matters.

    AᴴA merges into a `Toeplitz` operator, for any number of such operators, which is exact to 1e-13 and
    whose cost does not depend on the number of samples: one FFT pair of twice the image's size.

    References
    ----------
    A. H. Barnett, J. Magland and L. af Klinteberg, "A parallel nonuniform fast Fourier transform library based on an
    'exponential of semicircle' kernel", SIAM J. Sci. Comput. 41 (2019).

    Examples
    --------
    >>> import numpy as np, pytest
    >>> _ = pytest.importorskip("finufft")
    >>> from daskphys.physics import NUFFT
    >>> A = NUFFT([[0.0, 0.0], [0.25, -0.1]], image_shape=(8, 8))
    >>> x = np.zeros((8, 8))
    >>> x[4, 4] = 8.0  # the middle
    >>> A(x).round(12) + 0.0
    array([1.+0.j, 1.+0.j])
    """

    points: Any
    image_shape: tuple[int, ...]
    weights: Any = None
    eps: float | None = None
    range_ndim = 1

    def __post_init__(self) -> None:
        points = backend.as_parameter(doors.to_core(self.points), "NUFFT", "points")
        sizes = _sizes(self.image_shape)
        if points.ndim < 1 or points.shape[-1] != len(sizes) or 0 in points.shape:
            raise ShapeError(
                f"NUFFT expected points of shape (…, {len(sizes)}), one frequency for each axis of an image of {sizes}, "
                f"got {tuple(points.shape)}"
            )
        _check_points(points)
        xp, lead = backend.namespace(points), tuple(points.shape[:-1])
        flat = xp.reshape(points, (-1, len(sizes)))
        weights = None if self.weights is None else _weights(self.weights, lead)
        if self.eps is not None and not (isinstance(self.eps, numbers.Real) and 0 < float(self.eps) < 1):
            raise ParameterError(f"NUFFT expected 0 < eps < 1, got {self.eps!r}")
        self.__dict__.update(points=backend.lock(flat), image_shape=sizes, weights=weights)

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return len(self.image_shape)

    @property
    def samples(self) -> int:
        """How many points there are."""
        return int(self.points.shape[0])

    def _range_shape(self, shape: Any) -> Any:
        if tuple(shape[-self.domain_ndim :]) != self.image_shape:
            raise ShapeError(f"{self!r} expected an image of {self.image_shape}, got {tuple(shape)}")
        return (*shape[: -self.domain_ndim], self.samples)

    def _domain_shape(self, shape: Any) -> Any:
        if shape[-1] != self.samples:
            raise ShapeError(f"{self!r} expected a measurement of {self.samples} samples, got {tuple(shape)}")
        return (*shape[:-1], *self.image_shape)

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype)

    def _forward(self, x: Any) -> Any:
        y = self._transform(x).forward(x)
        y *= self._roots(y)
        return y

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._transform(y).adjoint(self._roots(y) * y)

    def _transform(self, image: Any) -> backend.NonUniformFFT:
        """The transform in the precision and on the device of `image`, one for all operators that equal this one."""
        real = backend.real_name(backend.dtype_name(image))
        place = (real, backend.device_of(image), backend.namespace(image).__name__)

        def make() -> backend.NonUniformFFT:
            return backend.NonUniformFFT(self.points, self.image_shape, self._accuracy(real), image)

        made: backend.NonUniformFFT = derived.get(self._keeper, ("non-uniform FFT", *place), make)
        return made

    def _accuracy(self, real: str) -> float:
        return EPS[real] if self.eps is None else float(self.eps)

    def _roots(self, y: Any) -> Any:
        """``√(w / N)`` in the precision of `y`."""
        scale = 1 / math.sqrt(backend.size(self.image_shape))
        if self.weights is None:
            return scale
        roots = backend.namespace(self.weights).sqrt(self.weights) * scale
        return backend.like(roots, y, backend.real_name(backend.dtype_name(y)))

    @property
    def _keeper(self) -> Any:
        return first_equal(self)

    @property
    def normal_kind(self) -> NormalKind:
        return toeplitz(self.domain_ndim, True)

    def _make_normal(self, shape: Any) -> Toeplitz:
        """``t[l] = Σₘ w[m] / N exp(2πi kₘ·l)``, block by block: one transform of all lags takes 2ᵈ times the memory."""
        sizes, ndim = self.image_shape, self.domain_ndim
        xp = backend.namespace(self.points)
        ones = backend.zeros((self.samples,), self.points) + 1.0
        weights = backend.complex_of(
            (ones if self.weights is None else self.weights) / math.prod(sizes), 0 * ones
        )
        transform = backend.NonUniformFFT(self.points, sizes, EPS["float64"], weights)
        lags = tuple(2 * n - 1 for n in sizes)
        kernel = backend.zeros((sizes[0], *lags[1:]), weights)
        for negative in itertools.product((False, True), repeat=ndim - 1):
            # The block's lags are 0 … n−1, or −n … −1, of which there is no −n.
            first = (0, *(-n if below else 0 for n, below in zip(sizes[1:], negative, strict=True)))
            shift = [n // 2 + start for n, start in zip(sizes, first, strict=True)]
            turns = sum(self.points[:, axis] * float(lag) for axis, lag in enumerate(shift))
            block = transform.adjoint(weights * xp.exp(2j * math.pi * backend.astype(turns, "complex128")))
            taken = (slice(None), *(slice(1 if below else 0, None) for below in negative))
            put = (
                slice(n - 1) if below else slice(n - 1, None)
                for n, below in zip(sizes[1:], negative, strict=True)
            )
            kernel[(slice(None), *put)] = block[taken]
        # t[−l] = conj(t[l])
        return Toeplitz.from_kernel(backend.concat([xp.conj(xp.flip(kernel[1:, ...])), kernel], 0))

    def _step_cost(self, shape: Any, dtype: str, transform: Any) -> Cost:
        ndim, wide = self.domain_ndim, backend.complex_name(dtype)
        batch = backend.size(shape[:-ndim])
        fine = tuple(2 * n for n in self.image_shape)
        real = backend.real_name(dtype)
        taps = (1 + math.ceil(-math.log10(self._accuracy(real)))) ** ndim
        result, image = nbytes(self._range_shape(shape), wide), nbytes(shape, wide)
        kept = self.samples * (ndim * nbytes((1,), real) + 8)
        flops = batch * (2 * fft_flops(fine, ndim) + 4.0 * taps * self.samples)
        # The fine grid, the batch before it is one array, and a product with the weights.
        workspace = nbytes(fine, wide) + max(image, result)
        return Cost(0, flops, self.nbytes, kept, workspace, result)

    def _method(self, shape: Any) -> str:
        return "non-uniform FFTs"

    def _summary(self) -> str:
        sizes = "×".join(map(str, self.image_shape))
        return f"{self.samples} samples of {sizes}{'' if self.weights is None else ', weighted'}"

    def _thumbnails(self) -> list[tuple[str, Any]]:
        if self.domain_ndim != 2:
            return []
        rows, columns = backend.to_numpy(self.points).T
        counts, *_ = np.histogram2d(rows, columns, 64, ((-0.5, 0.5), (-0.5, 0.5)))
        return [("where it samples", np.log1p(counts))]


def _sizes(given: Any) -> tuple[int, ...]:
    sizes = tuple(given) if isinstance(given, tuple | list) else (given,)
    if not 1 <= len(sizes) <= 3 or not all(map(is_count, sizes)):
        raise ParameterError(f"NUFFT expected an image_shape of 1, 2 or 3 sizes, got {given!r}")
    return tuple(map(int, sizes))


def _check_points(points: Any) -> None:
    xp = backend.namespace(points)
    if backend.is_complex(points):
        raise ParameterError(
            "NUFFT expected real points, one frequency for each axis of the image, got complex ones: split them, as in "
            "np.stack([k.imag, k.real], -1)"
        )
    if not bool(xp.all(xp.isfinite(points))):
        raise ParameterError("NUFFT expected finite points, got NaN or infinity")
    largest = float(xp.max(xp.abs(points)))
    if largest > _NYQUIST:
        raise ParameterError(
            f"NUFFT expected points within half a cycle a sample (Nyquist), got {largest:g}: divide radians a sample by "
            f"2π, or cycles a field of view by the image's size"
        )


def _weights(given: Any, lead: tuple[int, ...]) -> Any:
    """Density weights, checked and flat."""
    weights = backend.as_parameter(doors.to_core(given), "NUFFT", "weights")
    count = backend.size(lead)
    if tuple(weights.shape) not in (lead, (count,)):
        raise ShapeError(f"NUFFT expected weights of shape {lead}, one a point, got {tuple(weights.shape)}")
    xp = backend.namespace(weights)
    if backend.is_complex(weights):
        raise ParameterError("NUFFT expected real weights, got complex ones")
    if not bool(xp.all(xp.isfinite(weights))) or float(xp.min(weights)) < 0 or not float(xp.max(weights)):
        raise ParameterError(
            f"NUFFT expected finite weights, not negative and not all zero, got values from {float(xp.min(weights)):g} "
            f"to {float(xp.max(weights)):g}"
        )
    return backend.lock(xp.reshape(weights, (count,)))
