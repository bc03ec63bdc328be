"""Convolution with a kernel."""

from __future__ import annotations

import functools
from dataclasses import InitVar
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError, nearest
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cache import derived
from daskphys.physics.checks import real_parameter
from daskphys.physics.convolution import Convolution
from daskphys.physics.cost import Cost, fft_flops, half, nbytes
from daskphys.physics.extended import Extended, Grid, grid_of
from daskphys.physics.kernels import gaussian_blur as gaussian_blur  # users import it from here
from daskphys.physics.normal import FourierMultiplier
from daskphys.physics.normal.multiplier import Circular
from daskphys.physics.normal.spectral import power
from daskphys.physics.padding import pad
from daskphys.physics.separable import in_words, passes_of, taps_of
from daskphys.physics.spaces import check_leading
from daskphys.physics.stencil import Stencil
from daskphys.physics.transform import Transform, as_pair, from_pair
from daskphys.physics.value import value

PADDINGS = ("circular", "valid", "replicate", "reflect")


@value
class Blur(LinearPhysics):
    """Convolution of an image with a kernel, by real FFT or, for small kernels, directly.

    True convolution, normalised as given, with the kernel's centre at ``n // 2`` on every axis:
    ``y[i] = Σⱼ h[j] x[i + n//2 - j]``.  Every adjoint is the exact transpose.

    Parameters
    ----------
    filter : array, shape (h, w), (1|C, h, w) or (1|B, 1|C, h, w); for volumes with one more axis
        The kernel, real; one for all channels or one for each, and one for each entry of a batch.  NumPy, CuPy or torch.  Kept in double
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
        kernel = real_parameter(self.filter, "Blur", "filter")
        rank = kernel.ndim
        ndim = (3 if rank == 5 else 2) if self.ndim is None else self.ndim
        if ndim not in (1, 2, 3) or not isinstance(ndim, int) or isinstance(ndim, bool):
            raise ParameterError(f"Blur expected ndim among 1, 2, 3, got {ndim!r}")
        if not ndim <= rank <= ndim + 2 or 0 in kernel.shape:
            axes = ", ".join("dhw"[-ndim:])
            raise ShapeError(
                f"Blur expected a filter of shape ({axes}), (C, {axes}) or (B, C, {axes}) for {ndim} spatial axes, "
                f"got shape {tuple(kernel.shape)}: give ndim= for kernels of another dimension"
            )
        while kernel.ndim > ndim and kernel.shape[0] == 1:
            kernel = kernel[0, ...]
        if device is not None:
            kernel = backend.to_device(kernel, device)
        self.__dict__.update(filter=kernel, ndim=ndim)

    # -- geometry: the image lies in a grid, which is convolved; the part `seen` is the result ---------------

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
    def _reach(self) -> tuple[tuple[int, int], ...]:
        """How many samples before and after a sample its result depends on."""
        return tuple((n - 1 - n // 2, n // 2) for n in self.kernel_shape)

    def _seen(self, shape: Any, grid: Grid) -> tuple[slice, ...]:
        """Where the samples of the result lie in the grid of the image of `shape`."""
        inside = self._reach if self.padding == "valid" else ((0, 0),) * self._space
        return tuple(
            slice(before + a, before + n - b)
            for (before, _), (a, b), n in zip(grid.widths, inside, shape[-self._space :], strict=True)
        )

    def _range_shape(self, shape: Any) -> Any:
        return self._resized(shape, 0 if self.padding != "valid" else -1)

    def _domain_shape(self, shape: Any) -> Any:
        return self._resized(shape, 0 if self.padding != "valid" else 1)

    def _mend(self, shape: Any) -> str:
        # As Pillow and matplotlib have them.
        if len(shape) > self._space and shape[-1] <= 4 < shape[-self._space - 1]:
            return "channels go before the image's axes, as in np.moveaxis(x, -1, 0)"
        return "crop the kernel or give a larger image"

    def _resized(self, shape: Any, sign: int) -> Any:
        """The shape on the other side, checked against the kernel."""
        lead, space = tuple(shape[: -self._space]), tuple(shape[-self._space :])
        image = tuple(s + (n - 1 if sign > 0 else 0) for s, n in zip(space, self.kernel_shape, strict=True))
        if any(size < n for size, n in zip(image, self.kernel_shape, strict=True)):
            raise ShapeError(
                f"{self!r} expected an image of at least {_times(self.kernel_shape)}, its kernel's size, got "
                f"{_times(image)}: {self._mend(shape)}"
            )
        check_leading(self, "filter", tuple(self.filter.shape[: -self._space]), tuple(shape), self._space)
        return (*lead, *(s + sign * (n - 1) for s, n in zip(space, self.kernel_shape, strict=True)))

    # -- products ------------------------------------------------------------------------------------------

    @functools.cached_property
    def _passes(self) -> tuple[np.ndarray, ...]:
        """The kernels of a direct convolution, one after the other."""
        return passes_of(backend.to_numpy(self.filter), self._space)

    @functools.cached_property
    def _step(self) -> Extended:
        reach = ((0, 0),) * self._space if self.padding == "valid" else self._reach
        return Extended(self.padding, reach, sensors=1, taps=taps_of(self._passes, self._space))

    @property
    def transform(self) -> Transform:
        return self._step

    def _placed(self, sizes: tuple[int, ...]) -> Any:
        """The kernel in an image of zeros, at its first corner."""
        placed = backend.zeros((*self.filter.shape[: -self._space], *sizes), self.filter)
        placed[(..., *(slice(0, n) for n in self.kernel_shape))] = self.filter
        return placed

    def _transfer(self, sizes: tuple[int, ...]) -> Any:
        """The transfer function: the half spectrum of the kernel, centred at the origin, in complex128."""
        shift = tuple(-(n // 2) for n in self.kernel_shape)
        return backend.rfftn(
            backend.namespace(self.filter).roll(self._placed(sizes), shift, axis=self._axes), self._space
        )

    def _spectrum(self, z: Any, sizes: tuple[int, ...]) -> Any:
        """The transfer function for arrays of `sizes`, in the precision and on the device of `z`."""
        name = backend.complex_name(backend.dtype_name(z))
        key = (sizes, name, backend.device_of(z))
        return derived.get(self, key, lambda: backend.like(self._transfer(sizes), z, name))

    def _forward(self, x: Any) -> Any:
        return self._forward_from(self.transform.lift(x), x.shape, self.transform)

    def _forward_from(self, z: Any, shape: Any, transform: Transform) -> Any:
        grid = grid_of(transform, shape, self._space, backend.on_gpu(z))
        seen = self._seen(shape, grid)
        if grid.direct:
            window = (
                ...,
                *(slice(s.start - a, s.stop + b) for s, (a, b) in zip(seen, self._reach, strict=True)),
            )
            y = backend.correlate(z[window], [np.flip(p, axis=self._axes) for p in self._passes], self._space)
        else:
            y = backend.filtered(z, self._spectrum(z, grid.sizes), grid.sizes, seen)
        return from_pair(y, len(shape))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.transform.lower(self._adjoint_to(y, shape, self.transform), shape)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        grid = grid_of(transform, shape, self._space, backend.on_gpu(y))
        y = self._placed_back(y, shape, grid)
        if grid.direct:
            return backend.correlate(y, self._passes, self._space)
        z = backend.rfftn(y, self._space)
        return backend.times_conj(z, self._spectrum(z, grid.sizes))

    def _placed_back(self, y: Any, shape: Any, grid: Grid) -> Any:
        """A measurement where it lies in the grid of the image of `shape`, with zeros around it."""
        seen = self._seen(shape, grid)
        # Where a direct convolution begins and ends, zeros stand for what lies beyond the result.
        more = self._reach if grid.direct else ((0, 0),) * self._space
        widths = tuple(
            (s.start + b, size - s.stop + a) for s, size, (a, b) in zip(seen, grid.sizes, more, strict=True)
        )
        return pad(as_pair(y), widths, "zero")

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-self._space, 0))

    def _method(self, shape: Any) -> str:
        if not self._step.grid(shape, gpu=False).direct:
            return self._step.method(shape)
        return in_words(self._passes, self._space)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        lifted, kind = transform.lifted(shape, dtype)
        sizes = transform.sizes(shape)[-self._space :]
        kernels = backend.size(self.filter.shape[: -self._space])
        z, result = nbytes(lifted, kind), nbytes(self._range_shape(shape), dtype)
        whole = nbytes((*shape[: -self._space], *sizes), dtype)  # before the result is cut out of it
        whole *= whole != result
        if kind == backend.real_name(kind):  # direct
            flops = 2.0 * taps_of(self._passes, self._space) * backend.size(lifted)
            return Cost(0, flops, self.nbytes, workspace=whole, result=result)
        spectrum = kernels * nbytes(half(sizes), backend.complex_name(dtype))
        # The kernel in a field of zeros, and that rolled; then the rolled one and its spectrum, in double precision.
        field = nbytes(sizes, "float64")
        making = kernels * (field + max(field, nbytes(half(sizes), "complex128")))
        flops = fft_flops((*lifted[: -self._space], *sizes), self._space) + 6.0 * backend.size(lifted)
        return Cost(1, flops, self.nbytes, spectrum, z + max(whole, making), result)

    @property
    def stencil(self) -> Stencil:
        return Stencil(self.filter, self.padding, self._space)

    # -- normal operator -----------------------------------------------------------------------------------

    @property
    def convolution(self) -> Convolution | None:
        return Circular(self._space) if self.padding == "circular" else None

    def _make_normal(self, shape: Any) -> FourierMultiplier:
        sizes = tuple(shape[-self._space :])
        # Where the kernel lies changes phases alone.
        return FourierMultiplier(power(backend.rfftn(self._placed(sizes), self._space)), sizes)

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
