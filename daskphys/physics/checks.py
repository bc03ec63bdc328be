"""Numbers and parameters that users give: each is checked in one place, before anything is computed."""

from __future__ import annotations

import math
import numbers
from typing import Any, TypeGuard

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError


def check_lam(owner: str, lam: Any) -> float:
    """`lam` as a float, or an error where A + lam I need not be invertible, or is nothing but lam I."""
    if not isinstance(lam, numbers.Real) or not 0 <= float(lam) < math.inf:
        raise ParameterError(f"{owner} expected a finite lam >= 0, got {lam!r}")
    return float(lam)


def check_rtol(owner: str, rtol: Any, *, positive: bool = False) -> float:
    """`rtol` as a float, or an error where it is no number of [0, 1) (if `positive`, of (0, 1)).

    From 1 on, every singular value would count as zero, and every result of an iteration as accurate.
    """
    given = float(rtol) if isinstance(rtol, numbers.Real) and not isinstance(rtol, bool) else math.nan
    if not 0 <= given < 1 or (positive and not given):
        raise ParameterError(f"{owner} expected 0 {'<' if positive else '<='} rtol < 1, got {rtol!r}")
    return given


def check_iteration(owner: str, max_iter: Any, progress: Any) -> int:
    """`max_iter` as an int, or an error where it is no whole number of at least 1, or `progress` is no bool."""
    if not is_count(max_iter):
        raise ParameterError(f"{owner} expected a whole number max_iter >= 1, got {max_iter!r}")
    if not isinstance(progress, bool):
        raise ParameterError(f"{owner} expected progress True or False, got {progress!r}")
    return int(max_iter)


def real_parameter(given: Any, owner: str, name: str) -> Any:
    """An operator's parameter as a frozen array of float64, or an error where it is complex or not finite."""
    array = backend.as_parameter(doors.to_core(given), owner, name)
    if backend.is_complex(array):
        raise ParameterError(f"{owner} expected a real {name}, got a complex one: give its real part")
    xp = backend.namespace(array)
    if not bool(xp.all(xp.isfinite(array))):
        raise ParameterError(f"{owner} expected finite entries in the {name}, got NaN or infinity")
    return array


def is_count(n: Any, least: int = 1) -> TypeGuard[int]:
    """Whether `n` is an integer (of Python or NumPy, and no bool) of at least `least`."""
    return isinstance(n, numbers.Integral) and not isinstance(n, bool) and int(n) >= least


def check_seed(seed: Any, owner: str) -> int:
    """`seed` as an integer, or an error where it is none that NumPy takes."""
    if not is_count(seed, 0):
        raise ParameterError(f"{owner} expected a seed that is an integer >= 0, got {seed!r}")
    return int(seed)


def check_counts(owner: str, **counts: Any) -> None:
    """Refuse what is no integer of at least 1."""
    for name, count in counts.items():
        if not is_count(count):
            raise ParameterError(f"{owner} expected {name} as an integer of at least 1, got {count!r}")


def check_sizes(given: Any, owner: str, name: str = "shape") -> tuple[int, ...]:
    """The sizes of axes as a tuple, or an error where they are not positive integers."""
    try:
        sizes = tuple(given)
    except TypeError:
        sizes = ()
    if not sizes or not all(map(is_count, sizes)):
        article = "an" if name[0] in "aeiou" else "a"
        raise ShapeError(
            f"{owner} expected {article} {name} of positive integers, as in (64, 64), got {given!r}"
        )
    return tuple(map(int, sizes))
