"""Laws of sensors that are not linear; those on arrays, shapes and bits are the linear ones' own."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from dask.base import tokenize

from daskphys import backend
from daskphys.errors import NotLinearError
from daskphys.physics.measurements import Measurements
from daskphys.physics.normal import Identity
from daskphys.physics.spaces import shape_of
from daskphys.physics.stack import stack
from daskphys.testing import content, kinds, products
from daskphys.testing.probe import Probe, arrays, expect, inner, require, same_bits, size

#: The step of a central difference: its square, and the rounding that it magnifies, are about as large.
_STEP = 1e-5


def gradient(p: Probe) -> None:
    """Re ⟨A_vjp(x, v), d⟩ is the derivative of Re ⟨v, A(x)⟩ along d, by central differences"""
    given, d = p.cotangents(), p.input()
    x, v = given[0], Measurements(given[1:])
    above, below = (Measurements(arrays(p.A.A(x + step * d))) for step in (_STEP, -_STEP))
    difference = (above - below) / (2 * _STEP)
    made = inner(p.A_vjp(given), d).real
    scale = size(v) * size(difference)
    p.near(made, inner(v, difference).real, scale=scale, tolerance=1e-7)


def linear_in_v(p: Probe) -> None:
    """A_vjp(x, a v + b w) = a A_vjp(x, v) + b A_vjp(x, w)"""
    given, other, a, b = p.cotangents(), p.cotangents(), 1.25, -0.5
    mixed = Measurements((given[0], *(a * v + b * w for v, w in zip(given[1:], other[1:], strict=True))))
    beside = Measurements((given[0], *other[1:]))
    p.near(p.A_vjp(mixed), a * p.A_vjp(given) + b * p.A_vjp(beside))


def shapes(p: Probe) -> None:
    """A x has the shape that range_shape says, and A_vjp(x, v) that of x, with any leading axes"""
    for lead in ((), (2,), (2, 3)):
        given = p.cotangents(*lead)
        require(shape_of(p.A.A(given[0])), p.A.range_shape(given[0]), "the shape of A x is")
        require(shape_of(p.A_vjp(given)), shape_of(given[0]), "the shape of A_vjp(x, v) is")


def dtypes(p: Probe) -> None:
    """A x has the precision of x and the dtype that the operator says, A_vjp(x, v) the dtype of x"""
    given = p.cotangents()
    require(backend.dtype_name(p.A_vjp(given)), p.dtype, "the dtype of A_vjp(x, v) is")
    made = [backend.dtype_name(a) for a in arrays(p.A.A(given[0]))]
    for name in made:
        require(backend.real_name(name), backend.real_name(p.dtype), "the precision of A x is")
    if len(made) == 1:
        require(made[0], p.A._result_dtype(p.dtype), "the dtype of A x is")


def values(p: Probe) -> None:
    """operators are equal, hash, tokenise and pickle by content"""
    given = p.cotangents()
    for twin in (content.copied(p.A), pickle.loads(pickle.dumps(p.A))):
        require(twin, p.A, "a copy is")
        require((hash(twin), tokenize(twin), repr(twin)), (hash(p.A), tokenize(p.A), repr(p.A)), "it has")
        same_bits(twin.A(given[0]), p.A.A(given[0]))
        same_bits(twin.A_vjp(*p.pair(given)), p.A_vjp(given))
    if p.can_be_stacked:
        expect(stack(p.A, p.A) != p.A, "a stack of it equals it")


def stacking(p: Probe) -> None:
    """stack(A, 2 I) measures what they do, and its A_vjp is the sum of theirs"""
    if not p.can_be_stacked:
        return
    S, given = stack(p.A, Identity(2.0)), p.cotangents()
    x, v = given[0], (*given[1:], p.input())
    for sensor, made in zip(S, S.A(x), strict=True):
        p.near(made, sensor.A(x))
    p.near(S.A_vjp(x, v), sum(sensor.A_vjp(x, own) for sensor, own in zip(S, v, strict=True)))


def compositions(p: Probe) -> None:
    """A @ 2 I takes 2 x, and its A_vjp is twice that of A there"""
    given = p.cotangents()
    B, twice = p.A @ Identity(2.0), Measurements((2 * given[0], *given[1:]))
    p.near(B.A(given[0]), p.A.A(2 * given[0]))
    p.near(B.A_vjp(*p.pair(given)), 2 * p.A_vjp(twice))


def says_what_it_has_not(p: Probe) -> None:
    """what needs linearity is a NotLinearError that names the operator"""
    asked: tuple[Callable[[], Any], ...] = (
        lambda: p.A.H,
        lambda: p.A.A_adjoint(p.input()),
        lambda: p.A.A_adjoint_A(p.input()),
        lambda: p.A.A_dagger(p.input()),
        lambda: p.A.compute_norm(p.shape),
        lambda: p.A.normal(p.shape),
        lambda: 2 * p.A,
        lambda: p.A + p.A,
    )
    for ask in asked:
        try:
            ask()
        except NotLinearError as error:
            expect(repr(p.A) in str(error), f"it does not name the operator: {error}")
        else:
            raise AssertionError("nothing was said")


#: For every shape and dtype.
DTYPES = (shapes, dtypes, linear_in_v, products.leading_axes, products.deterministic, products.precision)

#: For every shape, in double precision.
SHAPES = (gradient, values, content.representation, stacking, compositions, says_what_it_has_not, *kinds.LAWS)
