"""Vectors of right-hand sides: sums and products of one array, or of a sequence of arrays (one a sensor).

Inner products have the same bits for any number of threads and for one right-hand side or many: they sum
rows by NumPy's pairwise sum in blocks of fixed length, and sensors in the canonical order.  (BLAS would cut a
long vector by the number of its threads.)
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.krylov.system import Scalars, Vector
from daskphys.pairwise import pairwise_sum

#: Entries that are widened to double precision at a time: they stay in the cache.
_BLOCK = 1 << 14


def inner(a: Vector, b: Vector, shape: tuple[int, ...]) -> Scalars:
    """Re ⟨a, b⟩ of each right-hand side, accumulated in float64.

    Parameters
    ----------
    a, b
        Two vectors of the same shapes and dtype.
    shape
        The shape of the result: that of the leading axes, then ones.
    """
    if _is_many(a):
        value: Scalars = pairwise_sum(inner(x, y, shape) for x, y in zip(a, b, strict=True))
        return value
    rows = prod(shape)
    if not isinstance(a, np.ndarray):
        return _inner_of_library(a, b, rows).reshape(shape)
    flat_a, flat_b = _rows(a, rows), _rows(b, rows)
    length = flat_a.shape[1]
    total = np.zeros(rows)
    step = max(1, _BLOCK // max(1, length))
    for top in range(0, rows, step):
        part = slice(top, top + step)
        total[part] = pairwise_sum(
            _sum_of_products(flat_a[part, left : left + _BLOCK], flat_b[part, left : left + _BLOCK])
            for left in range(0, max(1, length), _BLOCK)
        )
    return total.reshape(shape)


def _rows(a: np.ndarray, rows: int) -> np.ndarray:
    """One row of reals for each right-hand side; a complex number is two of them."""
    flat = np.ascontiguousarray(a).reshape(rows, -1)
    return flat.view(backend.real_name(flat.dtype.name))


def _sum_of_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    product = np.multiply(a, b, dtype=np.float64)
    array: np.ndarray = np.add.reduce(product, axis=-1)
    return array


def _inner_of_library(a: Any, b: Any, rows: int) -> np.ndarray:
    xp = backend.namespace(a)
    a, b = xp.reshape(a, (rows, -1)), xp.reshape(b, (rows, -1))
    pairs = [(xp.real(a), xp.real(b)), (xp.imag(a), xp.imag(b))] if backend.is_complex(a) else [(a, b)]
    wide = [backend.astype(x, "float64") * backend.astype(y, "float64") for x, y in pairs]
    return backend.to_numpy(sum(xp.sum(products, axis=1) for products in wide))


def norm(a: Vector, shape: tuple[int, ...]) -> Scalars:
    """‖a‖ of each right-hand side."""
    value: Scalars = np.sqrt(inner(a, a, shape))
    return value


def fitted(scalars: Scalars, array: Any) -> Any:
    """`scalars` in the precision, library and number of axes of `array`, so that their product keeps its dtype."""
    shape = (*scalars.shape, *(1,) * array.ndim)[: array.ndim]
    real = scalars.reshape(shape).astype(backend.real_name(backend.dtype_name(array)))
    return backend.like(real, array)


def divided(a: Vector, scalars: Scalars) -> Vector:
    """``a / scalars``, and 0 where a scalar is 0."""
    return _each(lambda x: x / fitted(np.where(scalars == 0, np.inf, scalars), x), a)


def plus(a: Vector, scalars: Scalars, b: Vector) -> Vector:
    """``a + scalars · b``, a new vector."""
    return _each(lambda x, y: _added(fitted(scalars, y) * y, x), a, b)


def _added(own: Any, other: Any) -> Any:
    """The sum, in the memory of `own` where that can hold it: a vector is as large as an image."""
    if own.dtype == other.dtype:
        own += other
        return own
    return own + other


def ratio(a: Scalars, b: Scalars) -> Scalars:
    """``a / b``, and 0 where b is 0: a right-hand side that is solved moves no more."""
    value: Scalars = np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)
    return value


def scaled(number: float, a: Vector) -> Vector:
    """``number · a`` for a number of Python, which keeps the dtype."""
    return _each(lambda x: number * x, a)


def zeros_like(a: Vector) -> Vector:
    """A vector of zeros like `a`."""
    return _each(lambda x: backend.zeros(tuple(x.shape), x), a)


def _is_many(a: Vector) -> bool:
    return not backend.is_array(a)


def _each(f: Any, first: Vector, *others: Vector) -> Vector:
    """`f` of an array, or of each sensor's arrays, as a sequence of the kind of `first`."""
    if not _is_many(first):
        return f(first, *others)
    return type(first)(f(*arrays) for arrays in zip(first, *others, strict=True))
