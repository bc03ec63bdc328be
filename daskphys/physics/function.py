"""Operators that are given as two functions."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import DtypeError, ParameterError, ShapeError, UnsupportedArrayError, describe
from daskphys.physics.base import LinearPhysics
from daskphys.physics.noise.model import NoiseModel
from daskphys.physics.value import Value, value

Shape = tuple[int, ...]


@value
class Code(Value):
    """A function that travels, and is compared, by its content: its code and what that refers to, by cloudpickle.

    Functions of a module that can be imported are compared by their name, and travel by it.
    """

    function: Callable[[Any], Any]

    def __call__(self, x: Any) -> Any:
        return self.function(x)

    def _content(self) -> tuple[Any, ...]:
        key: tuple[Any, ...] | None = self.__dict__.get("_content_key")
        if key is None:
            key = self.__dict__["_content_key"] = ("Code", _digest(self._pickled()))
        return key

    def _pickled(self) -> bytes:
        import cloudpickle

        try:
            pickled: bytes = cloudpickle.dumps(self.function)
        except Exception as error:
            raise ParameterError(
                f"FunctionOperator expected functions that cloudpickle can send, got {self!r}, which it cannot: {error}"
            ) from error
        return pickled

    def __getstate__(self) -> dict[str, Any]:
        # With the digest: another process may pickle the same code to other bytes.
        return {"pickled": self._pickled(), "_content_key": self._content()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        import cloudpickle

        function = cloudpickle.loads(state["pickled"])
        self.__dict__.update(function=function, _content_key=state["_content_key"])

    def __repr__(self) -> str:
        function = self.function
        while isinstance(function, functools.partial):
            function = function.func
        return str(getattr(function, "__name__", type(function).__name__))


@value
class FunctionOperator(LinearPhysics):
    """A linear operator from two functions, A x and Aᴴ y.

    The functions get one image, of shape `domain`, or one measurement, of shape `range`, and give the other.  Leading
    axes are theirs only where they are said to be `batched`; else they are called for each entry of a batch.

    Parameters
    ----------
    forward : callable
        A x.
    adjoint : callable
        Aᴴ y, with ``⟨A x, y⟩ = ⟨x, Aᴴ y⟩``.  That it is the adjoint is not checked here: `daskphys.testing.check_physics`
        checks it.
    domain, range : int or tuple of int
        The shapes of an image and of a measurement, without leading axes.
    batched : bool
        Whether both functions take arrays with any leading axes.
    makes_complex : bool
        Whether both functions give complex numbers, whatever they get.
    domain_shape, measurement_shape : tuple of int, optional
        The shapes `domain` and `range` by the names of the fields, as `dataclasses.replace` gives them.

    Raises
    ------
    ParameterError
        A function is not callable; both names of a shape are given.
    ShapeError
        A shape is not of positive integers; an image, or what a function gives, has another shape.
    DtypeError
        A function gives another dtype than it got (with `makes_complex`: than the complex one of the same precision).

    Notes
    -----
    Functions see an image that they may not write to, in the kind of array that the operator was given (NumPy's for torch
    and Dask).  Two operators are equal where the code of their functions is, and what the code refers to.  They travel to
    workers by cloudpickle, so that functions of scripts and notebooks, lambdas and closures do.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import FunctionOperator
    >>> def slopes(x):
    ...     return x[1:] - x[:-1]
    >>> def slopes_adjoint(y):
    ...     return -np.diff(y, prepend=y.dtype.type(0), append=y.dtype.type(0))
    >>> A = FunctionOperator(slopes, slopes_adjoint, 5, 4)
    >>> A(np.array([1.0, 2.0, 4.0, 8.0, 16.0]))
    array([1., 2., 4., 8.])
    >>> x, y = np.arange(5.0), np.ones(4)
    >>> bool(np.vdot(A(x), y) == np.vdot(x, A.A_adjoint(y)))
    True
    """

    forward: Any
    adjoint: Any
    domain_shape: Shape
    measurement_shape: Shape
    batched: bool = False
    makes_complex: bool = False

    def __init__(
        self,
        forward: Callable[[Any], Any],
        adjoint: Callable[[Any], Any],
        domain: int | Shape | None = None,
        range: int | Shape | None = None,
        batched: bool = False,
        makes_complex: bool = False,
        *,
        domain_shape: int | Shape | None = None,
        measurement_shape: int | Shape | None = None,
        noise_model: NoiseModel | None = None,
    ) -> None:
        for name, function in (("forward", forward), ("adjoint", adjoint)):
            if not callable(function):
                raise ParameterError(
                    f"FunctionOperator expected {name} as a function, got {describe(function)}"
                )
        self.__dict__.update(
            forward=forward if isinstance(forward, Code) else Code(forward),
            adjoint=adjoint if isinstance(adjoint, Code) else Code(adjoint),
            domain_shape=_checked("domain", domain, domain_shape),
            measurement_shape=_checked("range", range, measurement_shape),
            batched=bool(batched),
            makes_complex=bool(makes_complex),
            noise_model=noise_model,
        )

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return len(self.domain_shape)

    @property
    def range_ndim(self) -> int:
        return len(self.measurement_shape)

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype) if self.makes_complex else dtype

    def _range_shape(self, shape: Any) -> Any:
        return self._swapped(shape, self.domain_shape, self.measurement_shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self._swapped(shape, self.measurement_shape, self.domain_shape)

    def _swapped(self, shape: Any, given: Shape, wanted: Shape) -> Any:
        lead = len(shape) - len(given)
        if tuple(shape[lead:]) != given:
            raise ShapeError(f"{self!r} expected an array whose last axes are {given}, got {tuple(shape)}")
        return (*shape[:lead], *wanted)

    def _forward(self, x: Any) -> Any:
        return self._called("forward", x, self.domain_ndim, self._range_shape(tuple(x.shape)))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._called("adjoint", y, self.range_ndim, tuple(shape))

    def _called(self, name: str, x: Any, ndim: int, shape: Shape) -> Any:
        """What a function makes of `x`, an array of `shape`, entry by entry where it takes no batch."""
        xp, lead = backend.namespace(x), tuple(x.shape[: x.ndim - ndim])
        if self.batched or not lead:
            return self._one(name, x, shape)
        entries = xp.reshape(x, (-1, *x.shape[x.ndim - ndim :]))
        made = [self._one(name, entries[i, ...], shape[len(lead) :]) for i in range(entries.shape[0])]
        return xp.reshape(xp.stack(made), shape)

    def _one(self, name: str, x: Any, shape: Shape) -> Any:
        """One call of a function, and whether what it gives is what it should be."""
        if isinstance(x, np.ndarray):
            x = x.view()
            x.flags.writeable = False
        made = getattr(self, name)(x)
        if not backend.is_array(made) or backend.namespace(made) is not backend.namespace(x):
            raise UnsupportedArrayError(
                f"{self!r}: {name} expected to return an array of the kind that it got, {describe(x)}, got {describe(made)}"
            )
        if tuple(made.shape) != shape:
            raise ShapeError(
                f"{self!r}: {name} expected to return shape {shape} for an array of shape {tuple(x.shape)}, got "
                f"{tuple(made.shape)}"
            )
        given, got = backend.dtype_name(x), backend.dtype_name(made)
        wanted = self._result_dtype(given)
        if got not in (wanted, backend.real_name(wanted)) or (got != wanted and not self.makes_complex):
            mend = (
                "say makes_complex=True"
                if got == backend.complex_name(given)
                else f"cast it, .astype({wanted!r})"
            )
            raise DtypeError(f"{self!r}: {name} expected to return {wanted} for {given}, got {got}: {mend}")
        return backend.astype(made, wanted)

    def _summary(self) -> str:
        sizes = ("×".join(map(str, s)) for s in (self.domain_shape, self.measurement_shape))
        return f"{self.forward}, {' → '.join(sizes)}"


def _digest(pickled: bytes) -> str:
    return hashlib.blake2b(pickled, digest_size=16).hexdigest()


def _checked(name: str, given: Any, again: Any) -> Shape:
    """The shape that one of its two names gives."""
    if given is None and again is None:
        raise ParameterError(
            f"FunctionOperator expected the shape {name}, got none: say {name}=, as in {name}=(64, 64)"
        )
    if given is not None and again is not None:
        raise ParameterError(f"FunctionOperator expected the shape {name} once, got {given!r} and {again!r}")
    shape = given if again is None else again
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    if not sizes or not all(isinstance(n, int | np.integer) and n > 0 for n in sizes):
        raise ShapeError(f"FunctionOperator expected {name} as a shape of positive integers, got {shape!r}")
    return tuple(map(int, sizes))
