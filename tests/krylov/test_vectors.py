"""Inner products: exact, and the same bits whatever stands beside them."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from krylov.dense import random

from daskphys.krylov.vectors import divided, inner, norm, plus, ratio, scaled, zeros_like
from daskphys.pairwise import PairwiseSum
from daskphys.physics import Measurements

DTYPES = ["float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_the_sum_in_double_precision(dtype, rng):
    a, b = random(rng, (2, 3, 70, 90), dtype), random(rng, (2, 3, 70, 90), dtype)
    wide = np.result_type(dtype, np.float64)
    expected = (a.astype(wide).conj() * b.astype(wide)).real.sum(axis=(2, 3), keepdims=True)
    got = inner(a, b, (2, 3, 1, 1))
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(inner(a, b, (1, 1, 1, 1)), expected.sum(keepdims=True), rtol=1e-12, atol=1e-9)
    assert inner(a, b, ()).shape == ()


def test_single_precision_is_summed_in_double():
    """In float32 the sum of 2²⁵ ones would stop at 2²⁴."""
    ones = np.ones((1 << 25,), np.float32)
    assert inner(ones, ones, (1,)) == 1 << 25


@given(
    rows=st.integers(1, 40),
    length=st.sampled_from([1, 2, 7, 129, 1000, 16384, 16385, 40000]),
    dtype=st.sampled_from(DTYPES),
)
def test_a_row_has_the_bits_that_it_has_alone(rows, length, dtype):
    a = random(np.random.default_rng(rows * length), (rows, length), dtype)
    together = inner(a, a[:, ::-1], (rows, 1))
    for i in range(0, rows, 7):
        assert inner(a[i : i + 1], a[i : i + 1, ::-1], (1, 1))[0] == together[i]
        unaligned = np.empty(length + 1, dtype)[1:]
        unaligned[:] = a[i]
        assert inner(unaligned, a[i, ::-1], (1,)) == together[i]


def test_sensors_are_added_in_the_canonical_order(rng):
    y = Measurements(random(rng, (3, 5, n), "float32") for n in (4, 6, 1, 9, 2))
    z = y.map(lambda a: a[..., ::-1])
    left, right = PairwiseSum(), PairwiseSum()
    for i in range(5):
        (left if i < 2 else right).append(i, inner(y[i], z[i], (3, 1, 1)))
    joined = PairwiseSum.join([left.parts, right.parts]).total()
    assert inner(y, z, (3, 1, 1)).tobytes() == joined.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_the_array_api(dtype, rng):
    a, b = random(rng, (3, 5, 6), dtype), random(rng, (3, 5, 6), dtype)
    strict = array_api_strict.asarray(a), array_api_strict.asarray(b)
    np.testing.assert_allclose(inner(*strict, (3, 1, 1)), inner(a, b, (3, 1, 1)), rtol=1e-13)
    factors = np.array([2.0, 0.0, -1.0]).reshape(3, 1, 1)
    for got, expected in [
        (plus(strict[0], factors, strict[1]), plus(a, factors, b)),
        (divided(strict[0], factors), divided(a, factors)),
        (scaled(0.5, strict[0]), scaled(0.5, a)),
        (zeros_like(strict[0]), zeros_like(a)),
    ]:
        assert got.dtype == strict[0].dtype
        np.testing.assert_array_equal(np.asarray(got), expected)


def test_scalars_fit_arrays_of_fewer_and_more_axes(rng):
    y = Measurements([random(rng, (2, 4)), random(rng, (2, 3, 3, 2))])
    factors = np.array([1.0, -2.0]).reshape(2, 1, 1)
    got = plus(zeros_like(y), factors, y)
    for a, b in zip(got, y, strict=True):
        np.testing.assert_array_equal(a, np.stack([b[0], -2 * b[1]]))
    np.testing.assert_allclose(norm(y, (2, 1, 1))[1, 0, 0], np.hypot(*(np.linalg.norm(a[1]) for a in y)))


def test_nothing_that_was_given_is_written_to(rng):
    a, b = random(rng, (2, 3)), random(rng, (2, 3))
    copies = a.copy(), b.copy()
    plus(a, np.ones((2, 1)), b), divided(a, np.ones((2, 1))), scaled(2.0, a)
    np.testing.assert_array_equal(a, copies[0])
    np.testing.assert_array_equal(b, copies[1])


def test_division_by_zero_gives_zero():
    np.testing.assert_array_equal(ratio(np.array([1.0, 0.0]), np.array([0.0, 0.0])), 0.0)
    np.testing.assert_array_equal(divided(np.ones((2, 3)), np.array([[0.0], [2.0]]))[0], 0.0)
