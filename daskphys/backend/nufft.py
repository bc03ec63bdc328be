"""Non-uniform Fourier transforms: finufft's on the CPU, cufinufft's on a GPU, which no GPU has run yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from daskphys.backend.arrays import (
    Array,
    complex_name,
    dtype_name,
    like,
    namespace,
    on_gpu,
    real_name,
    size,
    to_numpy,
)
from daskphys.backend.threads import spread
from daskphys.errors import MissingDependencyError

#: The accuracy that a precision allows; less is not asked of the library, which would warn.
FINEST = {"float32": 5e-7, "float64": 1e-14}

# About how many times as long as an entry of an FFT an entry of such a transform takes.
_WORK = 8


class NonUniformFFT:
    """``y[m] = Σₙ x[n] exp(−2πi kₘ·(n − ⌊sizes / 2⌋))`` and its transpose, for arrays of one precision and device.

    Each image is transformed alone and by one thread, so that its bits depend on no other; images of a batch are
    spread over threads.  One plan serves both directions, and several threads at once: on the CPU a call has a
    workspace of its own.

    Parameters
    ----------
    points : array of float64, shape (M, d)
        The frequencies kₘ in cycles a sample, one column for each axis.
    sizes : tuple of d int
        The image's shape.
    eps : float
        Relative accuracy asked of the library.
    image : array
        An array of the precision, library and device to compute with.

    Raises
    ------
    MissingDependencyError
        finufft (for CuPy arrays cufinufft) is not installed.
    """

    def __init__(self, points: Array, sizes: tuple[int, ...], eps: float, image: Array) -> None:
        real = real_name(dtype_name(image))
        self.sizes, self.samples = sizes, int(points.shape[0])
        self._dtype, self._lock = complex_name(real), threading.Lock()
        #: Bytes that it holds: the points, and the order in which the library visits them.
        self.nbytes = self.samples * (len(sizes) * np.dtype(real).itemsize + 8)
        make = _on_gpu if on_gpu(image) else _on_cpu
        columns = [column.astype(real) for column in 2 * np.pi * to_numpy(points).T]
        self._forward, self._adjoint = make(columns, sizes, max(eps, FINEST[real]), self._dtype, image)

    def forward(self, x: Array) -> Array:
        """The samples of each image, shape (…, M)."""
        return self._each(self._forward, x, self.sizes, (self.samples,))

    def adjoint(self, y: Array) -> Array:
        """``Σₘ y[m] exp(2πi kₘ·(n − ⌊sizes / 2⌋))``, shape (…, *sizes)."""
        return self._each(self._adjoint, y, (self.samples,), self.sizes)

    def _each(
        self, one: Callable[..., Any], x: Array, given: tuple[int, ...], made: tuple[int, ...]
    ) -> Array:
        lead = tuple(x.shape[: x.ndim - len(given)])
        if on_gpu(x):
            xp, flat = namespace(x), x.astype(self._dtype).reshape(-1, *given)
            with self._lock:  # there a plan has one workspace
                return xp.stack([one(part) for part in flat]).reshape(*lead, *made)
        flat = np.ascontiguousarray(to_numpy(x), self._dtype).reshape(-1, *given)
        y = np.empty((len(flat), *made), self._dtype)
        work = _WORK * (size(self.sizes) + self.samples)
        spread(lambda i: one(flat[i], out=y[i]), range(len(flat)), size=work)
        return like(y.reshape(*lead, *made), x)


def _on_cpu(columns: Any, sizes: tuple[int, ...], eps: float, dtype: str, image: Array) -> Any:
    try:
        import finufft

        if not hasattr(finufft.Plan, "execute_adjoint"):
            raise ImportError(f"finufft {finufft.__version__} has no Plan.execute_adjoint")
    except ImportError as error:
        raise MissingDependencyError(
            f"non-uniform Fourier transforms need finufft 2.5 or later: pip install 'daskphys[mri]' ({error})"
        ) from error
    plan = finufft.Plan(2, sizes, 1, eps, -1, dtype, nthreads=1)
    plan.setpts(*columns)
    return plan.execute, plan.execute_adjoint


def _on_gpu(columns: Any, sizes: tuple[int, ...], eps: float, dtype: str, image: Array) -> Any:
    try:
        import cufinufft
    except ImportError as error:
        raise MissingDependencyError(
            "non-uniform Fourier transforms of CuPy arrays need cufinufft: pip install cufinufft"
        ) from error
    plans = [
        cufinufft.Plan(kind, sizes, 1, eps, sign, dtype, gpu_device_id=image.device.id)
        for kind, sign in ((2, -1), (1, 1))
    ]
    for plan in plans:
        plan.setpts(*(like(column, image) for column in columns))
    return tuple(plan.execute for plan in plans)
