"""Operators that are given as a matrix, dense or sparse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daskphys import backend, doors
from daskphys.errors import DtypeError, ParameterError, ShapeError, describe
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cache import derived
from daskphys.physics.checks import is_count
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.joined import JoinedPhysics
from daskphys.physics.value import Value, value

#: Entries of a matrix that are evaluated together, as one part: 4 to 16 MiB.
_PART = 1 << 20


@value
class SparseRows(Value):
    """A matrix by its compressed sparse rows: entries, their columns, and where each row begins."""

    data: Any
    indices: Any
    indptr: Any
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.indptr) - 1, self.columns

    @property
    def entries(self) -> int:
        """How many entries are kept."""
        return len(self.data)

    def __getitem__(self, index: Any) -> SparseRows:
        """Some of the rows, by ``[..., rows, :]``."""
        _, rows, _ = index
        start, stop, step = rows.indices(self.shape[0])
        if step == 1:
            first, last = int(self.indptr[start]), int(self.indptr[stop])
            return self._part(
                self.data[first:last], self.indices[first:last], self.indptr[start : stop + 1] - first
            )
        chosen = self.matrix[rows]
        return self._part(chosen.data, chosen.indices, chosen.indptr)

    def _part(self, data: Any, indices: Any, indptr: Any) -> SparseRows:
        return SparseRows(data, indices, indptr, self.columns)

    @property
    def matrix(self) -> Any:
        """As SciPy's."""
        from scipy.sparse import csr_array

        arrays = map(backend.to_numpy, (self.data, self.indices, self.indptr))
        return csr_array(tuple(arrays), shape=self.shape)

    def __repr__(self) -> str:
        return f"{self.shape[0]}×{self.columns}, {self.entries} entries"


@value
class Rows(LinearPhysics):
    """The product with a matrix; `MatrixOperator` is its face.

    Parameters
    ----------
    matrix : array, shape (M, N), or SparseRows
        Checked, and frozen.
    domain_shape : tuple of int
        The image's axes that the columns count, the last one fastest.
    """

    matrix: Any
    domain_shape: tuple[int, ...]
    range_ndim = 1

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return len(self.domain_shape)

    @property
    def _entries(self) -> Any:
        return self.matrix.data if isinstance(self.matrix, SparseRows) else self.matrix

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype) if backend.is_complex(self._entries) else dtype

    def _range_shape(self, shape: Any) -> Any:
        own = self.domain_shape
        if tuple(shape[-len(own) :]) != own:
            raise ShapeError(
                f"{self!r} expected an array whose last axes are {own}, as its matrix has columns, got {tuple(shape)}"
            )
        return (*shape[: -len(own)], self.matrix.shape[0])

    def _domain_shape(self, shape: Any) -> Any:
        if shape[-1] != self.matrix.shape[0]:
            raise ShapeError(
                f"{self!r} expected a measurement of {self.matrix.shape[0]} numbers, one a row, along the last axis, got "
                f"shape {tuple(shape)}"
            )
        return (*shape[:-1], *self.domain_shape)

    def _forward(self, x: Any) -> Any:
        shape, ndim = self._range_shape(x.shape), self.domain_ndim
        return self._product(x, ndim, shape, backend.dense_times, backend.csr_times)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._product(y, 1, shape, backend.dense_adjoint_times, backend.csr_adjoint_times)

    def _product(
        self, x: Any, ndim: int, shape: Any, dense: Callable[..., Any], csr: Callable[..., Any]
    ) -> Any:
        """The product of each vector in the last `ndim` axes of `x`, one after another, as an array of `shape`."""
        vectors = backend.namespace(x).reshape(x, (backend.size(x.shape[: x.ndim - ndim]), -1))
        entries = self._cast(x)
        if isinstance(self.matrix, SparseRows):
            indices, indptr = (backend.like(a, x) for a in (self.matrix.indices, self.matrix.indptr))
            made = csr(entries, indices, indptr, self.matrix.shape, vectors)
        else:
            made = dense(entries, vectors)
        return backend.namespace(x).reshape(made, tuple(shape))

    def _cast(self, x: Any) -> Any:
        """The entries in the precision of `x`, and where it is; a copy is kept."""
        real = backend.real_name(backend.dtype_name(x))
        wanted = backend.complex_name(real) if backend.is_complex(self._entries) else real
        if backend.dtype_name(self._entries) == wanted and backend.device_of(
            self._entries
        ) == backend.device_of(x):
            return backend.like(self._entries, x)
        key = ("matrix", wanted, backend.namespace(x).__name__, backend.device_of(x))
        return derived.get(self, key, lambda: backend.like(self._entries, x, wanted))

    def _step_cost(self, shape: Any, dtype: str, transform: Any) -> Cost:
        wide = self._result_dtype(dtype)
        batch = backend.size(shape) // backend.size(self.domain_shape)
        entries = (
            self.matrix.entries if isinstance(self.matrix, SparseRows) else backend.size(self.matrix.shape)
        )
        planes = (2 if backend.is_complex(self._entries) else 1) * (2 if dtype.startswith("complex") else 1)
        result, image = nbytes(self._range_shape(shape), wide), nbytes(shape, wide)
        own = nbytes((entries,), wide if backend.is_complex(self._entries) else backend.real_name(dtype))
        kept = 0 if backend.nbytes(self._entries) == own else own
        return Cost(0, 2.0 * entries * batch * planes, self.nbytes, kept, 2 * (result + image), result)

    def _summary(self) -> str:
        if isinstance(self.matrix, SparseRows):
            return repr(self.matrix)
        return "×".join(map(str, self.matrix.shape))


