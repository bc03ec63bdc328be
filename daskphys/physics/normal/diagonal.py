"""Multiplication pixel by pixel: masks and weights."""

from __future__ import annotations

from typing import Any

from daskphys import backend
from daskphys.errors import ShapeError
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.normal import pictures
from daskphys.physics.normal.identity import Identity
from daskphys.physics.normal.spectral import Spectral
from daskphys.physics.normal.sums import NormalValue
from daskphys.physics.normal_kind import DIAGONAL, NormalKind
from daskphys.physics.transform import Transform
from daskphys.physics.value import value


@value
class Diagonal(Spectral):
    """Multiplication of the image by `entries`, pixel by pixel.

    Parameters
    ----------
    entries : array, float64 or complex128
        They broadcast against the image's trailing axes: an axis of length 1 stands for any length.
        Real for a self-adjoint operator.

    Raises
    ------
    ParameterError
        NaN or infinite entries.
    ShapeError
        The image, or the diagonal that is added, has other sizes.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.normal import Diagonal
    >>> W = Diagonal([[1.0, 0.5], [0.0, 2.0]])
    >>> W(np.ones((2, 2), np.float32))
    array([[1. , 0.5],
           [0. , 2. ]], dtype=float32)
    >>> W.norm(), W.pinv().diagonal()
    (2.0, array([[1. , 2. ],
           [0. , 0.5]]))
    """

    entries: Any
    _array = "entries"

    def __post_init__(self) -> None:
        self.__dict__.update(entries=self._take(self.entries))

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(self.entries.ndim)

    @property
    def pointwise(self) -> Diagonal:
        """Itself."""
        return self

    @property
    def kind(self) -> NormalKind:
        return DIAGONAL

    @property
    def rounding_units(self) -> float:
        return 1.0

    def _measured_after(self, first: Any) -> Any:
        return first

    def _forward(self, x: Any) -> Any:
        return self.multiply(x)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self.multiply(y, conjugate=True)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        result, kind = nbytes(shape, self._result_dtype(dtype)), backend.real_name(dtype)
        kept = nbytes(tuple(self.entries.shape), kind if self.self_adjoint else backend.complex_name(kind))
        return Cost(flops=result / 4, parameters=self.nbytes, kept=kept, result=result)

    def _range_shape(self, shape: Any) -> Any:
        own = tuple(self.entries.shape)
        image = tuple(shape[len(shape) - len(own) :])
        if any(n not in (1, size) for n, size in zip(own, image, strict=True)):
            raise ShapeError(
                f"{self!r} expected an image whose last axes are {own} (1: any), got {tuple(shape)}"
            )
        return shape

    def _result_dtype(self, dtype: str) -> str:
        return dtype if self.self_adjoint else backend.complex_name(dtype)

    def _plus(self, other: NormalValue) -> Diagonal | None:
        if isinstance(other, Identity):
            return self._holding(self.entries + other.factor)
        if not isinstance(other, Diagonal):
            return None
        self._check_sum(other, "diagonals", self.entries, other.entries)
        return self._holding(self.entries + backend.like(other.entries, self.entries))

    def diagonal(self) -> Any:
        """The entries."""
        return self.entries

    def _thumbnails(self) -> list[tuple[str, Any]]:
        return pictures.of_pixels(self.entries)
