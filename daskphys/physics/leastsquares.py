"""Iterative forms on one machine (SciPy), for operators whose AᴴA has no closed form.

Vectors are flat and real, in double precision; a complex array is a pair of real ones.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ConvergenceWarning
from daskphys.physics.hooks import Hooks
from daskphys.physics.measurements import Measurements
from daskphys.physics.spaces import shape_of

_SMALL = 16  # ARPACK needs a few dimensions more than the eigenvalues asked for


class _Flat:
    """Arrays of given shapes, library and dtype as flat real vectors, and back."""

    def __init__(self, shapes: Any, sample: Any) -> None:
        self.many = isinstance(shapes[0], tuple)
        self.shapes = shapes if self.many else (shapes,)
        self.sample = sample
        self.parts = 2 if backend.is_complex(sample) else 1
        self.size = self.parts * sum(backend.size(s) for s in self.shapes)

    def flatten(self, value: Any) -> np.ndarray:
        arrays = value if self.many else (value,)
        dtype = np.complex128 if self.parts == 2 else np.float64
        return np.concatenate([backend.to_numpy(a).astype(dtype).ravel() for a in arrays]).view(np.float64)

    def restore(self, vector: np.ndarray) -> Any:
        host = vector.astype(backend.real_name(backend.dtype_name(self.sample)))
        if self.parts == 2:
            host = host.view(backend.complex_name(host.dtype.name))
        ends = np.cumsum([backend.size(s) for s in self.shapes])[:-1]
        arrays = [
            backend.like(np.ascontiguousarray(part).reshape(shape), self.sample)
            for part, shape in zip(np.split(host, ends), self.shapes, strict=True)
        ]
        return Measurements(arrays) if self.many else arrays[0]


def solve(operator: Hooks, y: Any, shape: Any, rtol: float | None) -> Any:
    """The least-squares solution of smallest norm of ``operator x = y`` (LSMR, Fong and Saunders 2011).

    Parameters
    ----------
    operator
        The operator; `shape` is that of x.
    rtol
        The relative accuracy to stop at; by default the rounding unit of the dtype of `y`.

    Warns
    -----
    ConvergenceWarning
        It stopped before that; the message gives the residual ‖Aᴴ(Ax − y)‖ relative to ‖A‖ ‖Ax − y‖.
    """
    from scipy.sparse.linalg import LinearOperator, lsmr

    sample = y[0] if isinstance(y, Measurements) else y
    # A complex operator's solution is complex, whatever the measurement.
    sample = backend.astype(sample, operator._result_dtype(backend.dtype_name(sample)))
    domain, codomain = _Flat(shape, sample), _Flat(shape_of(y), sample)
    linear = LinearOperator(
        (codomain.size, domain.size),
        matvec=lambda v: codomain.flatten(operator._forward(domain.restore(v))),
        rmatvec=lambda v: domain.flatten(operator._adjoint(codomain.restore(v), shape)),
        dtype=np.float64,
    )
    eps = backend.eps(sample)
    tol = eps if rtol is None else max(rtol, eps)
    limit = max(1000, min(domain.size, 10_000))
    x, stop, iterations, residual, normal_residual, norm, *_ = lsmr(
        linear, codomain.flatten(y), atol=tol, btol=tol, conlim=0, maxiter=limit
    )
    if stop == 7:
        reached = normal_residual / (norm * residual) if norm * residual > 0 else 0.0
        warnings.warn(
            f"{operator!r}: LSMR stopped after {iterations} iterations at a relative residual of {reached:.2e} "
            f"of the normal equations (asked for {tol:.1e}): the problem is ill-conditioned; a larger rtol stops "
            f"earlier",
            ConvergenceWarning,
            stacklevel=2,
        )
    return domain.restore(x)


def largest_eigenvalue(operator: Hooks, shape: Any) -> float:
    """The largest eigenvalue of a self-adjoint positive operator on images of `shape` (Lanczos, ARPACK)."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    many = isinstance(shape[0], tuple)
    zero: Any = Measurements(map(np.zeros, shape)) if many else np.zeros(shape)
    image = operator._forward(zero)  # complex where the operator makes real images complex
    flat = _Flat(shape, image[0] if many else image)
    apply = LinearOperator(
        (flat.size, flat.size),
        matvec=lambda v: flat.flatten(operator._forward(flat.restore(np.ravel(v)))),
        dtype=np.float64,
    )
    if flat.size < _SMALL:
        return float(np.linalg.eigvalsh(apply @ np.eye(flat.size))[-1])
    start = np.random.default_rng(0).standard_normal(flat.size)
    if not np.any(apply @ start):
        return 0.0
    return float(eigsh(apply, k=1, which="LM", v0=start, return_eigenvectors=False)[0])
