"""Arrays as parameters of immutable operators: checked, in the precision that is kept, read-only, told by content."""

from __future__ import annotations

import hashlib
import weakref
from typing import Any

import numpy as np

from daskphys.backend.arrays import (
    FLOATS,
    Array,
    astype,
    check_floating,
    copy,
    dtype_name,
    is_array,
    to_numpy,
)
from daskphys.errors import DtypeError, ParameterError, describe


def digest(x: Array) -> str:
    """A digest of the content of `x` (dtype, shape, entries), the same in every process."""
    host = np.ascontiguousarray(to_numpy(x))
    header = f"{host.dtype.str}{host.shape}".encode()
    return hashlib.blake2b(header + host.tobytes(), digest_size=16).hexdigest()


# What `lock` has locked: of another read-only array the owner may have views to write by.
_locked: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()


def frozen(x: Array) -> Array:
    """`x` as an array that nobody can write to (where the library has such): a copy, unless it is one already."""
    if isinstance(x, np.ndarray) and x.base is None and not x.flags.writeable and _locked.get(id(x)) is x:
        return x
    return lock(copy(x))


def lock(x: Array) -> Array:
    """`x` itself, read-only from now on (where the library has read-only arrays)."""
    if isinstance(x, np.ndarray):
        x.flags.writeable = False
        _locked[id(x)] = x
    return x


def as_parameter(value: Any, owner: str, name: str, *, double: bool = True) -> Array:
    """A parameter of an operator as a frozen core array of float64 or complex128.

    Parameters are kept in double precision: what is made of them is cast to the image's precision.  Those that are as
    large as the data may stay in single precision (``double=False``).
    """
    if isinstance(value, np.ma.MaskedArray):
        raise DtypeError(
            f"{owner}: {name} expected an array without a mask, got {describe(value)}: fill it first"
        )
    try:
        array = value if is_array(value) else np.asarray(value)
    except ValueError as error:
        raise ParameterError(
            f"{owner}: {name} expected an array of numbers, got {describe(value)}: {error}"
        ) from error
    kind = dtype_name(array)
    if kind not in FLOATS and not (isinstance(array, np.ndarray) and array.dtype.kind in "iub"):
        raise DtypeError(
            f"{owner}: {name} expected an array of real or complex numbers, got {describe(value)} of {kind}"
        )
    if not double and kind in FLOATS:
        return frozen(check_floating(array, owner))
    if not double and kind == "bool":
        return frozen(astype(array, "float32"))
    return frozen(astype(array, "complex128" if kind.startswith("complex") else "float64"))
