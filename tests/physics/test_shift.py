"""Shifts: exact by whole pixels, by the shift theorem between them."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from cases import blur, raises
from hypothesis import given
from hypothesis import strategies as st
from operators import matrix

from daskphys import backend
from daskphys.errors import DtypeError, ParameterError, ShapeError
from daskphys.physics import MRI, Blur, Diagonal, Identity, Shift, stack
from daskphys.physics.normal import FourierMultiplier


@given(shift=st.tuples(st.integers(-20, 20), st.integers(-20, 20)), seed=st.integers(0, 9))
def test_whole_pixels_are_a_permutation(shift, seed):
    x = np.random.default_rng(seed).standard_normal((2, 7, 6)).astype(np.float32)
    A = Shift(shift)
    np.testing.assert_array_equal(A(x), np.roll(x, shift, (-2, -1)))
    np.testing.assert_array_equal(A.A_adjoint(A(x)), x)
    assert A.normal((7, 6)) == Identity()


@pytest.mark.parametrize(("padding", "mode"), [("replicate", "edge"), ("reflect", "reflect")])
@pytest.mark.parametrize("shift", [(2, -3), (-4, 0), (0, 5)])
def test_other_borders_are_those_of_numpy(padding, mode, shift, rng):
    x, A = rng.random((7, 8)), Shift(shift, padding)
    wide = np.pad(x, 6, mode=mode)
    np.testing.assert_array_equal(
        A(x), wide[tuple(slice(6 - s, 6 - s + n) for s, n in zip(shift, x.shape, strict=True))]
    )
    dense = matrix(A, x.shape)
    np.testing.assert_array_equal(matrix(A.H, x.shape), dense.T)
    N = A.normal(x.shape)
    assert isinstance(N, Diagonal)
    np.testing.assert_array_equal(matrix(N, x.shape), dense.T @ dense)


@pytest.mark.parametrize("shape", [(9, 7), (5, 5, 3), (11,)])
def test_parts_of_pixels_are_scipys_on_odd_sizes(shape, rng):
    shift = (0.3, -2.75, 1.5)[: len(shape)]
    x = rng.standard_normal(shape)
    expected = np.fft.ifftn(scipy.ndimage.fourier_shift(np.fft.fftn(x), shift))
    np.testing.assert_allclose(Shift(shift)(x), expected.real, atol=1e-12)
    N = Shift(shift).normal(shape)
    np.testing.assert_allclose(N.multiplier, 1.0, atol=1e-12)


@given(n=st.integers(1, 12), s=st.floats(-30, 30), seed=st.integers(0, 9))
def test_it_is_the_trigonometric_interpolant(n, s, seed):
    """A direct sum over frequencies, of which the highest of an even size is shared by both signs."""
    x = np.random.default_rng(seed).standard_normal(n)
    at = np.arange(n) - s
    spectrum, y = np.fft.fft(x) / n, np.zeros(n, complex)
    for k in range(-(n // 2), n // 2 + 1):
        if -n < 2 * k < n or n == 1:
            y += spectrum[k] * np.exp(2j * np.pi * k * at / n)
        elif n % 2 == 0:
            y += spectrum[k] / 2 * np.exp(2j * np.pi * k * at / n)
    np.testing.assert_allclose(Shift([s])(x), y.real, atol=1e-10)


def test_the_highest_frequency_of_even_sizes():
    N = Shift((0.25, 0.5)).normal((8, 6))
    assert isinstance(N, FourierMultiplier)
    rows, columns = np.ones(8), np.ones(4)
    rows[4], columns[3] = np.cos(np.pi / 4) ** 2, 0.0
    np.testing.assert_allclose(N.multiplier, np.outer(rows, columns), atol=1e-15)
    x = np.outer((-1.0) ** np.arange(8), np.ones(6))
    np.testing.assert_allclose(Shift((0.25, 0.0))(x), np.cos(np.pi / 4) * x, atol=1e-14)


@pytest.mark.parametrize("shape", [(6, 5), (4, 4), (2, 3, 4)])
def test_the_adjoint_is_the_shift_back(shape, rng):
    shift = (0.4, -1.3, 2.25)[: len(shape)]
    A, back = Shift(shift), Shift([-s for s in shift])
    np.testing.assert_allclose(matrix(A.H, shape), matrix(A, shape).T, atol=1e-15)
    np.testing.assert_allclose(matrix(A.H, shape), matrix(back, shape), atol=1e-15)


def test_shifts_and_blurs_of_a_stack_share_the_images_transform(rng):
    x = rng.random((128, 128))
    A = stack(
        Shift((0.5, 0.25)),
        Shift((0.0, -1.5)),
        Blur(rng.random((31, 31))),
        Blur(rng.random((9, 9))) @ Shift((3, 1)),
    )
    y = A(x)
    with backend.count_transforms() as count:
        A(x)
    assert (count.forward, count.inverse) == (1, 4)
    with backend.count_transforms() as count:
        A.A_adjoint(y)
    assert (count.forward, count.inverse) == (4, 1)
    np.testing.assert_allclose(y[3], A[3].left(np.roll(x, (3, 1), (0, 1))), atol=1e-10)


def test_products_of_convolutions_are_one(rng):
    """Two transforms, not four, and a normal operator that merges."""
    A, B, x = blur("circular", 3, 4), blur("circular", 5, 2, seed=1), rng.random((2, 9, 8))
    for C in (A @ B, A @ Shift((0.5, 1)), (2 * A) @ B @ Shift((1, 1)), A + B, A @ (B - A)):
        N = C.normal((9, 8))
        assert isinstance(N, FourierMultiplier)
        dense = matrix(C, (9, 8))
        np.testing.assert_allclose(matrix(N, (9, 8)), dense.T @ dense, atol=1e-13)
    C = A @ B
    np.testing.assert_allclose(C(x), A(B(x)), atol=1e-13)
    np.testing.assert_allclose(C.A_adjoint(x), B.A_adjoint(A.A_adjoint(x)), atol=1e-13)
    with backend.count_transforms() as count:
        C(x)
    assert count.total == 2


def test_what_commutes_with_a_convolution_merges_after_it(rng):
    """AᴴA of MRI after a blur is one multiplier of k-space; a mask is none."""
    B, mask = blur("circular", 3, 4), rng.random((8, 9)) < 0.5
    x = rng.random((2, 8, 9)) + 1j * rng.random((2, 8, 9))
    for L in (MRI(mask), 1j * B, 2 * Identity(), Shift((1, 2)), stack(MRI(mask), 1j * B)):
        A = L @ B
        assert A.normal_kind.closed_form
        N = A.normal(x.shape)
        np.testing.assert_allclose(N(x), A.A_adjoint(A(x)), atol=1e-12)
        np.testing.assert_allclose(A.A_adjoint_A(x), A.A_adjoint(A(x)), atol=1e-12)
        np.testing.assert_allclose(N.inv(0.1)(N(x) + 0.1 * x), x, atol=1e-12)
    assert (Diagonal(mask) @ B).normal_kind is None
    assert (blur("circular", 4, ndim=1) @ B).normal_kind is None


@pytest.mark.parametrize("shift", [(3, -2), (0.5, 0)])
def test_small_kernels_and_whole_pixels_take_no_transform(shift, rng):
    C, x = blur("circular", 3, 3) @ Shift(shift), rng.random((200, 201))
    with backend.count_transforms() as count:
        y = C(x)
        z = C.A_adjoint(y)
    whole = shift == (3, -2)
    assert (count.total == 0) == whole
    assert (C._cost(x.shape, "float64").transforms == 0) == whole
    np.testing.assert_allclose(y, C.left(C.right(x)), atol=1e-12)
    np.testing.assert_allclose(z, C.right.A_adjoint(C.left.A_adjoint(y)), atol=1e-12)
    np.testing.assert_allclose(stack(C)(x)[0], y, atol=1e-12)


def test_the_shift_is_any_sequence_of_numbers():
    assert Shift(np.array([1, 2])) == Shift((1.0, 2.0)) == Shift(torch.tensor([1.0, 2.0]))
    assert repr(Shift((0.5, -1))) == "Shift(0.5, -1)"
    assert repr(Shift((2, 0), "reflect")) == "Shift(2, 0, reflect)"


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: Shift(1.0), ParameterError, ["1 to 3 finite numbers", "1.0"]),
        (lambda: Shift(()), ParameterError, ["1 to 3", "()"]),
        (lambda: Shift((1, 2, 3, 4)), ParameterError, ["1 to 3", "(1, 2, 3, 4)"]),
        (lambda: Shift((np.nan, 0)), ParameterError, ["finite", "nan"]),
        (lambda: Shift((1j, 0)), ParameterError, ["numbers", "1j"]),
        (lambda: Shift((1, 0), "circlar"), ParameterError, ["circlar", "circular"]),
        (lambda: Shift((1, 0), "valid"), ParameterError, ["unknown padding", "valid"]),
        (lambda: Shift((0.5, 0), "reflect"), ParameterError, ["whole pixels", "(0.5, 0.0)", "circular"]),
        (
            lambda: Shift((4, 0), "replicate")(np.ones((4, 4))),
            ShapeError,
            ["larger than the shift", "(4, 4)"],
        ),
        (lambda: Shift((1, 0))(np.ones(4)), ShapeError, ["2 or more axes", "(4,)"]),
        (lambda: Shift((1, 0))(np.ones((4, 4), int)), DtypeError, ["Shift", "int64"]),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()
