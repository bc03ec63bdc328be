"""Laws of the products of an operator, for every shape and dtype."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from daskphys import backend
from daskphys.physics.spaces import real_part, shape_of
from daskphys.testing.probe import Probe, arrays, each, entry, expect, flat, inner, require, same_bits, size


def adjoint(p: Probe) -> None:
    """⟨A x, y⟩ = ⟨x, Aᴴ y⟩"""
    x, y = p.input(), p.output()
    forward, back = p.A.A(x), p.A.A_adjoint(y)
    left, right = inner(forward, y), inner(x, back)
    if not p.dtype.startswith("complex"):
        left, right = complex(left.real), complex(right.real)
    p.near(left, right, scale=max(size(forward) * size(y), size(x) * size(back)))


def linear(p: Probe) -> None:
    """A (a x + b z) = a A x + b A z"""
    x, z, a, b = p.input(), p.input(), 1.25, -0.5
    p.near(p.A.A(a * x + b * z), a * p.A.A(x) + b * p.A.A(z))


def shapes(p: Probe) -> None:
    """shapes are those that range_shape and A.H.range_shape say"""
    for lead in ((), (2,), (2, 3)):
        x, y = p.input(*lead), p.output(*lead)
        require(shape_of(p.A.A(x)), p.A.range_shape(x), "the shape of A x is")
        require(shape_of(p.A.A_adjoint(y)), p.A.H.range_shape(y), "the shape of Aᴴ y is")
        require(shape_of(p.A.A_adjoint(y)), shape_of(x), "the shape of Aᴴ y is")


def nothing_measured(p: Probe) -> None:
    """A x is zero where `_measured`, which broadcasts against it, is"""
    if (measured := p.A._measured) is not None:
        y, flags = p.A.A(p.input()), backend.to_numpy(measured) != 0
        require(
            np.broadcast_shapes(flags.shape, y.shape), shape_of(y), "the shape of A x with `_measured` is"
        )
        expect(not np.any(np.where(flags, 0, y)), "A x is not zero where nothing is measured")


def dtypes(p: Probe) -> None:
    """results have the dtype of the input, or its complex one for an operator that is complex"""
    is_complex = p.is_complex
    for product, argument in p.products():
        value = argument()
        given = backend.dtype_name(arrays(value)[0])
        allowed = {given, *([backend.complex_name(given)] if is_complex else [])}
        allowed |= {backend.real_name(given)} if p.A.of_real_images else set()
        for array in arrays(product(value)):
            made = backend.dtype_name(array)
            expect(made in allowed, f"{product.__name__} of {given} gave {made}")


def derived(p: Probe) -> None:
    """A_adjoint_A, A_A_adjoint, A_vjp and A.H agree with A and A_adjoint"""
    x, y, A = p.input(), p.output(), p.A
    p.near(A.A_adjoint_A(x), A.A_adjoint(A.A(x)))
    p.near(A.A_A_adjoint(y), A.A(A.A_adjoint(y)))
    p.near(A.H.A_adjoint_A(y), A.A_A_adjoint(y))
    same_bits(A.A_vjp(x, y), A.A_adjoint(y))
    same_bits(A.H.A(y), A.A_adjoint(y))
    same_bits(A.H.A_adjoint(x), A.A(x))


def multiples_and_sums(p: Probe) -> None:
    """2 A, A / 2, -A, A + A, A + A + A and A - A, and their adjoints, are what they say"""
    x, y, A = p.input(), p.output(), p.A
    forward, back = A.A(x), A.A_adjoint(y)
    for made, factor in [(2 * A, 2.0), (A / 2, 0.5), (-A, -1.0), (A + A, 2.0), (A + A + A, 3.0)]:
        p.near(made.A(x), factor * forward)
        p.near(made.H.A(y), factor * back)
        p.near(made.A_adjoint_A(x), factor**2 * A.A_adjoint_A(x))
    p.near((A - A).A(x), 0.0 * forward, scale=size(forward))


def complex_multiples(p: Probe) -> None:
    """(1j A) x = 1j (A x) and (1j A)ᴴ y = Aᴴ (-1j y)"""
    x, y = p.input(), p.random(p.A.range_shape(p.shape), backend.complex_name(p.dtype))
    p.near((1j * p.A).A(x), 1j * p.A.A(x))
    turned = real_part(-1j * y) if p.A.gives_real else -1j * y
    p.near((1j * p.A).A_adjoint(y), p.A.A_adjoint(turned))


def complex_sums(p: Probe) -> None:
    """(A + A + 1j A) x = (2 + 1j) A x"""
    x = p.input()
    p.near((p.A + p.A + 1j * p.A).A(x), (2 + 1j) * p.A.A(x))


def compositions(p: Probe) -> None:
    """A @ Aᴴ and Aᴴ @ A, and their adjoints, are what they say"""
    x, y, A = p.input(), p.output(), p.A
    for made in (A @ A.H, (A @ A.H).H):
        p.near(made.A(y), A.A_A_adjoint(y))
    for made in (A.H @ A, (A.H @ A).H):
        p.near(made.A(x), A.A_adjoint_A(x))


def leading_axes(p: Probe) -> None:
    """a batch gives the same bits as each of its entries"""
    for product, argument in p.products():
        batch = argument(3)
        together = product(batch)
        for i in range(3):
            same_bits(entry(together, i), product(entry(batch, i)))


def deterministic(p: Probe) -> None:
    """the same bits again, and with one FFT thread or two"""
    for product, argument in p.products():
        value = argument()
        first = product(value)
        same_bits(product(value), first)
        for threads in (1, 2):
            with backend.fft_threads(threads):
                same_bits(product(value), first)


def precision(p: Probe) -> None:
    """single precision agrees with double to 5e-6"""
    for product, argument in p.products():
        value = argument()
        exact = product(each(value, p.widened))
        error = size(flat(product(value)) - flat(exact)) / max(size(exact), 1e-300)
        expect(error <= 5e-6, f"relative difference {error:.1e} of {product.__name__}, expected at most 5e-6")


LAWS: tuple[Callable[[Probe], None], ...] = (
    adjoint,
    linear,
    shapes,
    nothing_measured,
    dtypes,
    derived,
    multiples_and_sums,
    complex_multiples,
    complex_sums,
    compositions,
    leading_axes,
    deterministic,
    precision,
)
