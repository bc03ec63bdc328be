"""Multiples, sums and products of distributed operators: the bits of the plain stack's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from daskphys.distributed import DistributedContext, distribute
from daskphys.distributed.physics import DistributedPhysics
from daskphys.errors import ShapeError
from daskphys.physics import Blur, StackedPhysics, gaussian_blur, stack

FIRST = Blur(gaussian_blur(0.7), padding="reflect")

ALGEBRA: dict[str, Callable[[Any], Any]] = {
    "3 * A": lambda A: 3 * A,
    "-A": lambda A: -A,
    "A / 7": lambda A: A / np.float64(7),
    "2j * A": lambda A: 2j * A,
    "A + A": lambda A: A + A,
    "3 A - A @ B": lambda A: 3 * A - A @ FIRST,
    "A @ B": lambda A: A @ FIRST,
}


@pytest.mark.parametrize("name", ALGEBRA)
def test_the_bits_of_the_plain_stack(
    threads: DistributedContext, blurs: StackedPhysics, mixed: StackedPhysics, image: np.ndarray, name: str
) -> None:
    make = ALGEBRA[name]
    for plain in (blurs, mixed):
        ours, theirs = make(distribute(plain, threads, chunks=2)), make(plain)
        assert isinstance(ours, DistributedPhysics)
        assert ours.physics_list == theirs.physics_list
        y = theirs(image)
        for a, b in zip(ours(image), y, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(ours.A_adjoint(y), theirs.A_adjoint(y))
        np.testing.assert_array_equal(ours.A_adjoint_A(image), theirs.A_adjoint_A(image))


def test_a_plain_stack_on_the_right(
    threads: DistributedContext, blurs: StackedPhysics, image: np.ndarray
) -> None:
    y = blurs(image)
    total = distribute(blurs, threads) + blurs
    np.testing.assert_array_equal(total.A_adjoint(y), (blurs + blurs).A_adjoint(y))
    with pytest.raises(ShapeError, match="as many sensors, got 7 and 2"):
        distribute(blurs, threads) + blurs[:2]


def test_factories(threads: DistributedContext, image: np.ndarray) -> None:
    def factory(index: int) -> Blur:
        return Blur(gaussian_blur(1 + index))

    plain = stack(*map(factory, range(3)))
    D = distribute(factory, threads, num_operators=3)
    for name, make in ALGEBRA.items():
        ours, theirs = make(D), make(plain)
        y = theirs(image)
        np.testing.assert_array_equal(ours.A_adjoint(y), theirs.A_adjoint(y), err_msg=name)


def test_real_and_complex_sensors(threads: DistributedContext, image: np.ndarray) -> None:
    """Their measurements differ in dtype; their sum is complex."""
    A = stack(2j * Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
    y = A(image)
    assert [a.dtype for a in y] == [np.complex64, np.float32]
    expected = -2j * A[0].parent.A_adjoint(y[0]) + A[1].A_adjoint(y[1])
    np.testing.assert_allclose(A.A_adjoint(y), expected, atol=1e-5)
    np.testing.assert_array_equal(distribute(A, threads).A_adjoint(y), A.A_adjoint(y))
