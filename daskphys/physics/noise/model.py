"""What a noise model is, and which seed it has in one call."""

from __future__ import annotations

import abc
import dataclasses
import math
import secrets
from dataclasses import dataclass
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import DtypeError, ParameterError
from daskphys.physics.checks import check_seed
from daskphys.physics.value import Value


@dataclass(frozen=True, eq=False, repr=False)
class NoiseModel(Value, abc.ABC):
    """What a sensor adds to what it measures; an immutable value, given as ``noise_model=`` to any operator.

    An author writes a class decorated with `daskphys.physics.value`, and either `_drawn`, where the noise does not
    depend on the measurement, with `_put` if it is not added; or `_sampled`, with ``depends = True``.  Each returns an
    array of the shape that it is given.  What an operator does not measure (`_measured`) keeps its value.

    Parameters
    ----------
    seed : int, optional
        With a seed every call gives the same noise.  Without one, and without one of the call or of a
        `DistributedContext`, every call draws anew.

    Raises
    ------
    ParameterError
        `seed` is no integer from 0 on; at a call: the model has no hook.
    ShapeError
        At a call: the hook gives another shape than it was asked for.
    DtypeError
        At a call: complex measurements of a model for real ones, or the other way round.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import Identity, NoiseModel, value
    >>> @value
    ... class Dither(NoiseModel):  # plus or minus half a step
    ...     step: float = 1.0
    ...     def _drawn(self, rng, shape):
    ...         return self.step * (rng.integers(0, 2, shape) - 0.5)
    >>> y = Identity(noise_model=Dither(0.5))(np.zeros(1000), seed=0)
    >>> sorted({float(value) for value in y})
    [-0.25, 0.25]
    """

    seed: int | None = dataclasses.field(default=None, kw_only=True)

    #: Whether the noise of a sample depends on what is measured there.
    depends = False

    #: Whether it is for complex measurements, or for real ones.
    for_complex = False

    def _drawn(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Random numbers of one stream, in double precision."""
        raise ParameterError(
            f"{self!r} has no noise: expected a hook _drawn(rng, shape), or _sampled(rng, y) and depends = True"
        )

    def _put(self, y: Any, drawn: Any) -> Any:
        """Measurement `y` with such random numbers, in its precision and of its kind of array."""
        return y + drawn

    def _sampled(self, rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
        """Measurement `y`, in double precision, with the noise of one stream."""
        raise ParameterError(
            f"{self!r} has no noise: expected a hook _sampled(rng, y), for it has depends = True"
        )

    def _check_dtype(self, dtype: str, owner: str) -> None:
        """Refuse real measurements of a model for complex ones, and complex ones of a model for real ones."""
        if dtype.startswith("complex") != self.for_complex:
            kinds = ("complex", "real")[:: 1 if self.for_complex else -1]
            mend = "GaussianNoise(sigma)" if self.for_complex else "ComplexGaussianNoise(sigma)"
            raise DtypeError(
                f"{owner}: {self!r} expected {kinds[0]} measurements, got {dtype}: take {mend} for {kinds[1]} ones"
            )

    def _check_rates(self, y: Any, owner: str) -> None:
        """Refuse measurements that the model is not defined for."""

    def _check(self) -> None:
        if self.seed is not None:
            object.__setattr__(self, "seed", check_seed(self.seed, type(self).__name__))

    def __repr__(self) -> str:
        fields = {f.name: f for f in dataclasses.fields(self)}
        values = [(name, getattr(self, name)) for name in fields if name != "seed"]
        shown = [
            f"{value:g}" if i == 0 else f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for i, (name, value) in enumerate(values)
            if i == 0 or value != fields[name].default
        ]
        return f"{type(self).__name__}({', '.join(shown + ([f'seed={self.seed}'] if self.seed is not None else []))})"


@dataclass(frozen=True)
class Seeds:
    """The seeds of one call.

    Parameters
    ----------
    given
        That of the call, which holds for all sensors.
    fallback
        That of sensors whose models have none of their own.
    """

    given: int | None
    fallback: int

    @classmethod
    def of_call(cls, given: Any, context: int | None, owner: Any) -> Seeds:
        """The seeds of ``A(x, seed=given)``; without any, fresh entropy that all sensors of the call share."""
        if given is not None:
            given = check_seed(given, repr(owner))
            return cls(given, given)
        return cls(None, fresh() if context is None else context)

    def of(self, model: NoiseModel) -> int:
        """That of a model."""
        own = model.seed if self.given is None else self.given
        return self.fallback if own is None else own


def fresh() -> int:
    """128 bits of the operating system's entropy."""
    return secrets.randbits(128)


def check_flag(model: NoiseModel, name: str) -> None:
    """Refuse a field that is neither True nor False."""
    if not isinstance(given := getattr(model, name), bool):
        raise ParameterError(f"{type(model).__name__} expected {name} True or False, got {given!r}")


def set_number(model: NoiseModel, name: str, *, positive: bool = False) -> None:
    """Make a field a float, or refuse one that is negative or not finite (or, if `positive`, zero)."""
    given = getattr(model, name)
    try:
        number = float(given) if not isinstance(given, bool | str) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0 or (positive and not number):
        sign = ">" if positive else ">="
        shown = (
            f"array of shape {tuple(given.shape)}" if backend.is_array(given) and given.ndim else repr(given)
        )
        raise ParameterError(f"{type(model).__name__} expected a finite number {name} {sign} 0, got {shown}")
    model.__dict__[name] = number
