"""PyLops operators as operators of this package, and the other way."""

from __future__ import annotations

from typing import Any

from daskphys.errors import MissingDependencyError, ParameterError, checks_keywords, describe
from daskphys.interop.scipy import from_linear_operator
from daskphys.physics.base import LinearPhysics
from daskphys.physics.stack import stack

__all__ = ["from_pylops", "to_pylops"]


@checks_keywords
def from_pylops(op: Any) -> Any:
    """A PyLops operator as one of this package; a ``VStack`` becomes a stack, whose sensors Dask can distribute.

    Parameters
    ----------
    op : pylops.LinearOperator
        Whose ``dims`` and ``dimsd`` are the shapes of an image and of a measurement.

    Returns
    -------
    FunctionOperator or StackedPhysics
        With the same products, on arrays.

    Raises
    ------
    ParameterError
        `op` is no PyLops operator.

    Examples
    --------
    >>> import numpy as np
    >>> import pylops
    >>> from daskphys.interop.pylops import from_pylops
    >>> A = from_pylops(pylops.FirstDerivative((4, 5), axis=0, kind="forward", dtype="float64"))
    >>> A(np.arange(20.0).reshape(4, 5))[0]
    array([5., 5., 5., 5., 5.])
    """
    if not all(hasattr(op, name) for name in ("dims", "dimsd", "matvec", "rmatvec")):
        raise ParameterError(
            f"from_pylops expected a pylops.LinearOperator, got {describe(op)}: of SciPy's operators, "
            f"daskphys.interop.scipy.from_linear_operator makes one"
        )
    if type(op).__name__ == "VStack":
        return stack(*map(from_pylops, op.ops))
    return from_linear_operator(op, tuple(map(int, op.dims)), tuple(map(int, op.dimsd)))


@checks_keywords
def to_pylops(A: LinearPhysics, shape: Any, dtype: Any = "float64") -> Any:
    """An operator, plain or distributed, as a PyLops one for images of `shape`.

    Parameters
    ----------
    A : LinearPhysics
        The operator.
    shape : tuple of int, or an image
        The image's shape: ``dims``.
    dtype : dtype
        As of `LinearPhysics.as_linear_operator`.

    Returns
    -------
    pylops.LinearOperator
        Its ``dimsd`` is the measurement's shape; of a stack, and of real images with complex measurements, the length of the vector.

    Raises
    ------
    MissingDependencyError
        PyLops is not installed.
    ShapeError, DtypeError
        As `LinearPhysics.as_linear_operator`.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.interop.pylops import to_pylops
    >>> from daskphys.physics import Blur, gaussian_blur
    >>> Op = to_pylops(Blur(gaussian_blur(1.0), "valid"), (16, 16))
    >>> Op.dims, Op.dimsd, (Op @ np.ones((16, 16))).shape
    ((16, 16), (8, 8), (8, 8))
    """
    try:
        from pylops import LinearOperator
    except ImportError as error:
        raise MissingDependencyError(
            "to_pylops needs PyLops, which is not installed: python -m pip install pylops"
        ) from error
    linear = A.as_linear_operator(shape, dtype)
    alone = len(linear.measurement_shapes) == 1 and not linear.as_pairs
    dimsd = linear.measurement_shapes[0] if alone else (linear.shape[0],)
    return LinearOperator(linear, dtype=linear.dtype, dims=linear.image_shape, dimsd=dimsd)