@value
class MatrixOperator(JoinedPhysics):
    """``y = A x`` for a matrix A of M rows and N columns.

    It acts on the last axis, of N numbers, or on the last axes of `domain_shape`, which the columns count in C order;
    the measurement has M numbers along its last axis.  Rows are its sensor axis: ``A[i:j]`` has the rows i to j, and on
    a cluster workers hold groups of rows.

    Parameters
    ----------
    matrix : array, shape (M, N)
        Dense (NumPy, CuPy, torch), sparse (any of `scipy.sparse`, or what has its ``tocsr``), or a Dask array, whose
        chunks are loaded on the workers once it is distributed.  It is kept in the precision that it has, and used in
        that of the image.
    domain_shape : tuple of int, optional
        Sizes whose product is N; ``(N,)`` by default.

    Raises
    ------
    ShapeError
        The matrix has not two axes, is empty, or does not fit `domain_shape`; the image has other sizes.
    ParameterError
        NaN or infinite entries.

    Notes
    -----
    AᴴA does not merge.  Where N is small, ``MatrixOperator(A.conj().T @ A)`` is the matrix of it.

    The bits of a result depend neither on threads, nor on a batch, nor on how the rows are cut: sums never go through a
    BLAS, which is faster, above all for a large batch.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> from daskphys.physics import MatrixOperator
    >>> A = MatrixOperator(np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1j]]))
    >>> A(np.ones(3)), A.A_adjoint(np.ones(2)), A[1](np.ones(3))
    (array([3.+0.j, 1.+1.j]), array([1.+0.j, 3.+0.j, 0.-1.j]), array(1.+1.j))
    >>> D = MatrixOperator(scipy.sparse.diags_array([1.0, -1.0], offsets=[0, 1], shape=(5, 6)), domain_shape=(2, 3))
    >>> D(np.arange(6.0).reshape(2, 3))
    array([-1., -1., -1., -1., -1.])
    """

    matrix: Any
    domain_shape: tuple[int, ...] | None = None
    sensor_fields = {"matrix": -2}  # noqa: RUF012

    def __post_init__(self) -> None:
        matrix = self.matrix
        if hasattr(matrix, "tocsr"):
            matrix = _sparse_rows(matrix)
        elif not (doors.is_lazy(matrix) or isinstance(matrix, SparseRows)):
            matrix = backend.as_parameter(doors.to_core(matrix), "MatrixOperator", "matrix", double=False)
        sizes = tuple(matrix.shape)
        if len(sizes) != 2 or not all(n > 0 for n in sizes):  # those that Dask does not know are NaN
            raise ShapeError(
                f"MatrixOperator expected a matrix of shape (M, N), one row at least and one column, got shape "
                f"{sizes}"
            )
        if not doors.is_lazy(matrix):
            entries = matrix.data if isinstance(matrix, SparseRows) else matrix
            xp = backend.namespace(entries)
            if not bool(xp.all(xp.isfinite(entries))):
                raise ParameterError("MatrixOperator expected finite entries, got NaN or infinity")
        columns = int(sizes[1])
        own = (columns,) if self.domain_shape is None else self.domain_shape
        own = tuple(own) if isinstance(own, tuple | list) else (own,)
        if not own or not all(map(is_count, own)) or backend.size(own) != columns:
            raise ShapeError(
                f"MatrixOperator expected a domain_shape of {columns} numbers, as many as the matrix has columns, got "
                f"{self.domain_shape!r}"
            )
        self.__dict__.update(matrix=matrix, domain_shape=tuple(map(int, own)))

    @property
    def sensors_a_part(self) -> int:  # type: ignore[override]
        rows, columns = self.matrix.shape
        entries = self.matrix.entries // rows if isinstance(self.matrix, SparseRows) else columns
        return int(max(1, min(rows, _PART // max(1, entries))))

    def _together(self) -> Rows:
        if doors.is_lazy(self.matrix):
            raise ParameterError(
                f"{self!r} has a Dask array as its matrix, which workers load: distribute it, or compute the matrix"
            )
        return Rows(self.matrix, self.domain_shape)  # type: ignore[arg-type]

    def _summary(self) -> str:
        if isinstance(self.matrix, SparseRows):
            return repr(self.matrix)
        return "×".join(map(str, self.matrix.shape))


def _sparse_rows(matrix: Any) -> SparseRows:
    """Any sparse matrix by its rows, each entry once and in the order of its columns."""
    rows = matrix.tocsr()
    if rows is matrix:
        rows = matrix.copy()
    if not hasattr(rows, "indptr"):
        raise ParameterError(
            f"MatrixOperator expected a sparse matrix of SciPy's kind, got {describe(matrix)}"
        )
    rows.sum_duplicates()
    if rows.dtype.kind not in "fcbiu":
        raise DtypeError(f"MatrixOperator: matrix expected real or complex numbers, got {rows.dtype}")
    data = backend.as_parameter(rows.data, "MatrixOperator", "matrix", double=False)
    return SparseRows(data, rows.indices, rows.indptr, int(rows.shape[1]))
