"""Images that are moved, by whole pixels and by parts of them."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError, nearest
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cache import derived
from daskphys.physics.convolution import Convolution
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.normal import Diagonal, Identity
from daskphys.physics.normal.multiplier import Circular
from daskphys.physics.normal_kind import DIAGONAL, IDENTITY, NormalKind
from daskphys.physics.padding import pad, pad_transpose
from daskphys.physics.transform import Plain, RealFFT, Transform, as_pair
from daskphys.physics.value import value

PADDINGS = ("circular", "replicate", "reflect")


@value
class Shift(LinearPhysics):
    """The image moved by `shift`: ``y[i] = x[i − shift]``, between pixels by the Fourier shift theorem.

    Parameters
    ----------
    shift : sequence of 1 to 3 numbers
        How far it moves along each of the last axes, in pixels: (down, right) for images, (deeper, down, right) for
        volumes.  Whole numbers are exact.
    padding : {"circular", "replicate", "reflect"}
        What comes in at the border, as in `Blur`; parts of pixels want ``"circular"``.

    Raises
    ------
    ParameterError
        Not 1 to 3 finite numbers; an unknown padding; parts of pixels and another border than the circular one.
    ShapeError
        A border that is not circular, and a shift beyond the image.

    Notes
    -----
    Parts of pixels: the spectrum times ``exp(−2πi k s / n)`` on each axis.  On an axis of even length n the highest
    frequency, k = n/2, is its own opposite, so that a real operator has a real factor there: ``cos(π s)``, as of one half
    at +n/2 and the other at −n/2.  It is that of the trigonometric interpolant, the adjoint is the shift back, and AᴴA is
    the identity but for that frequency, where it is ``cos²(π s)``.

    Of whole pixels AᴴA is the identity, with a border that is not circular a diagonal: how often each pixel is seen.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Shift
    >>> Shift((0, 1))(np.array([[1.0, 2.0, 3.0]]))
    array([[3., 1., 2.]])
    >>> wave = np.cos(2 * np.pi * np.arange(8) / 8)
    >>> bool(np.allclose(Shift([0.5])(wave), np.cos(2 * np.pi * (np.arange(8) - 0.5) / 8)))
    True
    """

    shift: tuple[float, ...]
    padding: str = "circular"

    def __post_init__(self) -> None:
        shift = _numbers(self.shift)
        if self.padding not in PADDINGS:
            raise ParameterError(
                f"Shift: unknown padding {self.padding!r}: {nearest(str(self.padding), PADDINGS)}"
            )
        self.__dict__["shift"] = shift
        if self.padding != "circular" and not self._whole:
            raise ParameterError(
                f"Shift expected whole pixels for padding {self.padding!r}, got {shift}: parts of pixels want "
                f"padding='circular'"
            )

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return len(self.shift)

    @property
    def _whole(self) -> bool:
        return all(s.is_integer() for s in self.shift)

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-len(self.shift), 0))

    @property
    def _widths(self) -> tuple[tuple[int, int], ...]:
        """What comes in before and after the image."""
        return tuple((max(0, int(s)), max(0, -int(s))) for s in self.shift)

    def _range_shape(self, shape: Any) -> Any:
        space = tuple(shape[-len(self.shift) :])
        if self.padding != "circular" and any(abs(s) >= n for s, n in zip(self.shift, space, strict=True)):
            raise ShapeError(
                f"{self!r} expected an image larger than the shift along each axis, got {tuple(shape)}"
            )
        return shape

    def _domain_shape(self, shape: Any) -> Any:
        return self._range_shape(shape)

    # -- products ------------------------------------------------------------------------------------------

    @property
    def transform(self) -> Transform:
        return Plain() if self._whole else RealFFT(len(self.shift))

    def _forward(self, x: Any) -> Any:
        if not self._whole:
            return self._forward_from(self.transform.lift(x), x.shape, self.transform)
        if self.padding == "circular":
            return self._rolled(x, 1)
        y = pad(x, self._widths, self.padding)
        seen = (slice(b, b + n) for n, (_, b) in zip(x.shape[-len(self.shift) :], self._widths, strict=True))
        return backend.copy(y[(..., *seen)])

    def _adjoint(self, y: Any, shape: Any) -> Any:
        if not self._whole:
            return self.transform.lower(self._adjoint_to(y, shape, self.transform), shape)
        if self.padding == "circular":
            return self._rolled(y, -1)
        return pad_transpose(pad(y, [w[::-1] for w in self._widths], "zero"), self._widths, self.padding)

    def _rolled(self, x: Any, sign: int) -> Any:
        return backend.namespace(x).roll(x, tuple(sign * int(s) for s in self.shift), axis=self._axes)

    def _forward_from(self, z: Any, shape: Any, transform: Transform) -> Any:
        if self._whole:
            return self._forward(z)
        assert self.convolution is not None  # parts of pixels are circular
        return self.convolution.forward(z, self._factors(z, shape), shape)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        if self._whole:
            return self._adjoint(y, shape)
        assert self.convolution is not None
        z = backend.rfftn(as_pair(y), len(self.shift))
        return self.convolution.adjoint(z, self._factors(z, shape))

    def _factors(self, z: Any, shape: Any) -> Any:
        sizes, name = tuple(shape[-len(self.shift) :]), backend.dtype_name(z)
        key = (sizes, name, backend.device_of(z))
        return derived.get(self, key, lambda: backend.like(self._transfer(sizes), z, name))

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        result = nbytes(shape, dtype)
        if self._whole:
            return Cost(workspace=0 if self.padding == "circular" else 2 * result, result=result)
        assert self.convolution is not None
        return self.convolution.step_cost(shape, dtype, 1, transform)

    def _method(self, shape: Any) -> str:
        return "a copy" if self._whole else self.transform.method(shape)

    # -- as a convolution ------------------------------------------------------------------------------------

    @property
    def convolution(self) -> Convolution | None:
        return Circular(len(self.shift)) if self.padding == "circular" else None

    def _transfer(self, sizes: tuple[int, ...]) -> Any:
        made = np.ones((), np.complex128)
        for axis, s, n in zip(self._axes, self.shift, sizes, strict=True):
            k = np.arange(n // 2 + 1) if axis == -1 else np.fft.fftfreq(n, 1 / n)
            factor = np.exp(-2j * np.pi * (k * math.fmod(s, n) % n) / n)
            if n % 2 == 0:
                factor[n // 2] = math.cos(math.pi * math.fmod(s, 2))
            made = made * factor.reshape(-1, *(1,) * (-axis - 1))
        return made

    @property
    def normal_kind(self) -> NormalKind | None:
        if not self._whole:
            return super().normal_kind
        return IDENTITY if self.padding == "circular" else DIAGONAL

    def _make_normal(self, shape: Any) -> Any:
        if not self._whole:
            return super()._make_normal(shape)
        if self.padding == "circular":
            return Identity()
        return Diagonal(self._adjoint(np.ones(shape), shape))

    def _summary(self) -> str:
        by = ", ".join(f"{s:g}" for s in self.shift)
        return f"{by}" + ("" if self.padding == "circular" else f", {self.padding}")


def _numbers(given: Any) -> tuple[float, ...]:
    """The shift as Python numbers."""
    array = doors.to_core(given)
    listed = backend.to_numpy(array).tolist() if backend.is_array(array) else given
    good = isinstance(listed, list | tuple) and 1 <= len(listed) <= 3
    if not good or not all(_finite(s) for s in listed):
        raise ParameterError(
            f"Shift expected 1 to 3 finite numbers, one an axis, as in Shift((0.5, -1)), got {given!r}"
        )
    return tuple(map(float, listed))


def _finite(number: Any) -> bool:
    return isinstance(number, numbers.Real) and not isinstance(number, bool) and math.isfinite(number)
