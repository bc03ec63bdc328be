"""An operator as SciPy knows them: a matrix of which only products with vectors are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from daskphys import backend
from daskphys.errors import DtypeError, ShapeError, describe
from daskphys.physics.measurements import Measurements
from daskphys.physics.spaces import Sensors


class PhysicsLinearOperator(LinearOperator):  # type: ignore[misc]
    """The matrix of an operator for images of one shape, made by `LinearPhysics.as_linear_operator`.

    Parameters
    ----------
    A : LinearPhysics
        The operator.
    image_shape : tuple of int
        The shape of an image.
    dtype : str
        float32, float64, complex64 or complex128.
    """

    def __init__(self, A: Any, image_shape: tuple[int, ...], dtype: Any) -> None:
        self.A = A
        self.image_shape = image_shape
        self.of = _dtype(A, dtype)
        given = A.range_shape(image_shape)
        self._sensors = isinstance(A.range, Sensors)
        #: The shape of each sensor's measurement; of an operator without sensors, one.
        self.measurement_shapes = tuple(given) if self._sensors else (tuple(given),)
        self._made = A._result_dtype(self.of)
        #: Whether a complex measurement counts as two real numbers.
        self.as_pairs = A.of_real_images and self._made != backend.real_name(self._made)
        self._sizes = [backend.size(s) * (2 if self.as_pairs else 1) for s in self.measurement_shapes]
        super().__init__(np.dtype(self.of), (sum(self._sizes), backend.size(image_shape)))

    def _checked(self, vector: Any, size: int) -> Any:
        """A vector of this length, or several as columns, whose imaginary part would not be lost."""
        vector = np.asarray(vector)
        if vector.ndim not in (1, 2) or len(vector) != size:
            raise ShapeError(
                f"{self.A!r}.as_linear_operator: expected a vector of length {size}, or such as columns, got "
                f"{describe(vector)}"
            )
        if np.iscomplexobj(vector) and not np.issubdtype(self.dtype, np.complexfloating):
            raise DtypeError(
                f"{self.A!r}.as_linear_operator: expected real vectors, for its dtype is {self.of}, got {vector.dtype}: "
                f"give the real and the imaginary part each by itself"
                + ("" if self.A.of_real_images else ", or make it with dtype=np.complex128")
            )
        return vector

    def image(self, vector: Any) -> Any:
        """A vector of length N, or vectors as columns (N, K), as an image or K of them."""
        vector = self._checked(vector, self.shape[1])
        return _leading(vector).astype(self.of, copy=False).reshape(*_batch(vector), *self.image_shape)

    def measurements(self, vector: Any) -> Any:
        """A vector of length M, or vectors as columns (M, K), as the operator's measurement."""
        vector = self._checked(vector, self.shape[0])
        rows = _leading(vector)
        arrays = []
        for part, shape in zip(
            np.split(rows, np.cumsum(self._sizes)[:-1], -1), self.measurement_shapes, strict=True
        ):
            own = np.ascontiguousarray(part, self.of)
            own = own.view(self._made) if self.as_pairs else own.astype(self._made, copy=False)
            arrays.append(own.reshape(*_batch(vector), *shape))
        return Measurements(arrays) if self._sensors else arrays[0]

    def vector(self, result: Any, axes: int) -> Any:
        """An image or a measurement as a vector, or as the columns of a matrix where it has `axes` leading axes."""
        arrays = result if isinstance(result, Measurements) else (result,)
        flat = [np.ascontiguousarray(a).reshape(*a.shape[:axes], -1) for a in arrays]
        if self.as_pairs:
            # A sensor that gives real numbers beside others has zeros for their imaginary parts.
            flat = [a.astype(self._made, copy=False).view(self.of) for a in flat]
        return np.concatenate(flat, -1).T

    def _matvec(self, x: Any) -> Any:
        return self._matmat(x.reshape(-1))

    def _matmat(self, X: Any) -> Any:
        return self.vector(self.A.A(self.image(X)), len(_batch(X)))

    def _rmatvec(self, y: Any) -> Any:
        return self._rmatmat(y.reshape(-1))

    def _rmatmat(self, Y: Any) -> Any:
        made = self.A.A_adjoint(self.measurements(Y))
        return _leading(made.reshape(*_batch(Y), -1))


def _batch(vectors: Any) -> tuple[int, ...]:
    return tuple(vectors.shape[1:])


def _leading(vectors: Any) -> Any:
    """Columns as rows, and the other way."""
    return np.ascontiguousarray(vectors.T)


def _dtype(A: Any, dtype: Any) -> str:
    name = np.dtype(dtype).name
    if name not in backend.FLOATS:
        raise DtypeError(
            f"{A!r}.as_linear_operator expected a dtype among {', '.join(backend.FLOATS)}, got {name}"
        )
    if A.of_real_images:
        if name != backend.real_name(name):
            raise DtypeError(
                f"{A!r}.as_linear_operator expected a real dtype, for its images are real, got {name}: its complex "
                f"measurements count as two real numbers each"
            )
        return str(name)
    return str(A._result_dtype(name))


def image_shape(A: Any, shape: Any) -> tuple[int, ...]:
    """The shape of an operator's images, checked."""
    if isinstance(A.domain, Sensors):
        raise ShapeError(
            f"{A!r}.as_linear_operator expected an operator on one image, and its domain is measurements of sensors: take "
            f"the adjoint afterwards, as in A.as_linear_operator(shape).H"
        )
    return tuple(A.domain.shape(shape))
