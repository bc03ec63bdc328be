"""Operators as physics of deepinv, whose classes are made when the first is asked for, for they derive from deepinv's."""

from __future__ import annotations

import copy
import functools
from typing import Any

import torch

from daskphys.errors import UnknownKeywordError, nearest
from daskphys.physics.normal_kind import has_closed_form
from daskphys.physics.spaces import Sensors


class _Products:
    """What a physics of deepinv gets from an operator: products, least squares and norms of the whole."""

    operator: Any
    complex_channels: bool
    noise_model: Any

    # -- between the arrays of deepinv and those of the operator ----------------------------------------------

    def _in(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return [self._in(one) for one in value]  # a TensorList
        if not self.complex_channels:
            return value
        return torch.view_as_complex(value.movedim(1, -1).contiguous())

    def _out(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            from deepinv.utils import TensorList

            return TensorList([self._out(one) for one in value])
        if not self.complex_channels:
            return value
        return torch.view_as_real(value if value.is_complex() else value + 0j).movedim(-1, 1)

    # -- products ---------------------------------------------------------------------------------------------

    def A(self, x: torch.Tensor, **kwargs: Any) -> Any:
        """A x, without noise."""
        self._refuse("A", kwargs)
        return self._out(self.operator.A(self._in(x)))

    def A_adjoint(self, y: Any, **kwargs: Any) -> torch.Tensor:
        """Aᴴ y."""
        self._refuse("A_adjoint", kwargs)
        return self._out(self.operator.A_adjoint(self._in(y)))

    def A_adjoint_A(self, x: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """AᴴA x, by the merged operator where there is one."""
        self._refuse("A_adjoint_A", kwargs)
        return self._out(self.operator.A_adjoint_A(self._in(x)))

    def A_A_adjoint(self, y: Any, **kwargs: Any) -> Any:
        """AAᴴ y."""
        self._refuse("A_A_adjoint", kwargs)
        return self._out(self.operator.A_A_adjoint(self._in(y)))

    def forward(self, x: torch.Tensor, **kwargs: Any) -> Any:
        """A x with the operator's own noise; after ``set_noise_model`` with that of deepinv."""
        if self._has_noise:
            return super().forward(x, **kwargs)  # type: ignore[misc]
        self._refuse("forward", kwargs)
        return self.sensor(self._out(self.operator(self._in(x))))  # type: ignore[attr-defined]

    @property
    def _has_noise(self) -> bool:
        """Whether deepinv's noise is to be added."""
        return type(self.noise_model).__name__ != "ZeroNoise"

    def _refuse(self, name: str, kwargs: dict[str, Any]) -> None:
        """deepinv hands what is meant for the noise to every method; all else would be of no effect here."""
        known = set(dict(self.noise_model.named_buffers())) | {"seed"} if self._has_noise else set()
        for keyword in kwargs:
            if keyword not in known:
                raise UnknownKeywordError(
                    f"{name}() of {self.operator!r} has no keyword {keyword!r}: {nearest(keyword, known)}"
                )

    # -- inverses and norms -----------------------------------------------------------------------------------

    def A_dagger(
        self,
        y: Any,
        solver: str | None = None,
        max_iter: int | None = None,
        tol: float | None = None,
        verbose: bool = False,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Least squares of the whole, exact to rounding; with a `solver` of deepinv's, by that.

        `max_iter` and `tol` stop the operator's own iteration, where it has no closed form.
        """
        if solver is not None:
            return super().A_dagger(y, solver, max_iter, tol, verbose, **kwargs)  # type: ignore[misc]
        self._refuse("A_dagger", kwargs)
        rtol = None if has_closed_form(self.operator) else tol
        return self._out(self.operator.A_dagger(self._in(y), rtol, max_iter=max_iter, progress=verbose))

    def prox_l2(self, z: Any, y: Any, gamma: Any, solver: str | None = None, **kwargs: Any) -> torch.Tensor:
        """The minimum of γ/2 ‖A x − y‖² + ½ ‖x − z‖², in closed form where AᴴA has one; else by deepinv's solver."""
        closed = has_closed_form(self.operator) and not isinstance(gamma, torch.Tensor) and not kwargs
        if solver is not None or not closed:
            return super().prox_l2(z, y, gamma, solver or "CG", **kwargs)  # type: ignore[misc]
        right = self.operator.A_adjoint(self._in(y))
        if z is not None:
            right = right + (z if isinstance(z, int | float) else self._in(z)) / gamma
        return self._out(self.operator.normal(tuple(right.shape)).inv(1 / gamma)(right))

    def compute_sqnorm(
        self,
        x0: torch.Tensor,
        *,
        max_iter: int | None = None,
        tol: float = 1e-6,
        verbose: bool = True,
        rng: Any = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """‖A‖²: in closed form where there is one, else to the accuracy `tol`, or with a warning that says what was reached."""
        self._refuse("compute_sqnorm", kwargs)
        image = self._in(
            x0[None] if self.complex_channels and x0.ndim == self.operator.domain.ndim + 1 else x0
        )
        found = self.operator.compute_sqnorm(tuple(image.shape), tol)
        return torch.tensor(found, dtype=x0.real.dtype, device=x0.device)

    def compute_norm(
        self,
        x0: torch.Tensor,
        max_iter: int | None = None,
        tol: float = 1e-6,
        verbose: bool = True,
        squared: bool = True,
        **kwargs: Any,
    ) -> torch.Tensor:
        """As deepinv has it: the squared norm, with its warning, unless ``squared=False``."""
        return super().compute_norm(x0, max_iter, tol, verbose, squared, **kwargs)  # type: ignore[misc]

    def clone(self) -> Any:
        """A copy with the same operator, and with noise whose generators are copied in their state.

        deepinv's own would look for generators in all that an operator knows, which may be a cluster.
        """
        memo: dict[int, Any] = {}
        for part in (self, *getattr(self, "physics_list", ())):
            for module in part.modules():
                for item in vars(module).values():
                    if isinstance(item, torch.Generator):
                        memo[id(item)] = torch.Generator(item.device).set_state(item.get_state())
        return copy.deepcopy(self, memo)

    def extra_repr(self) -> str:
        """What ``print(physics)`` shows of it."""
        return repr(self.operator)

    __str__ = __repr__ = torch.nn.Module.__repr__


@functools.cache
def classes() -> dict[str, Any]:
    """The two classes, by their names in this module: pickle looks for them there."""
    from deepinv.physics import LinearPhysics, StackedLinearPhysics
    from deepinv.utils import TensorList

    class OperatorPhysics(_Products, LinearPhysics):  # type: ignore[misc]
        """An operator that gives one array."""

        __qualname__ = "OperatorPhysics"

        def __init__(self, operator: Any, complex_channels: bool) -> None:
            super().__init__()
            self.operator, self.complex_channels = operator, complex_channels

    class StackPhysics(_Products, StackedLinearPhysics):  # type: ignore[misc]
        """A stack; each of its sensors is a physics by itself, and what is asked of the whole is one call."""

        __qualname__ = "StackPhysics"

        def __init__(self, operator: Any, complex_channels: bool) -> None:
            super().__init__([OperatorPhysics(one, complex_channels) for one in operator.physics_list])
            self.operator, self.complex_channels = operator, complex_channels
            self.implicit_backward_solver = False  # deepinv has none for several tensors

        def forward(self, x: Any, **kwargs: Any) -> Any:
            if len({one._has_noise for one in self.physics_list}) > 1:
                # Some sensors have the noise of deepinv, and the others keep that of the operator.
                return TensorList([one(x, **kwargs) for one in self.physics_list])
            return super().forward(x, **kwargs)

        @property
        def _has_noise(self) -> bool:
            return any(one._has_noise for one in self.physics_list)

        def _refuse(self, name: str, kwargs: dict[str, Any]) -> None:
            for one in self.physics_list if kwargs else ():
                one._refuse(name, kwargs)

    return {"OperatorPhysics": OperatorPhysics, "StackPhysics": StackPhysics}


def __getattr__(name: str) -> Any:
    if name in ("OperatorPhysics", "StackPhysics"):
        return classes()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def physics_of(operator: Any, complex_channels: bool) -> Any:
    """The physics of deepinv that an operator is."""
    kind = "StackPhysics" if isinstance(operator.range, Sensors) else "OperatorPhysics"
    return classes()[kind](operator, complex_channels)
