"""Array libraries: namespaces, devices, precision.

The core computes on arrays of NumPy, of CuPy, or of any library that follows the Python array API standard
(array-api-strict stands for those in the tests).  Nothing here imports CuPy before a CuPy array or a CUDA
device is asked for.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from daskphys.errors import DeviceError, DtypeError, MissingDependencyError

Array = Any  # an array of any library with an array API namespace

FLOATS = ("float32", "float64", "complex64", "complex128")
_REAL = {"float32": "float32", "float64": "float64", "complex64": "float32", "complex128": "float64"}
_COMPLEX = {
    "float32": "complex64",
    "float64": "complex128",
    "complex64": "complex64",
    "complex128": "complex128",
}


def _is_cupy(x: Any) -> bool:
    return type(x).__module__.partition(".")[0] == "cupy"


def is_array(value: Any) -> bool:
    """Whether the core can compute on `value` as it is; masks would be dropped, and a matrix has no batch."""
    if isinstance(value, np.ma.MaskedArray | np.matrix):
        return False
    return isinstance(value, np.ndarray) or _is_cupy(value) or hasattr(value, "__array_namespace__")


def namespace(x: Array) -> Any:
    """The module whose functions compute on `x`."""
    if isinstance(x, np.ndarray):
        return np
    return sys.modules["cupy"] if _is_cupy(x) else x.__array_namespace__()


def astype(x: Array, dtype: str) -> Array:
    """`x` in the dtype of this name, itself if it has it already."""
    if dtype_name(x) == dtype:
        return x
    if hasattr(x, "astype"):
        return x.astype(dtype)
    xp = namespace(x)
    return xp.astype(x, getattr(xp, dtype))


def copy(x: Array) -> Array:
    """A copy that its maker may write to."""
    return x.copy() if hasattr(x, "copy") else namespace(x).asarray(x, copy=True)


def concat(parts: Sequence[Array], axis: int) -> Array:
    """`parts` joined along an axis that exists."""
    xp = namespace(parts[0])
    return (xp.concat if hasattr(xp, "concat") else xp.concatenate)(list(parts), axis=axis)


def dtype_name(x: Array) -> str:
    """The name of the dtype of `x`, the same for every library: ``"float32"``."""
    dtype = x.dtype
    if isinstance(dtype, np.dtype):
        return _numpy_name(dtype)
    return str(getattr(dtype, "name", None) or str(dtype).rpartition(".")[2])


@functools.lru_cache(maxsize=64)
def _numpy_name(dtype: np.dtype[Any]) -> str:
    """NumPy makes the name anew each time, which counts where there are thousands of sensors."""
    return str(dtype.name)


def check_floating(x: Array, owner: object) -> Array:
    """`x` with native byte order, or a `DtypeError` that shows `owner` and the cast to make."""
    name = dtype_name(x)
    if name not in FLOATS:
        raise DtypeError(
            f"{owner} expected a dtype among {', '.join(FLOATS)}, got {name}: cast it first, "
            f"as in x.astype(np.float32)" + ("" if name == "object" else " (and scale it as you need)")
        )
    if isinstance(x, np.ndarray) and not x.dtype.isnative:
        return x.astype(x.dtype.newbyteorder("="))
    return x


def is_complex(x: Array) -> bool:
    return dtype_name(x).startswith("complex")


def real_name(name: str) -> str:
    """``complex64`` to ``float32``, ``float64`` to itself."""
    return _REAL[name]


def complex_name(name: str) -> str:
    """``float32`` to ``complex64``, ``complex128`` to itself."""
    return _COMPLEX[name]


def eps(x: Array) -> float:
    """The rounding unit of the precision of `x`."""
    return float(np.finfo(real_name(dtype_name(x))).eps)


def device_of(x: Array) -> str:
    """``"cpu"`` or ``"cuda:0"``; a foreign library's own name for its device otherwise."""
    if isinstance(x, np.ndarray):
        return "cpu"
    device = x.device
    number = getattr(device, "id", None)
    return str(device) if number is None else f"cuda:{number}"


def on_gpu(x: Array) -> bool:
    """Whether `x` lies on a CUDA device."""
    return _is_cupy(x)


def parse_device(device: Any) -> str:
    """``None``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or a torch device as ``"cpu"`` or ``"cuda:N"``."""
    name = "cpu" if device is None else str(device)
    kind, _, number = name.partition(":")
    if kind == "cpu" and number in ("", "0"):
        return "cpu"
    if kind in ("cuda", "gpu") and (not number or number.isdecimal()):
        return f"cuda:{number or 0}"
    raise DeviceError(f"expected a device such as 'cpu', 'cuda' or 'cuda:1', got {name!r}")


