"""Every f-th sample of blurs and shifts: merged normal operators against dense matrices and the direct formula."""

import numpy as np
import pytest
from cases import blur, kernel, raises
from hypothesis import given
from hypothesis import strategies as st
from operators import matrix

from daskphys import backend, optim
from daskphys.errors import NotClosedFormError, ParameterError, ShapeError
from daskphys.physics import (
    AliasedMultiplier,
    Blur,
    Diagonal,
    Downsampling,
    Identity,
    NormalSum,
    Shift,
    gaussian_blur,
    stack,
)
from daskphys.physics.base import Gram
from daskphys.physics.downsampling import Decimation

SHIFTS = [(0, 0), (0.5, 0), (0, -0.75), (1, 2), (1.25, 0.5), (-1, 0.3)]


def frames(n, factor=2):
    return stack(
        *[
            Downsampling(kernel(3, 3, seed=i), factor) @ blur("circular", 2, 3, seed=i) @ Shift(s)
            for i, s in zip(range(n), SHIFTS, strict=False)
        ]
    )


def dense(A, shape):
    return np.concatenate([matrix(s, shape) for s in A])


@given(
    factor=st.integers(2, 3),
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    n=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_any_sizes_and_dimensions(factor, sizes, n, seed):
    rng = np.random.default_rng(seed)
    d = len(sizes)
    shape = tuple(factor * m for m in sizes)
    if np.prod(shape) > 300:
        return
    terms = [
        Decimation(factor, d)
        @ Blur(rng.standard_normal(tuple(rng.integers(1, s + 1, d)[0] for s in shape)), ndim=d)
        @ Shift(rng.uniform(-3, 3, d))
        for _ in range(n)
    ]
    A, M = (
        stack(*terms),
        np.concatenate([matrix(t.left.left, shape) @ matrix(t.left.right @ t.right, shape) for t in terms]),
    )
    N = A.normal(shape)
    assert isinstance(N, AliasedMultiplier)
    G, size = M.T @ M, np.linalg.norm(M, 2) ** 2
    np.testing.assert_allclose(dense(A, shape), M, atol=1e-12)
    np.testing.assert_allclose(matrix(N, shape), G, atol=1e-13 * size)
    np.testing.assert_allclose(np.broadcast_to(N.diagonal(), shape).ravel(), np.diag(G), atol=1e-13 * size)
    assert N.norm() == pytest.approx(size)
    lam = 0.1 * size
    np.testing.assert_allclose(
        matrix(N.inv(lam), shape), np.linalg.inv(G + lam * np.eye(len(G))), atol=1e-12 / lam
    )


@pytest.mark.parametrize(("n", "shape", "factor"), [(2, (8, 12), 2), (6, (8, 6), 2), (3, (6, 9), 3)])
def test_the_least_squares_solution_is_the_dense_one(n, shape, factor, rng):
    """With fewer frames than f² (2, or 3 of 9) it is the one of smallest norm."""
    A = frames(n, factor)
    M, y = dense(A, shape), [rng.standard_normal(s) for s in A.range_shape(shape)]
    flat = np.concatenate([a.ravel() for a in y])
    np.testing.assert_allclose(A.A_dagger(y).ravel(), np.linalg.pinv(M, rcond=1e-7) @ flat, atol=1e-8)
    for lam in (1e-4, 0.1):
        expected = np.linalg.solve(M.T @ M + lam * np.eye(M.shape[1]), M.T @ flat)
        np.testing.assert_allclose(optim.tikhonov(A, y, lam).ravel(), expected, atol=1e-9)
    assert A.compute_norm(shape) == pytest.approx(np.linalg.norm(M, 2), rel=1e-12)
    np.testing.assert_allclose(
        matrix(A.normal(shape).pinv(1e-9), shape),
        np.linalg.pinv(M.T @ M, rcond=1e-9, hermitian=True),
        atol=1e-6,
    )


def test_one_frame_is_the_published_formula(rng):
    """Zhao et al. 2016, equation 13, by complex transforms of the fine image and its folded spectra."""
    f, shape, lam = 4, (64, 48), 0.01
    A = Downsampling("bicubic", f)
    x, y = rng.random(shape), rng.random((16, 12))
    H = np.fft.fft2(Blur(A.filter)(np.eye(1, 64 * 48).reshape(shape)))
    b = A.A_adjoint(y) + lam * x

    def folded(z):
        return z.reshape(f, 16, f, 12).mean((0, 2))

    Fb = np.fft.fft2(b)
    ratio = folded(H * Fb) / (folded(np.abs(H) ** 2) + lam)
    expected = (b - np.fft.ifft2(np.conj(H) * np.tile(ratio, (f, f))).real) / lam
    np.testing.assert_allclose(A.normal(shape).inv(lam)(b), expected, atol=1e-11)


@pytest.mark.parametrize("factor", [2, 4])
def test_single_precision_is_within_rounding_of_the_separate_sums(factor, rng):
    A = stack(
        *[
            Downsampling("bicubic", factor) @ Blur(gaussian_blur(1 + i / 8)) @ Shift((i / 3, -i / 5))
            for i in range(16)
        ]
    )
    x = rng.random((3, 64, 96))
    expected = A.A_adjoint(A(x))
    got = A.A_adjoint_A(x.astype(np.float32))
    assert got.dtype == np.float32
    assert np.linalg.norm(got - expected) < 1e-6 * np.linalg.norm(expected)


def test_inverses_have_the_layout_of_products():
    """Frequencies together: else each product would move them."""
    N = frames(3).normal((8, 8))
    for made in (N, N.inv(0.1), N.pinv(), N + N, 2 * N):
        assert made.blocks.flags.c_contiguous


def test_many_frames_take_one_pair_of_transforms(rng):
    A, x = frames(6), rng.random((64, 48))
    A.A_adjoint_A(x)
    y = A(x)
    for product, forward, inverse in (
        (lambda: A.A_adjoint_A(x), 1, 1),
        (lambda: A[0].A_adjoint_A(x), 2, 2),
        (lambda: A(x), 1, 6),
        (lambda: A.A_adjoint(y), 6, 1),
    ):
        with backend.count_transforms() as count:
            product()
        assert (count.forward, count.inverse) == (forward, inverse)


def test_blurs_and_multiples_of_the_identity_merge_into_it(rng):
    shape, M = (8, 12), dense(frames(2), (8, 12))
    A = stack(*frames(2), blur("circular", 3, 4), 0.5 * Identity(), 2 * frames(2)[1])
    N = A.normal(shape)
    assert isinstance(N, AliasedMultiplier)
    assert A.normal_kind.terms == ("aliased 2 2",)
    B = matrix(blur("circular", 3, 4), shape)
    expected = M.T @ M + B.T @ B + 0.25 * np.eye(96) + 4 * M[24:].T @ M[24:]
    np.testing.assert_allclose(matrix(N, shape), expected, atol=1e-13)
    other = blur("circular", 3, 4).normal(shape) + frames(2).normal(shape)
    np.testing.assert_allclose(matrix(other, shape), M.T @ M + B.T @ B, atol=1e-13)


def test_masks_and_other_factors_stay_beside_it(rng):
    shape = (12, 12)
    A = stack(*frames(2), Decimation(3), Diagonal(np.eye(12)), blur("circular", 2, 2))
    N, M = A.normal(shape), dense(A, shape)
    assert isinstance(N, NormalSum)
    assert A.normal_kind.terms == N.kind.terms == ("aliased 2 2", "aliased 2 3", "diagonal")
    np.testing.assert_allclose(matrix(N, shape), M.T @ M, atol=1e-13)
    np.testing.assert_allclose(np.broadcast_to(N.diagonal(), shape).ravel(), np.diag(M.T @ M), atol=1e-13)
    with pytest.raises(NotClosedFormError):
        N.inv(0.1)


def test_one_kernel_a_channel(rng):
    A = stack(*[Downsampling(kernel(3, 2, 3, seed=i), 2) @ Shift(SHIFTS[i]) for i in range(5)])
    x = rng.random((2, 3, 6, 8))
    N = A.normal((3, 6, 8))
    assert isinstance(N, AliasedMultiplier)
    np.testing.assert_allclose(N(x), A.A_adjoint(A(x)), atol=1e-13)
    np.testing.assert_allclose(A.A_dagger(A(x)), x, atol=1e-8)
    with raises(ShapeError, "a leading axis of 3", "array of blocks", "(2, 6, 8)"):
        N(np.ones((2, 6, 8)))


def test_sizes_that_are_no_multiples_do_not_merge(rng):
    A = stack(
        *[Downsampling(kernel(3, 3, seed=i), 2, "circular", (7, 9)) @ Shift(SHIFTS[i]) for i in range(6)]
    )
    assert A.normal_kind is None
    assert isinstance(A.normal((7, 9)), Gram)
    x = rng.random((7, 9))
    M = dense(A, (7, 9))
    np.testing.assert_allclose(A.A_adjoint_A(x).ravel(), M.T @ M @ x.ravel(), atol=1e-13)
    np.testing.assert_allclose(A.A_dagger(A(x)), x, atol=1e-6)


def test_downsampling_twice_is_once_by_the_product(rng):
    A = Downsampling("bilinear", 2) @ Downsampling(kernel(3, 3), 3)
    M = matrix(A.left, (4, 6)) @ matrix(A.right, (12, 18))
    np.testing.assert_allclose(matrix(A, (12, 18)), M, atol=1e-14)
    assert A.normal((12, 18)).factor == 6
    np.testing.assert_allclose(matrix(A.normal((12, 18)), (12, 18)), M.T @ M, atol=1e-14)


def test_matrices_too_large_are_not_made(rng):
    A, x = Downsampling("gaussian", 9, image_shape=(63, 63)), rng.random((63, 63))
    assert A.convolution.factor == 9
    assert A.normal_kind is None
    np.testing.assert_allclose(A.normal(x.shape)(x), A.A_adjoint(A(x)))


def test_no_frame_says_nothing_of_what_none_sees():
    """The pseudo-inverse of every second sample is its adjoint, and the inverse without lam does not exist."""
    N = Decimation(2).normal((4, 6))
    np.testing.assert_allclose(matrix(N.pinv(), (4, 6)), matrix(N, (4, 6)), atol=1e-15)
    with raises(ParameterError, "singular", "pinv"):
        N.inv(0)
    assert N.compute_sqnorm((3, 4, 6)) == pytest.approx(1.0)


_BLOCKS = np.broadcast_to(np.eye(4)[:, :, None, None], (4, 4, 3, 2))


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: AliasedMultiplier(_BLOCKS, (6, 5), 2), ShapeError, ["multiples", "(6, 5)"]),
        (lambda: AliasedMultiplier(_BLOCKS, (6, 4), 1), ShapeError, ["at least 2"]),
        (lambda: AliasedMultiplier(_BLOCKS, (8, 4), 2), ShapeError, ["(…, 4, 4, 4, 2)", "(4, 4, 3, 2)"]),
        (lambda: AliasedMultiplier(np.nan * _BLOCKS, (6, 4), 2), ParameterError, ["finite"]),
        (
            lambda: AliasedMultiplier(
                np.triu(np.ones((4, 4)))[:, :, None, None] * np.ones((3, 2)), (6, 4), 2
            ),
            ParameterError,
            ["Hermitian", "off by"],
        ),
        (lambda: AliasedMultiplier(_BLOCKS, (6, 4), 2)(np.ones((6, 6))), ShapeError, ["(6, 4)", "(6, 6)"]),
        (lambda: AliasedMultiplier(_BLOCKS, (6, 4), 2).inv(-1), ParameterError, ["lam >= 0"]),
        (lambda: AliasedMultiplier(_BLOCKS, (6, 4), 2).pinv(2), ParameterError, ["rtol"]),
        (
            lambda: (
                AliasedMultiplier(np.stack([_BLOCKS] * 2), (6, 4), 2)
                + AliasedMultiplier(np.stack([_BLOCKS] * 3), (6, 4), 2)
            ),
            ShapeError,
            ["blocks of one shape"],
        ),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()
