"""Conformance tests of operators: whoever writes an operator runs `check_physics` on it.

No test framework is needed.  Each law is one function of the modules here, and its docstring is the name by
which a report calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daskphys.backend import FLOATS
from daskphys.errors import ShapeError, UnsupportedArrayError, describe
from daskphys.physics.base import LinearPhysics
from daskphys.physics.physics import Physics
from daskphys.physics.spaces import Images
from daskphys.testing import content, inverses, kinds, nonlinear, products, stacks
from daskphys.testing.probe import Probe, inputs_stay

__all__ = ["check_physics"]

_EVERY_DTYPE = products.LAWS
_EVERY_SHAPE = (*content.LAWS, *stacks.LAWS, *inverses.LAWS, *kinds.LAWS)


def check_physics(
    operator: Physics,
    shapes: Sequence[Any],
    *,
    dtypes: Sequence[str] = FLOATS,
    seed: int = 0,
    portable: bool = True,
) -> None:
    """Check that `operator` keeps every law that the package builds on, on random inputs.

    Parameters
    ----------
    operator : Physics
        The operator.  Of one that is not linear the gradient `A_vjp` is held against finite differences, in double
        precision: A must be smooth around random images.
    shapes : sequence of shapes
        Shapes of its input, with and without leading axes; for an operator that takes measurements, each is a
        tuple of shapes, one a sensor.  Small ones: up to 1024 entries, norms are also compared with those of
        the dense matrix.
    dtypes : sequence of str
        The dtypes of the inputs; complex ones are left out for an operator of real images.
    seed : int
        Of the random inputs.
    portable : bool
        Whether hooks must compute on arrays of the array API standard too, as CuPy's are.  False for an operator
        of NumPy alone; torch and Dask arrays reach it as NumPy's all the same.

    Raises
    ------
    AssertionError
        With one line for each broken law: the operator, the law, the first input that breaks it, the figures.

    Examples
    --------
    >>> from daskphys.physics import Blur, gaussian_blur
    >>> from daskphys.testing import check_physics
    >>> check_physics(Blur(gaussian_blur(1.0), padding="valid"), [(12, 13), (3, 12, 13)])
    """
    if not isinstance(operator, Physics):
        raise UnsupportedArrayError(f"check_physics expected an operator, got {describe(operator)}")
    if not shapes or not all(isinstance(shape, tuple) for shape in shapes):
        raise ShapeError(
            f"check_physics expected a list of shapes, as in [(8, 9), (3, 8, 9)], got {shapes!r}"
        )
    linear = isinstance(operator, LinearPhysics)
    every_dtype, every_shape = (
        (_EVERY_DTYPE, _EVERY_SHAPE) if linear else (nonlinear.DTYPES, nonlinear.SHAPES)
    )
    every_shape = tuple(law for law in every_shape if portable or law is not kinds.array_api)
    broken: dict[str, list[str]] = {}
    real = operator.domain.real if isinstance(operator.domain, Images) else False
    for shape in shapes:
        own = [name for name in dtypes if not (real and name.startswith("complex"))]
        for dtype, laws in [*((name, every_dtype) for name in own), ("float64", every_shape)]:
            probe = Probe(operator, shape, dtype, seed)
            for law in (*laws, inputs_stay):
                try:
                    law(probe)
                except Exception as error:
                    figures = str(error) if isinstance(error, AssertionError) else f"it raised {error!r}"
                    broken.setdefault(str(law.__doc__), []).append(f"on {dtype} of shape {shape}: {figures}")
    if broken:
        raise AssertionError("\n".join(_line(operator, law, cases) for law, cases in broken.items()))


def _line(operator: Physics, law: str, cases: list[str]) -> str:
    more = f" (and on {len(cases) - 1} more inputs)" if len(cases) > 1 else ""
    return f"{operator!r} breaks “{law}” {cases[0]}{more}"