def to_device(x: Array, device: Any) -> Array:
    """`x` on `device`: a NumPy array on ``"cpu"``, a CuPy array on ``"cuda:N"``."""
    name = parse_device(device)
    if name == "cpu":
        return to_numpy(x)
    try:
        import cupy
    except ImportError as error:
        raise MissingDependencyError(
            f"device {name!r} needs CuPy: pip install 'daskphys[cuda13]' (or 'daskphys[cuda12]')"
        ) from error
    try:
        with cupy.cuda.Device(int(name.partition(":")[2])):
            return cupy.asarray(x)
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(f"device {name!r} cannot be used on this machine: {error}") from error


def to_numpy(x: Array) -> np.ndarray:
    """`x` as a NumPy array, without a copy where its memory can be shared."""
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(x)
    if hasattr(x, "get"):  # CuPy: device to host is an explicit copy
        return np.asarray(x.get())
    return np.from_dlpack(x)


def like(x: Array, image: Array, dtype: str | None = None) -> Array:
    """`x` (NumPy, or already of the image's library) as an array of the library and device of `image`."""
    xp = namespace(image)
    if namespace(x) is not xp:
        with _device(image):
            x = xp.asarray(to_numpy(x))
    elif _is_cupy(x) and x.device != image.device:
        with _device(image):
            x = xp.asarray(x)
    return x if dtype is None else astype(x, dtype)


def apart(results: Sequence[Array], given: Sequence[Any]) -> list[Array]:
    """`results`, as copies where they may lie in the memory of what was given (where this can be told: NumPy)."""
    extents = sorted(byte_bounds(x) for x in given if isinstance(x, np.ndarray))
    starts = [start for start, _ in extents]
    ends = list(
        accumulate((end for _, end in extents), max)
    )  # of thousands of sensors, every pair is too many

    def shares(x: Array) -> bool:
        start, end = byte_bounds(x)
        before = bisect_left(starts, end)
        return before > 0 and ends[before - 1] > start

    return [copy(x) if isinstance(x, np.ndarray) and shares(x) else x for x in results]


def zeros(shape: tuple[int, ...], image: Array) -> Array:
    """An array of zeros of the library, dtype and device of `image`."""
    with _device(image):
        return namespace(image).zeros(shape, dtype=image.dtype)


def empty(shape: tuple[int, ...], image: Array, dtype: str) -> Array:
    """An array of the library and device of `image` whose slices results can be written to; None where slices are copies."""
    if not isinstance(image, np.ndarray) and not _is_cupy(image):
        return None
    with _device(image):
        return namespace(image).empty(shape, dtype=dtype)


def multiplied(x: Array, factor: Array, out: Array | None) -> Array:
    """``x * factor``, in the memory of `out` where there is one, which `x` may lie in."""
    if out is None:
        return x * factor
    if isinstance(x, np.ndarray) and _place(x) == _place(out):
        x = out  # the same array: of two that overlap NumPy would copy one
    return namespace(out).multiply(x, factor, out=out)


def _place(x: np.ndarray) -> tuple[Any, ...]:
    """Where the entries of an array lie."""
    return x.ctypes.data, x.shape, x.strides, x.dtype


def _device(image: Array) -> contextlib.AbstractContextManager[Any]:
    """CuPy allocates on the current device; make it that of `image`."""
    return image.device if _is_cupy(image) else contextlib.nullcontext()


def complex_of(real: Array, imag: Array) -> Array:
    """``real + i imag``."""
    dtype = complex_name(dtype_name(real))
    if isinstance(real, np.ndarray):
        out = np.empty(real.shape, dtype)
        out.real, out.imag = real, imag
        return out
    return astype(real, dtype) + 1j * astype(imag, dtype)


def real_part(x: Array) -> Array:
    """The real part, in memory of its own; a real array itself."""
    if not is_complex(x):
        return x
    return x.real.copy() if hasattr(x, "copy") else namespace(x).real(x)


def norm(x: Array) -> float:
    """The Euclidean norm of all entries, summed in double precision."""
    return float(np.linalg.norm(to_numpy(x).astype(np.complex128 if is_complex(x) else np.float64).ravel()))


def size(shape: Sequence[int]) -> int:
    """The number of entries of an array of this shape."""
    return prod(shape)


def nbytes(x: Array) -> int:
    """Bytes of the entries of `x`: the array API standard has no such attribute."""
    if isinstance(x, np.ndarray):
        return int(x.nbytes)
    bits = int("".join(filter(str.isdigit, dtype_name(x))) or 8)
    return size(x.shape) * bits // 8
