"""Images of which some pixels are missing, and parts of images."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics.base import LinearPhysics
from daskphys.physics.checks import real_parameter
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.normal import Diagonal
from daskphys.physics.normal_kind import DIAGONAL, NormalKind
from daskphys.physics.value import value


@value
class Inpainting(LinearPhysics):
    """The image where `mask` is one, and zero elsewhere.

    Parameters
    ----------
    mask : array, shape (H, W), (1|C, H, W) or (1|B, 1|C, H, W), of bool or of numbers
        True, or 1, where a pixel is seen; numbers between weight it.

    Raises
    ------
    ParameterError
        Complex, NaN or infinite entries.
    ShapeError
        The mask has fewer than two axes, or the image does not fit.

    Notes
    -----
    AᴴA merges into one `Diagonal`, for any number of masks.  Noise lands where the mask is not zero.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Inpainting, stack
    >>> A = stack(Inpainting(np.eye(2)), Inpainting(1 - np.eye(2)))
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> A(x)[0], bool(np.array_equal(A.A_dagger(A(x)), x))
    (array([[1., 0.],
           [0., 4.]]), True)
    """

    mask: Any

    def __post_init__(self) -> None:
        mask = real_parameter(self.mask, "Inpainting", "mask")
        if mask.ndim < 2:
            raise ShapeError(f"Inpainting expected a mask of shape (…, H, W), got {tuple(mask.shape)}")
        while mask.ndim > 2 and mask.shape[0] == 1:
            mask = mask[0, ...]
        if 1 in mask.shape[-2:]:  # a row for all rows is what `Diagonal` means by it
            raise ShapeError(
                f"Inpainting expected a mask with an entry for each pixel, got shape {tuple(mask.shape)}: broadcast it "
                f"first, or use Diagonal"
            )
        self.__dict__["mask"] = mask

    @property
    def pointwise(self) -> Diagonal:
        """The mask as a `Diagonal`."""
        made = self.__dict__.get("_kept")
        if made is None:
            made = self.__dict__["_kept"] = Diagonal(self.mask)
        return made

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(self.mask.ndim)

    def _range_shape(self, shape: Any) -> Any:
        own = tuple(self.mask.shape)
        if any(n not in (1, m) for n, m in zip(own, shape[len(shape) - len(own) :], strict=True)):
            raise ShapeError(
                f"{self!r} expected an image whose last axes are {own} (1: any), got {tuple(shape)}"
            )
        return shape

    def _domain_shape(self, shape: Any) -> Any:
        return self._range_shape(shape)

    @property
    def _measured(self) -> Any:
        return self.mask

    def _forward(self, x: Any) -> Any:
        return self.pointwise._forward(x)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.pointwise._forward(y)

    @property
    def normal_kind(self) -> NormalKind:
        return DIAGONAL

    def _make_normal(self, shape: Any) -> Any:
        return self.pointwise._make_normal(shape)

    def _step_cost(self, shape: Any, dtype: str, transform: Any) -> Cost:
        return self.pointwise._step_cost(shape, dtype, transform)

    def _thumbnails(self) -> list[tuple[str, Any]]:
        mask = backend.to_numpy(self.mask)
        return [("mask", mask.reshape(-1, *mask.shape[-2:])[0])]


@value
class Crop(LinearPhysics):
    """A rectangle of the image.

    Parameters
    ----------
    start, stop : tuple of int
        The first pixel on each of the last axes, and the one after the last.
    image_shape : tuple of int
        The image's sizes on these axes, which the rectangle does not tell.

    Raises
    ------
    ParameterError
        The rectangle is empty, or not within the image.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Crop
    >>> A = Crop((1, 0), (3, 2), image_shape=(4, 3))
    >>> A(np.arange(12.0).reshape(4, 3))
    array([[3., 4.],
           [6., 7.]])
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    image_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        sides = (self.start, self.stop, self.image_shape)
        if not all(isinstance(side, tuple | list) and all(map(_whole, side)) for side in sides):
            raise ParameterError(
                f"Crop expected start, stop and image_shape as tuples of whole numbers, got {self.start!r}, {self.stop!r} "
                f"and {self.image_shape!r}"
            )
        box = tuple(zip(*sides, strict=False))
        even = len(self.start) == len(self.stop) == len(self.image_shape)
        if not even or not box or not all(0 <= a < b <= n for a, b, n in box):
            raise ParameterError(
                f"Crop expected 0 <= start < stop <= image_shape on each axis, got start={self.start}, stop={self.stop}, "
                f"image_shape={self.image_shape}"
            )
        for name in ("start", "stop", "image_shape"):
            self.__dict__[name] = tuple(map(int, getattr(self, name)))

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return len(self.image_shape)

    @property
    def _seen(self) -> Any:
        return (..., *map(slice, self.start, self.stop))

    def _range_shape(self, shape: Any) -> Any:
        return self._resized(
            shape, self.image_shape, tuple(b - a for a, b in zip(self.start, self.stop, strict=True))
        )

    def _domain_shape(self, shape: Any) -> Any:
        return self._resized(
            shape, tuple(b - a for a, b in zip(self.start, self.stop, strict=True)), self.image_shape
        )

    def _resized(self, shape: Any, expected: tuple[int, ...], wanted: tuple[int, ...]) -> Any:
        own = len(expected)
        if tuple(shape[-own:]) != expected:
            raise ShapeError(f"{self!r} expected an array whose last axes are {expected}, got {tuple(shape)}")
        return (*shape[:-own], *wanted)

    def _forward(self, x: Any) -> Any:
        return x[self._seen]

    def _adjoint(self, y: Any, shape: Any) -> Any:
        x = backend.zeros(shape, y)
        x[self._seen] = y
        return x

    @property
    def normal_kind(self) -> NormalKind:
        return DIAGONAL

    def _make_normal(self, shape: Any) -> Any:
        entries = np.zeros(self.image_shape)
        entries[self._seen] = 1.0
        return Diagonal(entries)

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return Cost(result=nbytes(self._range_shape(shape), dtype))

    def _summary(self) -> str:
        box = ", ".join(f"{a}:{b}" for a, b in zip(self.start, self.stop, strict=True))
        return f"[{box}] of {'×'.join(map(str, self.image_shape))}"


def _whole(number: Any) -> bool:
    return isinstance(number, numbers.Integral) and not isinstance(number, bool)
