"""Diagonals and multiples of the identity against dense matrices."""

import numpy as np
import pytest
from cases import blur, raises
from hypothesis import given
from hypothesis import strategies as st
from operators import Mask, matrix

from daskphys.errors import DtypeError, NotClosedFormError, ParameterError, ShapeError
from daskphys.physics import Diagonal, FourierMultiplier, Identity, stack
from daskphys.physics.base import Gram, Scaled, Sum
from daskphys.testing import check_physics

SHAPE = (4, 5)
KEEP = np.random.default_rng(0).random(SHAPE) < 0.6


def test_masks_merge_into_one_diagonal(rng):
    masks = stack(*[Mask(rng.random(SHAPE) < 0.5) for _ in range(9)])
    N = masks.normal((3, *SHAPE))
    assert isinstance(N, Diagonal)
    assert N.closed_form
    np.testing.assert_array_equal(N.diagonal(), sum(m.keep.astype(float) for m in masks))
    dense = np.concatenate([matrix(m, SHAPE) for m in masks])
    np.testing.assert_array_equal(matrix(N, SHAPE), dense.T @ dense)
    assert masks.compute_norm(SHAPE) == pytest.approx(np.linalg.norm(dense, 2), rel=1e-12)
    y = masks(rng.standard_normal(SHAPE))
    solution = np.linalg.pinv(dense, rtol=1e-12) @ np.concatenate(y)
    np.testing.assert_allclose(masks.A_dagger(y).ravel(), solution, atol=1e-14)


def test_a_mask_keeps_every_law():
    check_physics(Mask(KEEP), [SHAPE, (2, *SHAPE)], portable=False)
    check_physics(stack(Mask(KEEP), Mask(~KEEP)), [SHAPE], portable=False)


@pytest.mark.parametrize("rtol", [None, 1e-3, 0.3])
def test_closed_forms(rtol, rng):
    d = rng.uniform(0, 2, SHAPE) * KEEP
    D, dense = Diagonal(d), np.diag(d.ravel())
    np.testing.assert_allclose(matrix(D.inv(0.1), SHAPE), np.linalg.inv(dense + 0.1 * np.eye(20)), rtol=1e-14)
    np.testing.assert_allclose(
        matrix(D.pinv(rtol), SHAPE), np.linalg.pinv(dense, rtol=1e-15 if rtol is None else rtol), rtol=1e-12
    )
    assert D.norm() == d.max() == D.compute_norm((2, *SHAPE))


@given(
    shape=st.lists(st.integers(1, 4), min_size=0, max_size=3),
    ones=st.lists(st.booleans(), min_size=3, max_size=3),
    rank=st.integers(0, 3),
    dtype=st.sampled_from(["float32", "float64", "complex64", "complex128"]),
    seed=st.integers(0, 99),
)
def test_entries_broadcast_as_numpy_does(shape, ones, rank, dtype, seed):
    rng = np.random.default_rng(seed)
    rank = min(rank, len(shape))
    own = [1 if one else n for n, one in zip(shape[len(shape) - rank :], ones, strict=False)]
    d, x = rng.uniform(0, 1, own), rng.standard_normal(shape).astype(dtype)
    got = Diagonal(d)(x)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, d.astype(x.real.dtype) * x)


def test_diagonals_of_other_shapes_broadcast():
    rows, columns = Diagonal(np.arange(4.0)[:, None]), Diagonal(np.arange(5.0))
    total = rows + columns
    assert isinstance(total, Diagonal)
    np.testing.assert_array_equal(total.diagonal(), np.add.outer(np.arange(4.0), np.arange(5.0)))


def test_complex_diagonals(rng):
    d = rng.standard_normal(SHAPE) + 1j * rng.standard_normal(SHAPE)
    D, x = Diagonal(d), rng.standard_normal(SHAPE)
    np.testing.assert_array_equal(D(x), d * x)
    np.testing.assert_array_equal(D.A_adjoint(x), d.conj() * x)
    np.testing.assert_allclose(D.normal(SHAPE).diagonal(), abs(d) ** 2, rtol=1e-14)
    np.testing.assert_allclose(D.A_dagger(D(x)), x, rtol=1e-12)
    assert isinstance(2j * Diagonal(d.real), Scaled)
    assert isinstance(D + blur("circular", 2, 2).normal(SHAPE), Sum)
    with raises(ParameterError, "expected real, non-negative entries"):
        D.inv(1.0)


@pytest.mark.parametrize("N", [Diagonal(2 * KEEP), blur("circular", 2, 3).normal(SHAPE), Identity(0.5)])
@pytest.mark.parametrize("lam", [0.0, 0.25, -0.125, np.float64(3)])
def test_a_multiple_of_the_identity_goes_into_any_value(N, lam):
    shifted = N + lam * Identity()
    assert type(shifted) is type(N) is type(Identity(lam) + N)
    np.testing.assert_allclose(matrix(shifted, SHAPE), matrix(N, SHAPE) + lam * np.eye(20), atol=1e-15)
    assert Identity(lam) + N == shifted


def test_the_identity():
    x = np.ones(3, np.float32)
    assert (Identity(3)(x).dtype, Identity(3)(x).tolist()) == (np.float32, [3, 3, 3])
    assert Identity(2).inv(0.5) == Identity(0.4)
    assert (Identity(4).pinv(), Identity(0).pinv()) == (Identity(0.25), Identity(0))
    assert Identity(-4).norm() == 4.0 == Identity(-4).compute_norm((7,))
    assert Identity(3).diagonal() == 3.0
    assert stack(Identity(1), Identity(2)).normal((7,)) == Identity(5)
    assert stack(Identity(2), blur("circular", 2, 2)).normal(SHAPE).closed_form
    assert isinstance(stack(Identity(2), blur("circular", 2, 2)).normal(SHAPE), FourierMultiplier)
    assert isinstance(Identity() + blur("circular", 2, 2), Sum)
    assert isinstance(Identity() + Gram(blur("valid", 2, 2)), Sum)


def test_bad_parameters():
    for lam in (-1.0, np.nan, "1", 1j, None):
        for N in (Diagonal(KEEP), Identity()):
            with raises(ParameterError, "inv expected a finite lam >= 0, got"):
                N.inv(lam)
    for N in (Diagonal(KEEP), Identity(0)):
        with raises(ParameterError, "singular: expected lam > 0, or use pinv(rtol)"):
            N.inv(0)
    for N in (Diagonal(-1.0 * KEEP), Identity(-1)):
        with raises(ParameterError, "non-negative"):
            N.inv(2.0)
    for factor in (np.inf, "1", 1j, None):
        with raises(ParameterError, "Identity expected a finite real factor, got"):
            Identity(factor)
    with raises(ParameterError, "Diagonal expected finite entries, got NaN or infinity"):
        Diagonal([1.0, np.nan])
    with raises(DtypeError, "Diagonal: entries expected an array of real or complex numbers"):
        Diagonal(["a"])
    with np.errstate(over="ignore"), raises(ParameterError, "finite entries"):
        1e308 * Diagonal([1e308])
    with raises(ShapeError, "Diagonal(4×5)", "(4, 5)", "(5, 4)"):
        Diagonal(KEEP)(np.ones((5, 4)))
    with raises(ShapeError, "expected diagonals of one shape, got (4, 5) and (4, 4)"):
        Diagonal(KEEP) + Diagonal(np.ones((4, 4)))
    with pytest.raises(NotClosedFormError, match=r"no closed form of diagonal\(\)"):
        blur("valid", 2, 2).normal(SHAPE).diagonal()
