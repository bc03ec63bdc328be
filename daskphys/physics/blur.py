"""Convolution with a kernel, and kernels."""

from __future__ import annotations

import math
import numbers
from dataclasses import InitVar
from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError, checks_keywords, nearest
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cache import derived
from daskphys.physics.normal import FourierMultiplier
from daskphys.physics.padding import pad, padded_shape
from daskphys.physics.spaces import check_channels
from daskphys.physics.stencil import Stencil
from daskphys.physics.transform import PaddedRealFFT, RealFFT, Transform
from daskphys.physics.value import value

PADDINGS = ("circular", "valid", "replicate", "reflect")


@value
class Blur(LinearPhysics):
    """Convolution of an image with a kernel, by real FFT.

    True convolution, normalised as given, with the kernel's centre at ``n // 2`` on every axis:
    ``y[i] = Σⱼ h[j] x[i + n//2 - j]``.  Every adjoint is the exact transpose.

    Parameters
    ----------
    filter : array, shape (h, w), (1|C, h, w) or (1, 1|C, h, w); for volumes with one more axis
        The kernel, real; one for all channels or one for each.  NumPy, CuPy or torch.  Kept in double
        precision; results have the precision of the image.
    padding : {"circular", "valid", "replicate", "reflect"}
        What lies beyond the border: the periodic image; nothing (the result has ``N - n + 1`` samples); the
        border value; the mirrored image.
    ndim : int, optional
        The number of spatial axes.  By default 3 for a filter with five axes, else 2: a kernel ``(d, h, w)``
        for volumes needs ``ndim=3``.
    device : optional
        Where the kernel lives: ``"cpu"`` or ``"cuda:N"``.  It follows the image at every call.

    Raises
    ------
    ShapeError
        The filter's rank is none of the above; the image is smaller than the kernel or has other channels.
    ParameterError
        Unknown padding; NaN or infinite entries in the filter.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Blur, gaussian_blur
    >>> A = Blur(gaussian_blur(sigma=2.0))
    >>> x = np.random.default_rng(0).random((3, 64, 64), dtype=np.float32)
    >>> y = A(x)
    >>> y.shape, y.dtype
    ((3, 64, 64), dtype('float32'))
    >>> round(A.compute_norm(x), 6)  # a blur that sums to one
    1.0
    """

    filter: Any
    padding: str = "circular"
    ndim: int | None = None
    device: InitVar[Any] = None

    def __post_init__(self, device: Any) -> None:
        if self.padding not in PADDINGS:
            raise ParameterError(
                f"Blur: unknown padding {self.padding!r}: {nearest(str(self.padding), PADDINGS)}"
            )
        kernel = backend.as_parameter(doors.to_core(self.filter), "Blur", "filter")
        rank = kernel.ndim
        ndim = (3 if rank == 5 else 2) if self.ndim is None else self.ndim
        if ndim not in (1, 2, 3) or not isinstance(ndim, int) or isinstance(ndim, bool):
            raise ParameterError(f"Blur expected ndim among 1, 2, 3, got {ndim!r}")
        batch = rank == ndim + 2 and kernel.shape[0] != 1
        if not ndim <= rank <= ndim + 2 or 0 in kernel.shape or batch:
            axes = ", ".join("dhw"[-ndim:])
            raise ShapeError(
                f"Blur expected a filter of shape ({axes}), (C, {axes}) or (1, C, {axes}) for {ndim} spatial axes, "
                f"got shape {tuple(kernel.shape)}: give ndim= for kernels of another dimension"
            )
        if backend.is_complex(kernel):
            raise ParameterError("Blur expected a real filter, got a complex one: give its real part")
        xp = backend.namespace(kernel)
        if not bool(xp.all(xp.isfinite(kernel))):
            raise ParameterError("Blur expected finite entries in the filter, got NaN or infinity")
        while kernel.ndim > ndim and kernel.shape[0] == 1:
            kernel = kernel[0, ...]
        if device is not None:
            kernel = backend.to_device(kernel, device)
        self.__dict__.update(filter=kernel, ndim=ndim)

    # -- geometry: extend the image by `widths`, convolve periodically, keep the part `kept` ----------------

    @property
    def _space(self) -> int:
        assert self.ndim is not None  # set by __post_init__
        return self.ndim

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """The kernel's spatial shape."""
        return tuple(self.filter.shape[-self._space :])

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(self.filter.ndim)

    @property
    def _widths(self) -> tuple[tuple[int, int], ...]:
        if self.padding in ("circular", "valid"):
            return ((0, 0),) * self._space
        return tuple((n - 1 - n // 2, n // 2) for n in self.kernel_shape)

    def _sizes(self, shape: Any) -> tuple[int, ...]:
        return padded_shape(tuple(shape), self._widths)[-self._space :]

    def _kept(self, shape: Any) -> tuple[Any, ...]:
        sizes = zip(self._sizes(shape), self.kernel_shape, strict=True)
        return (..., *(slice(n - 1 - n // 2, size - n // 2) for size, n in sizes))

    def _range_shape(self, shape: Any) -> Any:
        return self._resized(shape, 0 if self.padding != "valid" else -1)

    def _domain_shape(self, shape: Any) -> Any:
        return self._resized(shape, 0 if self.padding != "valid" else 1)

    def _resized(self, shape: Any, sign: int) -> Any:
        """The shape on the other side, checked against the kernel."""
        lead, space = tuple(shape[: -self._space]), tuple(shape[-self._space :])
        image = tuple(s + (n - 1 if sign > 0 else 0) for s, n in zip(space, self.kernel_shape, strict=True))
        if any(size < n for size, n in zip(image, self.kernel_shape, strict=True)):
            raise ShapeError(
                f"{self!r} expected an image of at least {_times(self.kernel_shape)}, its kernel's size, got "
                f"{_times(image)}: crop the kernel or give a larger image"
            )
        check_channels(self, tuple(self.filter.shape[: -self._space]), tuple(shape), self._space)
        return (*lead, *(s + sign * (n - 1) for s, n in zip(space, self.kernel_shape, strict=True)))

    # -- products ------------------------------------------------------------------------------------------

    @property
    def transform(self) -> Transform:
        if self.padding in ("circular", "valid"):
            return RealFFT(self._space)
        return PaddedRealFFT(self.padding, self._widths)

    def _transfer(self, sizes: tuple[int, ...]) -> Any:
        """The transfer function: the half spectrum of the kernel, centred at the origin, in complex128."""
        xp = backend.namespace(self.filter)
        placed = backend.zeros((*self.filter.shape[: -self._space], *sizes), self.filter)
        placed[(..., *(slice(0, n) for n in self.kernel_shape))] = self.filter
        shift = tuple(-(n // 2) for n in self.kernel_shape)
        return backend.rfftn(xp.roll(placed, shift, axis=tuple(range(-self._space, 0))), self._space)

    def _spectrum(self, z: Any, shape: Any) -> Any:
        """The transfer function for images of `shape`, in the precision and on the device of `z`."""
        sizes = self._sizes(shape)
        name = backend.complex_name(backend.dtype_name(z))
        key = (sizes, name, backend.device_of(z))
        return derived.get(self, key, lambda: backend.like(self._transfer(sizes), z, name))

    def _forward(self, x: Any) -> Any:
        return self._forward_from(self.transform.lift(x), x.shape)

    def _forward_from(self, z: Any, shape: Any) -> Any:
        y = RealFFT(self._space).lower(z * self._spectrum(z, shape), padded_shape(tuple(shape), self._widths))
        # A copy: a view would keep the larger array alive, and travel with it.
        return y if self.padding == "circular" else backend.copy(y[self._kept(shape)])

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.transform.lower(self._adjoint_to(y, shape), shape)

    def _adjoint_to(self, y: Any, shape: Any) -> Any:
        if self.padding != "circular":
            y = pad(y, tuple((n - 1 - n // 2, n // 2) for n in self.kernel_shape), "zero")
        z = RealFFT(self._space).lift(y)
        return z * backend.namespace(z).conj(self._spectrum(z, shape))

    @property
    def stencil(self) -> Stencil:
        return Stencil(self.filter, self.padding, self._space)

    # -- normal operator -----------------------------------------------------------------------------------

    @property
    def normal_kind(self) -> Any:
        return ("fourier", self._space) if self.padding == "circular" else None

    def _normal(self, shape: Any) -> FourierMultiplier:
        sizes = self._sizes(shape)
        return derived.get(
            self, ("normal", sizes), lambda: FourierMultiplier(abs(self._transfer(sizes)) ** 2, sizes)
        )

    # -- appearance ----------------------------------------------------------------------------------------

    def _summary(self) -> str:
        lead = self.filter.shape[: -self._space]
        kernels = f"{_times(lead)} of {_times(self.kernel_shape)}" if lead else _times(self.kernel_shape)
        return f"{kernels}, {self.padding}" + ("" if self._space == 2 else f", {self._space}-D")

    def _thumbnails(self) -> list[tuple[str, Any]]:
        kernels = backend.to_numpy(self.filter).reshape(-1, *self.kernel_shape)[:4]
        while kernels.ndim > 3:  # a volume's kernel is shown by its largest values along depth
            kernels = kernels.max(axis=1)
        return [
            (f"filter {i}" if len(kernels) > 1 else "filter", np.atleast_2d(k)) for i, k in enumerate(kernels)
        ]


def _times(shape: Any) -> str:
    return "×".join(map(str, shape))


@checks_keywords
def gaussian_blur(sigma: Any = (1.0, 1.0), angle: float = 0.0, device: Any = None) -> Any:
    """A rotated Gaussian kernel that sums to one.

    Parameters
    ----------
    sigma : float or pair of float
        Standard deviations along (height, width) in pixels; one number means both.
    angle : float
        Rotation in degrees, by ``[[cos, -sin], [sin, cos]]`` of the (x, y) grid.
    device : optional
        ``"cpu"`` (NumPy) or ``"cuda:N"`` (CuPy).

    Returns
    -------
    array, shape (1, 1, n, n), float64
        With ``n = 2 int(max(sigma) / 0.3 + 1) + 1``: more than three standard deviations on each side.

    Raises
    ------
    ParameterError
        `sigma` is not one or two positive finite numbers, or `angle` is not finite.

    Notes
    -----
    The conventions (side, order, rotation) are those of deepinv's function of this name.

    Examples
    --------
    >>> from daskphys.physics import gaussian_blur
    >>> k = gaussian_blur(sigma=(1.5, 3.5), angle=30)
    >>> k.shape, round(float(k.sum()), 12)
    ((1, 1, 25, 25), 1.0)
    """
    try:
        pair = np.broadcast_to(np.asarray(sigma, dtype=np.float64), (2,))
    except (TypeError, ValueError):
        pair = np.array([np.nan, np.nan])
    if not (np.all(np.isfinite(pair)) and np.all(pair > 0)):
        raise ParameterError(f"gaussian_blur expected sigma as one or two positive numbers, got {sigma!r}")
    if not isinstance(angle, numbers.Real) or not math.isfinite(angle):
        raise ParameterError(f"gaussian_blur expected an angle in degrees, got {angle!r}")
    half = int(float(pair.max()) / 0.3 + 1)
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    across, along = cos * x - sin * y, sin * x + cos * y
    kernel = np.exp(-0.5 * ((along / pair[0]) ** 2 + (across / pair[1]) ** 2))
    return backend.to_device((kernel / kernel.sum())[None, None], device)
