"""Products of a matrix with vectors, whose bits depend neither on threads nor on how many vectors there are.

A BLAS chooses the order of its sums by both, so dense products on the CPU go by `numpy.einsum`, one vector after
another and in pieces that the matrix alone determines.  A BLAS is faster: 1.7 times for one vector and a matrix that is
larger than the caches, 5 times for many (`benchmarks/families/generic.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from daskphys.backend.arrays import (
    Array,
    astype,
    complex_name,
    complex_of,
    concat,
    dtype_name,
    is_complex,
    namespace,
    on_gpu,
    real_name,
)
from daskphys.backend.threads import spread

#: Entries of a matrix that one thread takes at a time.
_PIECE = 1 << 18

#: From how many vectors on they go through a sparse matrix together, and how many at a time.  Measured with projections
#: of 256² images: two columns take three times as long as one after the other, 8 take 0.8 times, 32 take 0.3 times.
_SHARED, _TOGETHER = 8, 32


def dense_times(matrix: Array, x: Array) -> Array:
    """``A x`` for each of the vectors in the rows of `x`; both have one precision."""
    if not isinstance(x, np.ndarray):
        matrix, x = _alike(matrix, x)
        xp = namespace(x)
        return xp.stack([xp.matmul(matrix, x[k, :]) for k in range(x.shape[0])])
    rows, vectors = _real(matrix), _planes(x)
    if is_complex(
        matrix
    ):  # of (re, im) pairs: Re(a x) is the product with (re, -im), Im(a x) that with (im, re)
        re = vectors[:, 0]
        im = vectors[:, 1] if is_complex(x) else np.zeros_like(re)
        pairs = np.stack([re, -im], -1), np.stack([im, re], -1)
        vectors = np.stack([pair.reshape(len(x), -1) for pair in pairs], 1)
    out = np.empty((*vectors.shape[:2], len(rows)), rows.dtype)

    def piece(bound: slice) -> None:
        for index in np.ndindex(vectors.shape[:2]):
            np.einsum("ij,j->i", rows[bound], vectors[index], out=out[index][bound])

    _each_piece(piece, rows, len(x))
    return complex_of(out[:, 0], out[:, 1]) if out.shape[1] == 2 else out[:, 0]


def dense_adjoint_times(matrix: Array, y: Array) -> Array:
    """``Aᴴ y`` for each of the vectors in the rows of `y`; both have one precision."""
    if not isinstance(y, np.ndarray):
        matrix, y = _alike(matrix, y)
        xp = namespace(y)
        turned = xp.conj(matrix.T) if is_complex(matrix) else matrix.T
        return xp.stack([xp.matmul(turned, y[k, :]) for k in range(y.shape[0])])
    rows, vectors = _real(matrix), _planes(y)

    def piece(bound: slice) -> np.ndarray:
        made = np.empty((*vectors.shape[:2], rows.shape[1]), rows.dtype)
        for index in np.ndindex(vectors.shape[:2]):
            np.einsum("ij,i->j", rows[bound], vectors[index][bound], out=made[index])
        return made

    # Whole rows: parts of them would be pages apart.  A sum costs less than a tenth of its piece.
    out, *others = _each_piece(piece, rows, len(y), least=16)
    for other in others:
        out += other
    if not is_complex(matrix):
        return complex_of(out[:, 0], out[:, 1]) if is_complex(y) else out[:, 0]
    sums = out.view(complex_name(rows.dtype.name))  # Σ a Re y and Σ a Im y
    if not is_complex(y):
        return sums[:, 0].conj()
    of_re, of_im = sums[:, 0], sums[:, 1]
    return complex_of(of_re.real + of_im.imag, of_im.real - of_re.imag)


def csr_times(data: Array, indices: Array, indptr: Array, shape: tuple[int, int], x: Array) -> Array:
    """``A x`` for each of the vectors in the rows of `x`, by the compressed sparse rows of A."""
    return _sparse("csr", data, indices, indptr, shape, x)


def csr_adjoint_times(data: Array, indices: Array, indptr: Array, shape: tuple[int, int], y: Array) -> Array:
    """``Aᴴ y`` for each of the vectors in the rows of `y`, by the compressed sparse rows of A."""
    data = data.conj() if is_complex(data) else data
    return _sparse("csc", data, indices, indptr, shape[::-1], y)


def _sparse(form: str, data: Array, indices: Array, indptr: Array, shape: tuple[int, int], x: Array) -> Array:
    """Each sum follows the entries of its row (or column) one after the other, however many vectors there are."""
    if on_gpu(x):
        from cupyx.scipy import sparse
    else:
        from scipy import sparse
    kinds = (
        {"csr": "csr_matrix", "csc": "csc_matrix"} if on_gpu(x) else {"csr": "csr_array", "csc": "csc_array"}
    )
    matrix = getattr(sparse, kinds[form])(shape, dtype=data.dtype)
    # Not by the constructor, which copies arrays that are small parts of larger ones.
    matrix.data, matrix.indices, matrix.indptr = data, indices, indptr
    if is_complex(data):
        return _by_columns(matrix, astype(x, dtype_name(data)))
    if not is_complex(x):
        return _by_columns(matrix, x)
    both = _by_columns(matrix, concat([x.real, x.imag], 0))
    return complex_of(both[: len(x)], both[len(x) :])


def _by_columns(matrix: Any, x: Array) -> Array:
    """The product with each row of `x`; many go through the matrix together, as columns.

    A single column has a routine of its own in SciPy, which adds in the same order.
    """
    xp = namespace(x)
    out = xp.empty((len(x), matrix.shape[0]), dtype=x.dtype)
    step = 1 if len(x) < _SHARED else _TOGETHER
    for start in range(0, len(x), step):
        some = slice(start, start + step)
        out[some] = (matrix @ xp.ascontiguousarray(x[some].T)).T
    return out


def _alike(matrix: Array, x: Array) -> tuple[Array, Array]:
    """Both real, or both complex."""
    if is_complex(matrix) == is_complex(x):
        return matrix, x
    name = complex_name(dtype_name(x))
    return astype(matrix, name), astype(x, name)


def _real(matrix: np.ndarray) -> np.ndarray:
    """Rows of real numbers; those of a complex matrix hold (re, im) pairs."""
    matrix = np.ascontiguousarray(matrix)
    return matrix.view(real_name(matrix.dtype.name)) if is_complex(matrix) else matrix


def _planes(x: np.ndarray) -> np.ndarray:
    """Real vectors (n, 1 or 2, size): the vectors, or their real and imaginary parts."""
    return np.stack([x.real, x.imag], 1) if is_complex(x) else np.ascontiguousarray(x)[:, None]


def _each_piece(call: Callable[[slice], Any], rows: np.ndarray, vectors: int, least: int = 1) -> list[Any]:
    """`call` for pieces of the rows, `least` of them at a time or more, which depend on the matrix alone."""
    step = max(least, _PIECE // rows.shape[1])
    pieces = [slice(start, start + step) for start in range(0, len(rows), step)]
    return spread(call, pieces, step * rows.shape[1] * vectors)
