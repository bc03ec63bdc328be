"""SciPy's linear operators as operators of this package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError, checks_keywords, describe
from daskphys.physics.checks import is_count
from daskphys.physics.function import FunctionOperator

__all__ = ["from_linear_operator"]


@checks_keywords
def from_linear_operator(op: Any, domain: Any = None, range: Any = None) -> FunctionOperator:
    """A `scipy.sparse.linalg.LinearOperator` as an operator on images.

    Parameters
    ----------
    op : LinearOperator, matrix or sparse matrix, of shape (M, N)
        What `scipy.sparse.linalg.aslinearoperator` takes.  It travels to workers by cloudpickle.
    domain, range : int or tuple of int, optional
        The shapes of an image, of N entries, and of a measurement, of M; by default ``(N,)`` and ``(M,)``.

    Returns
    -------
    FunctionOperator
        Whose adjoint is the operator's ``rmatvec``.

    Raises
    ------
    ParameterError
        `op` is none of these.
    ShapeError
        A shape has another number of entries.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse.linalg import aslinearoperator
    >>> from daskphys.interop.scipy import from_linear_operator
    >>> A = from_linear_operator(aslinearoperator(np.arange(12.0).reshape(2, 6)), domain=(2, 3))
    >>> A(np.ones((2, 3))), A.A_adjoint(np.array([1.0, 0.0])).shape
    (array([15., 51.]), (2, 3))
    """
    try:
        linear = aslinearoperator(op)
    except (TypeError, ValueError, AttributeError) as error:
        raise ParameterError(
            f"from_linear_operator expected a scipy.sparse.linalg.LinearOperator or a matrix, got {describe(op)}"
        ) from error
    rows, columns = map(int, linear.shape)
    domain_shape = _shape("domain", domain, columns)
    measurement_shape = _shape("range", range, rows)
    made = np.iscomplexobj(np.empty(0, linear.dtype))
    return FunctionOperator(
        Product(linear, False, measurement_shape),
        Product(linear, True, domain_shape),
        domain_shape,
        measurement_shape,
        makes_complex=made,
    )


def _shape(name: str, given: Any, n: int) -> tuple[int, ...]:
    shape = (n,) if given is None else tuple(given) if isinstance(given, tuple | list) else (given,)
    if not all(is_count(size) for size in shape) or int(np.prod(shape)) != n:
        raise ShapeError(f"from_linear_operator expected {name} as a shape of {n} entries, got {given!r}")
    return tuple(map(int, shape))


@dataclass(frozen=True)
class Product:
    """One product of a linear operator with an array, which it sees as a vector."""

    op: LinearOperator
    adjoint: bool
    shape: tuple[int, ...]

    def __call__(self, x: Any) -> Any:
        vector = backend.to_numpy(x).ravel()
        product = self.op.rmatvec if self.adjoint else self.op.matvec
        if (
            np.iscomplexobj(vector) and np.dtype(self.op.dtype).kind != "c"
        ):  # whose author may count on real ones
            made = product(vector.real.copy()) + 1j * product(vector.imag.copy())
        else:
            made = product(vector)
        wide = np.result_type(vector.dtype, 1j) if np.iscomplexobj(made) else vector.dtype
        return backend.like(np.asarray(made).reshape(self.shape).astype(wide, copy=False), x)
