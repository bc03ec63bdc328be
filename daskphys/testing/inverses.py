"""Laws of AᴴA, its closed forms, norms and least-squares solutions, for every shape in double precision."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.errors import ConvergenceWarning
from daskphys.physics.base import Gram
from daskphys.physics.measurements import Measurements
from daskphys.physics.stack import stack
from daskphys.testing.probe import Probe, arrays, expect, inner, require, size

_DENSE = 1024  # entries of an input up to which its operator is made a dense matrix


def normal(p: Probe) -> None:
    """A.normal(shape) is AᴴA: self-adjoint and positive"""
    x, z = p.input(), p.input()
    N = p.A.normal(p.shape)
    Nx = N.A(x)
    p.near(Nx, p.A.A_adjoint_A(x))
    p.near(inner(Nx, z).real, inner(x, N.A(z)).real, scale=size(Nx) * size(z))
    p.near(inner(x, Nx).real, size(p.A.A(x)) ** 2)


def merge(p: Probe) -> None:
    """where AᴴA merges, that of stack(A, 2 A, A) is one value and the sum of theirs"""
    if p.A.normal_kind is None or not p.can_be_stacked:
        return
    S, x = stack(p.A, 2 * p.A, p.A), p.input()
    N = S.normal(p.shape)
    expect(not isinstance(N, Gram), f"the stack's normal operator did not merge: {N!r}")
    p.near(N.A(x), 6 * p.A.A_adjoint_A(x))
    p.near(S.A_adjoint_A(x), S.A_adjoint(S.A(x)))


def closed_forms(p: Probe) -> None:
    """where AᴴA merges, its inv, pinv and norm are those of AᴴA where it has them, and `closed_form` says so"""
    if p.A.normal_kind is None:
        return
    N, x = p.A.normal(p.shape), p.input()
    require(N.closed_form, p.A.normal_kind.closed_form, "closed_form is")
    if not N.closed_form:
        return
    lam = 0.1 * N.norm() + 1e-3
    p.near(N.inv(lam).A(N.A(x) + lam * x), x)
    p.near(N.A(N.pinv().A(N.A(x))), N.A(x), scale=N.norm() * size(x))
    p.near(N.norm(), p.A.compute_sqnorm(p.shape))


def norm(p: Probe) -> None:
    """compute_norm bounds ‖A x‖ / ‖x‖, and is the largest singular value"""
    x = p.input()
    largest = p.A.compute_norm(p.shape)
    p.near(p.A.compute_sqnorm(x), largest**2)
    ratio = size(p.A.A(x)) / size(x)
    expect(ratio <= largest * (1 + 1e-9), f"‖A x‖ / ‖x‖ = {ratio}, compute_norm {largest}")
    if sum(a.size for a in arrays(x)) <= _DENSE:
        p.near(largest, float(np.linalg.norm(_matrix(p), 2)), tolerance=1e-7)


def least_squares(p: Probe) -> None:
    """AᴴA A⁺y = Aᴴy, unless A_dagger warns that it did not converge"""
    y = p.output()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            solution = p.A.A_dagger(y)
    except ConvergenceWarning:
        return
    back = p.A.A_adjoint(y)
    p.near(p.A.A_adjoint_A(solution), back, tolerance=1e-11)


def _matrix(p: Probe) -> np.ndarray:
    """The dense matrix, by the operator's own broadcast over leading axes."""
    shapes = p.shape if p.takes_measurements else (p.shape,)
    ends = np.cumsum([backend.size(s) for s in shapes])
    unit = np.eye(int(ends[-1]))
    basis = [part.reshape(-1, *s) for part, s in zip(np.split(unit, ends[:-1], axis=1), shapes, strict=True)]
    value: Any = Measurements(basis) if p.takes_measurements else basis[0]
    rows = np.concatenate([a.reshape(len(unit), -1) for a in arrays(p.A.A(value))], axis=1)
    return np.concatenate([rows.real, rows.imag], axis=1) if p.A.of_real_images else rows


LAWS: tuple[Callable[[Probe], None], ...] = (normal, merge, closed_forms, norm, least_squares)
