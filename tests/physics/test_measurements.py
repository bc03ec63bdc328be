"""Measurements: a sequence of arrays with arithmetic."""

import math
import pickle

import array_api_strict
import numpy as np
import pytest

from daskphys.errors import ShapeError
from daskphys.physics import Blur, Measurements, gaussian_blur, stack


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((2, 3)).astype(np.float32), rng.standard_normal(4).astype(np.float32)]


@pytest.fixture
def y(arrays):
    return Measurements(arrays)


def same(got, expected):
    assert isinstance(got, Measurements)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_it_is_a_sequence(y, arrays):
    assert len(y) == 2
    assert y[0] is arrays[0]
    assert y[-1] is arrays[1]
    assert [a is b for a, b in zip(y, arrays, strict=True)] == [True, True]
    assert [a.shape for a in reversed(y)] == [(4,), (2, 3)]
    same(y[1:], arrays[1:])
    same(y[::-1], arrays[::-1])
    assert len(y[2:]) == 0
    with pytest.raises(IndexError):
        y[2]


def test_shapes_and_bytes(y):
    assert y.shapes == ((2, 3), (4,))
    assert y.nbytes == 40


def test_arithmetic_with_numbers(y, arrays):
    for number in (2, 0.5, np.float32(3.0)):
        same(y + number, [a + number for a in arrays])
        same(number + y, [number + a for a in arrays])
        same(y - number, [a - number for a in arrays])
        same(number - y, [number - a for a in arrays])
        same(y * number, [a * number for a in arrays])
        same(number * y, [number * a for a in arrays])
        same(y / number, [a / number for a in arrays])
        same(number / y, [number / a for a in arrays])
    same(-y, [-a for a in arrays])
    same(y * 1j, [a * 1j for a in arrays])


def test_arithmetic_with_measurements(y, arrays):
    other = [a + 1 for a in arrays]
    for right in (Measurements(other), other, tuple(other)):
        same(y + right, [a + b for a, b in zip(arrays, other, strict=True)])
        same(y - right, [a - b for a, b in zip(arrays, other, strict=True)])
        same(y * right, [a * b for a, b in zip(arrays, other, strict=True)])
        same(y / right, [a / b for a, b in zip(arrays, other, strict=True)])
        same(right - y, [b - a for a, b in zip(arrays, other, strict=True)])
        same(right / y, [b / a for a, b in zip(arrays, other, strict=True)])


def test_nothing_is_written_to(y, arrays):
    before = [a.copy() for a in arrays]
    z = y
    z += 1
    z *= y
    assert z is not y
    same(y, before)


def test_arithmetic_with_what_does_not_fit(y):
    for other in (Measurements([]), [1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(
            ShapeError, match=f"2 sensors expected as many on the other side, got {len(other)}"
        ):
            y + other
    with pytest.raises(ShapeError, match=r"expected a scalar or measurements .*shape \(2, 3\).*\.map"):
        y * np.ones((2, 3))
    with pytest.raises(ShapeError, match=r"\.map"):
        np.ones((2, 3)) * y


def test_map(y, arrays):
    same(y.map(np.abs), [np.abs(a) for a in arrays])


def test_norm(y, arrays):
    assert isinstance(y.norm(), float)
    assert math.isclose(y.norm(), np.linalg.norm(np.concatenate([a.ravel() for a in arrays])), rel_tol=1e-6)
    assert Measurements([np.array([3j]), np.array([4.0])]).norm() == 5.0
    assert Measurements([array_api_strict.asarray([3.0]), array_api_strict.asarray([[4.0]])]).norm() == 5.0


def test_stack(y, arrays):
    np.testing.assert_array_equal(
        Measurements([arrays[0], 2 * arrays[0]]).stack(), [arrays[0], 2 * arrays[0]]
    )
    with pytest.raises(ShapeError, match=r"arrays of one shape, got 2×3, 4: keep them as Measurements"):
        y.stack()
    strict = Measurements([array_api_strict.ones(2), array_api_strict.zeros(2)]).stack()
    assert isinstance(strict, type(array_api_strict.ones(1)))
    assert strict.shape == (2, 2)


def test_pickle(y, arrays):
    same(pickle.loads(pickle.dumps(y)), arrays)


def test_repr_is_one_line(y):
    assert repr(y) == "<Measurements of 2 sensors: 2×3, 4 numpy float32>"
    many = Measurements([np.ones(3)] * 9)
    assert repr(many) == "<Measurements of 9 sensors: 3, 3, 3, 3, … numpy float64>"
    assert repr(Measurements([])) == "<Measurements of 0 sensors: >"


def test_a_stack_gives_them_and_takes_lists_too():
    A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(1.0), "valid"))
    y = A(np.random.default_rng(0).random((12, 12)))
    assert isinstance(y, Measurements)
    assert y.shapes == ((12, 12), (4, 4))
    for same_y in (list(y), tuple(y), y[:]):
        np.testing.assert_array_equal(A.A_adjoint(same_y), A.A_adjoint(y))
