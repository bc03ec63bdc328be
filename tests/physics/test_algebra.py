"""How operators combine: which numbers they take, how they read, what order of terms they keep."""

from fractions import Fraction

import numpy as np
import pytest
from cases import blur

from daskphys.physics import Blur, stack
from daskphys.physics.base import Scaled, Sum

A, B, V = blur("circular", 3, 4), blur("circular", 2, 2), blur("valid", 3, 3)


@pytest.mark.parametrize(
    "factor", [2, 2.0, np.float64(2), np.float32(2), np.int64(2), np.array(2.0), Fraction(2), 2 + 0j]
)
def test_numbers_of_many_kinds(factor):
    assert factor * A == A * factor == 2.0 * A
    x = np.ones((8, 9), np.float32)
    assert (factor * A)(x).dtype == np.float32


@pytest.mark.parametrize("divisor", [2, 2.0, np.float64(2), np.array(2.0), Fraction(2), 2 + 0j])
def test_divisors_of_many_kinds(divisor):
    assert A / divisor == 0.5 * A


def test_complex_factors_make_complex_images():
    x = np.ones((8, 9), np.float32)
    for factor in (1j, np.complex64(1j), np.complex128(1 + 1j)):
        assert (factor * A)(x).dtype == np.complex64


def test_what_is_no_number():
    for other in (np.ones(3), "2", None, [2]):
        with pytest.raises(TypeError):
            other * A
        with pytest.raises(TypeError):
            A / other


def test_products_read_from_right_to_left(rng):
    x = rng.standard_normal((9, 8))
    np.testing.assert_array_equal((V @ A)(x), V(A(x)))
    np.testing.assert_array_equal((V @ A).H(V(A(x))), A.H(V.H(V(A(x)))))
    np.testing.assert_array_equal(A @ x, A(x))
    assert (V @ A).range_shape((9, 8)) == (7, 6)
    assert (V @ V @ A).H.range_shape((5, 4)) == (9, 8)


def test_sums_are_laid_flat_in_order():
    C = blur("reflect", 2, 2)
    assert (A + B + C).terms == (A + (B + C)).terms == (A, B, C)
    assert A - B == A + -B == Sum((A, Scaled(-1.0, B)))


def test_distributive(rng):
    x = rng.standard_normal((9, 8))
    np.testing.assert_allclose(((A + B) @ A)(x), (A @ A + B @ A)(x), atol=1e-13)
    np.testing.assert_allclose((2j * (A - B)).H(x), (-2j * A.H + 2j * B.H)(x), atol=1e-13)


def test_sums_of_operators_with_other_axes(rng):
    """One kernel for all channels plus one for each acts on what both act on."""
    per_channel = blur("circular", 3, 2, 2)
    x = rng.standard_normal((3, 8, 9))
    for made in (A + per_channel, per_channel + A):
        np.testing.assert_allclose(made(x), A(x) + per_channel(x), atol=1e-14)
        with pytest.raises(ValueError, match="3 or more axes"):
            made(x[0])


def test_reprs():
    K = Blur(np.ones((2, 3)))
    assert repr(K) == "Blur(2×3, circular)"
    assert repr(K.H) == "Blur(2×3, circular).H"
    assert repr(2 * K) == "2 * Blur(2×3, circular)"
    assert repr(K @ K.H) == "Blur(2×3, circular) @ Blur(2×3, circular).H"
    assert repr(K + K) == "(Blur(2×3, circular) + Blur(2×3, circular))"
    assert repr(K + K + K + K + K).endswith(" + …)")
    assert repr(Blur(np.ones((1, 3, 2, 3)), "valid")) == "Blur(3 of 2×3, valid)"


def test_an_operator_is_true():
    assert A
    assert stack(A)


def test_norms_of_products():
    assert (A @ A.H).compute_norm((8, 9)) == pytest.approx(A.compute_sqnorm((8, 9)), rel=1e-9)
    assert A.H.compute_norm((8, 9)) == pytest.approx(A.compute_norm((8, 9)), rel=1e-9)
    ragged = stack(V, A)
    assert ragged.H.compute_norm(((6, 7), (8, 9))) == pytest.approx(ragged.compute_norm((8, 9)), rel=1e-9)
