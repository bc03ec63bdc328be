"""SigPy Linops as operators of this package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskphys import backend
from daskphys.errors import ParameterError, checks_keywords, describe
from daskphys.physics.function import FunctionOperator
from daskphys.physics.stack import stack

__all__ = ["from_sigpy"]


@checks_keywords
def from_sigpy(linop: Any, makes_complex: bool = False) -> Any:
    """A SigPy ``Linop`` as an operator; a ``Vstack`` becomes a stack, whose sensors Dask can distribute.

    Parameters
    ----------
    linop : sigpy.linop.Linop
        Whose ``ishape`` and ``oshape`` are the shapes of an image and of a measurement.
    makes_complex : bool
        Whether it makes complex numbers of real ones, as Fourier transforms do: a Linop does not say.

    Returns
    -------
    FunctionOperator or StackedPhysics
        With the same products.

    Raises
    ------
    ParameterError
        `linop` is none.

    Examples
    --------
    >>> import sigpy  # doctest: +SKIP
    >>> from daskphys.interop.sigpy import from_sigpy
    >>> A = from_sigpy(sigpy.linop.FiniteDifference((8, 8)))  # doctest: +SKIP
    """
    if not all(hasattr(linop, name) for name in ("ishape", "oshape", "apply", "H")):
        raise ParameterError(f"from_sigpy expected a sigpy.linop.Linop, got {describe(linop)}")
    if type(linop).__name__ == "Vstack":
        return stack(*(from_sigpy(one, makes_complex) for one in linop.linops))
    domain, measurement = (tuple(map(int, shape)) for shape in (linop.ishape, linop.oshape))
    return FunctionOperator(
        Applied(linop, bool(makes_complex)),
        Applied(linop.H, bool(makes_complex)),
        domain,
        measurement,
        makes_complex=bool(makes_complex),
    )


@dataclass(frozen=True)
class Applied:
    """A Linop of a copy, for SigPy's may write to what they get."""

    linop: Any
    makes_complex: bool

    def __call__(self, x: Any) -> Any:
        given = backend.to_numpy(x).copy()
        if self.makes_complex:  # SigPy's FFT makes single precision of real numbers
            given = backend.astype(given, backend.complex_name(backend.dtype_name(given)))
        return backend.like(self.linop.apply(given), x)
