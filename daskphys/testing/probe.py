"""An operator under test, with random inputs that cannot be written to, and comparisons that give figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.physics.base import LinearPhysics
from daskphys.physics.measurements import Measurements
from daskphys.physics.physics import Physics
from daskphys.physics.spaces import Sensors
from daskphys.physics.stacked import Stacked

#: Relative difference of results that should be equal but are rounded in another order.
TOLERANCE = {"float32": 5e-6, "float64": 1e-12}

Product = Callable[..., Any]


class Probe:
    """Random inputs and outputs of one shape and dtype; it keeps copies of all that it gave."""

    def __init__(self, operator: Physics, shape: Any, dtype: str, seed: int) -> None:
        self.A: Any = operator
        self.shape, self.dtype = shape, dtype
        self.given: list[tuple[np.ndarray, np.ndarray]] = []
        self._rng = np.random.default_rng(seed)
        self.takes_measurements = isinstance(shape[0], tuple)
        gives_measurements = isinstance(operator.range, Sensors) and not isinstance(operator, Stacked)
        self.can_be_stacked = not (self.takes_measurements or gives_measurements)

    def random(self, shape: Any, dtype: str) -> Any:
        """An array of this shape, or measurements of these shapes."""
        if isinstance(shape[0], tuple):
            return Measurements(self.random(s, dtype) for s in shape)
        array = self._rng.standard_normal(shape)
        if dtype.startswith("complex"):
            array = array + 1j * self._rng.standard_normal(shape)
        return self.keep(array.astype(dtype))

    def keep(self, array: np.ndarray) -> np.ndarray:
        """`array` made read-only, to be looked at again by `inputs_stay`."""
        array.flags.writeable = False
        self.given.append((array, array.copy()))
        return array

    def widened(self, array: np.ndarray) -> np.ndarray:
        """`array` in double precision."""
        return self.keep(array.astype("complex128" if backend.is_complex(array) else "float64"))

    def lengthened(self, *lead: int) -> Any:
        """The input's shape with more leading axes."""
        if self.takes_measurements:
            return tuple((*lead, *s) for s in self.shape)
        return (*lead, *self.shape)

    def input(self, *lead: int) -> Any:
        """An x for A x."""
        return self.random(self.lengthened(*lead), self.dtype)

    def output(self, *lead: int) -> Any:
        """A y for Aᴴ y."""
        return self.random(self.A.range_shape(self.lengthened(*lead)), self.output_dtype)

    @property
    def output_dtype(self) -> str:
        """The input's dtype; complex in the same precision for an operator that makes real images complex."""
        return backend.complex_name(self.dtype) if self.is_complex else self.dtype

    @property
    def is_complex(self) -> bool:
        """Whether the operator makes real images complex."""
        return any(
            backend.is_complex(array) for array in arrays(self.A.A(self.random(self.shape, "float64")))
        )

    def cotangents(self, *lead: int) -> Any:
        """An x and a v for ``A.A_vjp(x, v)``: v is like A(x)."""
        x = self.input(*lead)
        v = [self.random(tuple(a.shape), backend.dtype_name(a)) for a in arrays(self.A.A(x))]
        return Measurements((x, *v))

    def A_vjp(self, given: Any) -> Any:
        """``A.A_vjp`` of what `cotangents` made."""
        return self.A.A_vjp(*self.pair(given))

    def pair(self, given: Any) -> tuple[Any, Any]:
        """It as x and v."""
        return given[0], Measurements(given[1:]) if isinstance(self.A.range, Sensors) else given[1]

    def products(self) -> list[tuple[Product, Product]]:
        """The products, each with what makes its argument: four of a linear operator, A and A_vjp of another."""
        A = self.A
        if not isinstance(A, LinearPhysics):
            return [(A.A, self.input), (self.A_vjp, self.cotangents)]
        return [
            (A.A, self.input),
            (A.A_adjoint, self.output),
            (A.A_adjoint_A, self.input),
            (A.A_A_adjoint, self.output),
        ]

    def near(self, got: Any, expected: Any, scale: float = 0.0, tolerance: float | None = None) -> None:
        """That two values agree, relative to the largest of both and `scale`."""
        require([a.shape for a in arrays(got)], [a.shape for a in arrays(expected)], "shape")
        tolerance = TOLERANCE[backend.real_name(self.dtype)] if tolerance is None else tolerance
        bound = max(scale, size(got), size(expected), float(np.finfo(float).tiny))
        error = float(np.linalg.norm(flat(got) - flat(expected))) / bound
        expect(error <= tolerance, f"relative difference {error:.1e}, expected at most {tolerance:.1e}")


def inputs_stay(p: Probe) -> None:
    """inputs are not written to"""
    for array, copy in p.given:
        expect(np.array_equal(array, copy), f"{np.sum(array != copy)} entries of an input changed")


def arrays(value: Any) -> list[Any]:
    """The arrays of measurements; a number or an array alone."""
    if isinstance(value, Measurements):
        return list(value)
    return [value if hasattr(value, "shape") else np.array(value)]


def each(value: Any, f: Callable[[Any], Any]) -> Any:
    """`f` of an array, or of each array of measurements."""
    return value.map(f) if isinstance(value, Measurements) else f(value)


def flat(value: Any) -> np.ndarray:
    """All entries, in double precision."""
    return np.concatenate([np.ravel(a).astype(np.complex128) for a in arrays(value)])


def size(value: Any) -> float:
    """The Euclidean norm."""
    return float(np.linalg.norm(flat(value)))


def entry(value: Any, i: int) -> Any:
    """The entry `i` of a batch."""
    return each(value, lambda array: array[i])


def inner(a: Any, b: Any) -> complex:
    """⟨a, b⟩, linear in b."""
    return complex(np.vdot(flat(a), flat(b)))


def expect(ok: bool, figures: str) -> None:
    """An assertion that ``python -O`` keeps."""
    if not ok:
        raise AssertionError(figures)


def require(got: Any, expected: Any, what: str) -> None:
    """That two things are equal."""
    expect(got == expected, f"{what} {got!r}, expected {expected!r}")


def same_bits(got: Any, expected: Any) -> None:
    """That two values have the same shapes, dtypes and bits."""
    require(
        [(a.shape, a.dtype) for a in arrays(got)], [(a.shape, a.dtype) for a in arrays(expected)], "arrays"
    )
    if any(a.tobytes() != b.tobytes() for a, b in zip(arrays(got), arrays(expected), strict=True)):
        difference = np.abs(flat(got) - flat(expected))
        raise AssertionError(
            f"{np.count_nonzero(difference)} of {difference.size} entries differ, by up to {difference.max():.1e}"
        )
