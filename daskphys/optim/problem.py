"""A least-squares problem as what a door takes: y comes in as any kind of array and x goes out as the same."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from daskphys import backend, doors
from daskphys.errors import (
    ConvergenceWarning,
    DtypeError,
    NotClosedFormError,
    ShapeError,
    UnsupportedArrayError,
    describe,
    warn,
)
from daskphys.krylov.progress import Bar
from daskphys.krylov.system import Progress, Solution
from daskphys.physics.algebra import normal_solution
from daskphys.physics.base import LinearPhysics
from daskphys.physics.measurements import Measurements
from daskphys.physics.normal_kind import has_closed_form
from daskphys.physics.spaces import Images, Sensors, shape_of
from daskphys.physics.system import as_result, check_finite

Callback = Callable[[int, float], Any]


@dataclass(frozen=True)
class Problem:
    """y ↦ x by a solver.

    Parameters
    ----------
    name
        The function that the user called.
    physics
        The operator.
    solver
        What iterates (of `daskphys.krylov`).
    x0
        Where it starts, as the user gave it.
    callback, progress
        What the user wants to hear.
    closed_form
        Whether to take the closed form where there is one.
    """

    name: str
    physics: LinearPhysics
    solver: Any
    x0: Any = field(default=None, compare=False)
    callback: Callback | None = None
    progress: bool = False
    closed_form: bool = False

    def __repr__(self) -> str:
        return f"optim.{self.name}({self.physics!r})"

    def solve(self, y: Any) -> Any:
        """The solution, of the kind of `y`."""
        y = self.domain.coerce(y)
        for array in y if isinstance(y, Measurements) else (y,):
            if doors.is_lazy(array):
                raise UnsupportedArrayError(
                    f"{self!r} has no lazy form, got {describe(array)}: give it arrays in memory, as in "
                    f"optim.{self.name}(A, y.compute())"
                )
        return doors.apply(self, y)

    # -- what a door asks of an operator ----------------------------------------------------------------------

    @property
    def domain(self) -> Images | Sensors:
        return replace(self.physics.range, owner=self)

    @property
    def differentiated(self) -> Problem:
        """Itself."""
        return self

    @property
    def H(self) -> Any:
        """No adjoint, which autograd would ask for."""
        raise NotClosedFormError(
            f"{self!r} has no gradient with respect to y: give it y.detach(), or use A_dagger, which has one"
        )

    def apply_core(self, y: Any) -> Any:
        y = as_result(self.physics, self.domain.check(y))
        check_finite(y, repr(self), "y")
        given = shape_of(y)
        self.domain.shape(given)
        shape = self.physics._domain_shape(given)
        x0 = None if self.x0 is None else self._start(y, shape)
        if self.closed_form and has_closed_form(self.physics):
            return self._in_closed_form(y, shape)
        solution = self._iterate(y, shape if x0 is None else shape_of(x0), x0)
        if not solution.converged:
            self._warn(solution)
        return solution.x

    # -- the solution -----------------------------------------------------------------------------------------

    def _in_closed_form(self, y: Any, shape: Any) -> Any:
        normal, transform = self.physics._normal(shape), self.physics.transform.at_image_size()
        z = self.physics._adjoint_to(y, shape, transform)
        return normal_solution(normal, z, transform, shape, None, self.solver.lam)

    def _iterate(self, y: Any, shape: Any, x0: Any) -> Solution:
        with contextlib.ExitStack() as stack:
            bar = stack.enter_context(Bar(self.name, self.solver.rtol)) if self.progress else None
            heard = [f for f in (bar, self.callback) if f is not None]
            return self.physics._solve(self.solver, y, shape, x0, _all(heard) if heard else None)

    def _start(self, y: Any, shape: Any) -> Any:
        """x0 as a vector of the kind and dtype of the solution, which the solver may keep."""
        domain = replace(self.physics.domain, owner=f"{self!r}: x0")
        given = domain.coerce(self.x0)
        for array in given if isinstance(given, Measurements) else (given,):
            if doors.door_of(array) is None or doors.is_lazy(array):
                raise UnsupportedArrayError(
                    f"{self!r} expected x0 as an array in memory (NumPy, CuPy, torch), got {describe(array)}: convert "
                    f"it first, as in np.asarray(x0, dtype=np.float32)"
                )
        x0 = domain.check(_to_core(given))
        got = domain.shape(shape_of(x0))
        if got != shape and not self._fits(got, y):
            raise ShapeError(f"{self!r} expected x0 of shape {shape}, as the solution has, got {got}")
        sample = y[0] if isinstance(y, Measurements) else y
        dtype = self.physics._adjoint_dtype(backend.dtype_name(sample))

        def one(array: Any) -> Any:
            if backend.is_complex(array) and dtype == backend.real_name(dtype):
                raise DtypeError(
                    f"{self!r} expected a real x0, as y is, got {backend.dtype_name(array)}: give x0.real, or a "
                    f"complex y"
                )
            return backend.copy(backend.like(array, sample, dtype))

        start = x0.map(one) if isinstance(x0, Measurements) else one(x0)
        check_finite(start, repr(self), "x0")
        return start

    def _fits(self, shape: Any, y: Any) -> bool:
        """Whether images of `shape` have measurements like `y`: downsampling gives images of several sizes one."""
        with contextlib.suppress(ShapeError):
            return bool(self.physics._range_shape(shape) == shape_of(y))
        return False

    def _warn(self, solution: Solution) -> None:
        asked = self.solver
        if not math.isfinite(solution.residual):
            ended, mend = (
                f"overflowed {backend.dtype_name(solution.x)} and stopped",
                "a smaller y, or more precision",
            )
        elif solution.iterations == asked.max_iter:
            ended, mend = "stopped", "a larger max_iter, rtol or lam"
        else:
            ended, mend = "came no nearer by rounding and stopped", "a larger rtol or lam, or more precision"
        warn(
            f"{self!r} {ended} after {solution.iterations} iterations at a relative residual of "
            f"{solution.residual:.2e} (asked for {asked.rtol:.1e}): give {mend}",
            ConvergenceWarning,
        )


def _all(heard: list[Progress]) -> Progress:
    def tell(iteration: int, residual: float) -> None:
        for f in heard:
            f(iteration, residual)

    return tell


def _to_core(value: Any) -> Any:
    return value.map(doors.to_core) if isinstance(value, Measurements) else doors.to_core(value)
