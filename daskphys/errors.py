"""Every exception and warning of the package, one family.

Each error says what was asked of which operator or function, what was expected, what came, and how to mend
it.  Each is also the built-in exception that a NumPy user would catch (``ValueError``, ``TypeError``, …).
"""

from __future__ import annotations

import difflib
import functools
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

__all__ = [
    "ContextClosedError",
    "ConvergenceWarning",
    "DaskphysError",
    "DaskphysWarning",
    "DeviceError",
    "DtypeError",
    "FallbackWarning",
    "ImageError",
    "ImageNotFoundError",
    "MainGuardError",
    "MemoryPlanError",
    "MissingDependencyError",
    "NoWorkersError",
    "NotClosedFormError",
    "NotLinearError",
    "ParameterError",
    "SchedulerUnreachableError",
    "SensorError",
    "ShapeError",
    "StorageError",
    "StoreExistsError",
    "StoreNotFoundError",
    "UnknownKeywordError",
    "UnsupportedArrayError",
    "WorkersLostError",
]


class DaskphysError(Exception):
    """Base class of every error that daskphys raises on purpose."""


class DaskphysWarning(UserWarning):
    """Base class of every warning of daskphys (a fall-back, a solver that did not converge)."""


class ConvergenceWarning(DaskphysWarning):
    """An iteration stopped before it reached its tolerance; the message gives the residual."""


class FallbackWarning(DaskphysWarning):
    """Something asked for is not there and another way is taken (a GPU and the CPU)."""


class ShapeError(DaskphysError, ValueError):
    """An array, or a list of measurements, has not the shape that the operator needs."""


class DtypeError(DaskphysError, TypeError):
    """An array's dtype is none of float32, float64, complex64, complex128."""


class UnsupportedArrayError(DaskphysError, TypeError):
    """An object came where an array of a known library was expected."""


class ParameterError(DaskphysError, ValueError):
    """A parameter of an operator or function is out of its domain."""


class UnknownKeywordError(DaskphysError, TypeError):
    """A keyword that the function does not have; the message gives the nearest one that it has."""


class NotClosedFormError(DaskphysError, ValueError):
    """A closed form was asked of a normal operator that has none."""


class NotLinearError(DaskphysError, TypeError):
    """Something that only linear operators have was asked of one that is not linear."""


class SensorError(DaskphysError, RuntimeError):
    """A sensor of a stack failed; the message gives its index, its operator and the cause."""


class ContextClosedError(DaskphysError, RuntimeError):
    """A distributed operator or a context was used after the context was closed."""


class NoWorkersError(DaskphysError, TimeoutError):
    """The cluster had no worker within the time given."""


class SchedulerUnreachableError(DaskphysError, ConnectionError):
    """No scheduler answers at the address, or the scheduler file does not exist."""


class WorkersLostError(DaskphysError, RuntimeError):
    """Workers were lost in each of several attempts at a call."""


class MainGuardError(DaskphysError, RuntimeError):
    """Worker processes were asked for from a script without ``if __name__ == "__main__":``."""


class MemoryPlanError(MemoryError, DaskphysError):
    """A call cannot fit into its workers' memory; it was refused before anything was submitted.

    Attributes
    ----------
    needed, available : int
        Bytes on the worker that lacks the most.
    """

    needed: int = 0
    available: int = 0


class DeviceError(DaskphysError, RuntimeError):
    """A device was asked for that this machine, or a worker, cannot use."""


class MissingDependencyError(DaskphysError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


class StorageError(DaskphysError, ValueError):
    """A store of an operator or of measurements cannot be read, or they cannot be written to it."""


class StoreExistsError(FileExistsError, StorageError):
    """There is something where a store should be written.

    Attributes
    ----------
    replaceable : bool
        Whether ``overwrite=True`` would replace it: what daskphys wrote, and nothing else.
    """

    def __init__(self, message: str, replaceable: bool = False) -> None:
        super().__init__(message)
        self.replaceable = replaceable


class StoreNotFoundError(FileNotFoundError, StorageError):
    """There is no store of this name."""


class ImageError(DaskphysError, ValueError):
    """A file is not an image that can be read."""


class ImageNotFoundError(FileNotFoundError, ImageError):
    """No example image has this name, and no file has this path."""


_OURS = os.path.dirname(__file__) + os.sep


def warn(message: str, category: type[DaskphysWarning]) -> None:
    """Warn at the line outside the package that led here, however many calls lie between."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def closest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` may have been meant for."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)), None)


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that suggests the nearest of `known` to `name`, and lists them all."""
    names = sorted(known)
    close = closest(name, names)
    hint = "" if close is None else f"did you mean {close!r}? "
    return f"{hint}known: {', '.join(map(repr, names)) or 'none'}"


P = ParamSpec("P")
R = TypeVar("R")


def checks_keywords(function: Callable[P, R], name: str | None = None) -> Callable[P, R]:
    """Make an unknown keyword of `function` an `UnknownKeywordError` that gives the nearest name."""
    parameters = inspect.signature(function).parameters
    known = [k for k, p in parameters.items() if p.kind is not p.POSITIONAL_ONLY and k != "self"]
    title = name or function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for keyword in kwargs:
            if keyword not in known:
                raise UnknownKeywordError(f"{title}() has no keyword {keyword!r}: {nearest(keyword, known)}")
        return function(*args, **kwargs)

    return checked


def describe(value: Any) -> str:
    """A short name for something that came where something else was expected."""
    shape = getattr(value, "shape", None)
    kind = type(value)
    label = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{label} of shape {tuple(shape)}" if isinstance(shape, tuple) else label
