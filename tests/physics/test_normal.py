"""AᴴA and its closed forms against dense matrices."""

import numpy as np
import pytest
from cases import CIRCULAR, MIXED, RAGGED, kernel

from daskphys import backend
from daskphys.errors import NotClosedFormError, ParameterError
from daskphys.physics import Blur, FourierMultiplier, gaussian_blur, stack
from daskphys.physics.base import Gram, PseudoInverse, Scaled, Sum

SHAPE = (6, 7)


def matrix(operator, shape=SHAPE):
    """The dense matrix of an operator on real images of `shape`, column by column."""
    columns = []
    for i in range(int(np.prod(shape))):
        unit = np.zeros(shape)
        unit.flat[i] = 1.0
        made = operator(unit)
        columns.append(
            np.concatenate([np.ravel(a) for a in (made if isinstance(made, list | tuple) else [made])])
        )
    return np.stack(columns, axis=1)


def stacked_matrix(S, shape=SHAPE):
    return np.concatenate([matrix(sensor, shape) for sensor in S])


def singular():
    """Two blurs that lose the same frequencies: the mean over three of six rows, and of all columns."""
    return stack(Blur(np.ones((3, 1)) / 3), Blur(np.array([[1.0, -1.0]])) @ Blur(np.ones((3, 1)) / 3))


def lossy():
    """Circular blurs that lose the same frequencies."""
    return stack(Blur(np.ones((3, 1)) / 3), Blur(np.ones((3, 2)) / 6))


def test_normal_is_the_gram_matrix():
    dense = stacked_matrix(CIRCULAR)
    np.testing.assert_allclose(matrix(CIRCULAR.normal(SHAPE)), dense.T @ dense, atol=1e-13)


def test_merged_normal_is_one_multiplier_for_any_number():
    S = stack(*[Blur(kernel(3, 4, seed=i)) for i in range(20)])
    N = S.normal((2, 3, *SHAPE))
    assert isinstance(N, FourierMultiplier)
    assert N.sizes == SHAPE
    assert N.nbytes == 6 * 4 * 8


def test_sums_of_normal_operators_merge():
    N = CIRCULAR.normal(SHAPE)
    assert CIRCULAR[0].normal(SHAPE) + CIRCULAR[1].normal(SHAPE) + CIRCULAR[2].normal(SHAPE) == N
    assert isinstance(2 * N, FourierMultiplier)
    assert isinstance(N + 0.5 * N, FourierMultiplier)
    assert isinstance(N + CIRCULAR[0].normal((8, 9)), Sum)
    assert isinstance(N + CIRCULAR[0], Sum)


def test_complex_multiples_are_complex():
    """A half spectrum times i is no multiple: the other half is its conjugate."""
    N = CIRCULAR.normal(SHAPE)
    x = np.random.default_rng(0).standard_normal(SHAPE)
    np.testing.assert_allclose((1j * N)(x), 1j * N(x), atol=1e-13)
    assert isinstance(1j * N, Scaled)
    np.testing.assert_allclose((1j * N).normal(SHAPE)(x), N(N(x)), atol=1e-12)


@pytest.mark.parametrize("lam", [1e-3, 0.1, 10])
def test_inverse_with_lambda(lam):
    dense = stacked_matrix(CIRCULAR)
    expected = np.linalg.inv(dense.T @ dense + lam * np.eye(dense.shape[1]))
    got = matrix(CIRCULAR.normal(SHAPE).inv(lam))
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12 / lam)


def test_inverse_that_does_not_exist():
    N = lossy().normal((6, 7))
    zero = FourierMultiplier(np.zeros((6, 4)), SHAPE)
    for lam in (-1.0, np.nan):
        with pytest.raises(ParameterError, match="expected a finite lam >= 0, got"):
            N.inv(lam)
    with pytest.raises(ParameterError, match=r"singular: expected lam > 0, or use pinv\(rtol\)"):
        zero.inv(0)
    np.testing.assert_array_equal(zero.pinv()(np.ones(SHAPE)), 0 * np.ones(SHAPE))


@pytest.mark.parametrize("rtol", [1e-12, 1e-3, 0.2, 0.6])
def test_pseudo_inverse_cuts_as_numpy_does(rtol):
    dense = matrix(lossy().normal(SHAPE))
    expected = np.linalg.pinv(dense, rtol=rtol, hermitian=True)
    np.testing.assert_allclose(matrix(lossy().normal(SHAPE).pinv(rtol)), expected, atol=1e-9)


@pytest.mark.parametrize("S", [CIRCULAR, lossy()], ids=["regular", "lossy"])
@pytest.mark.parametrize("rtol", [None, 1e-10, 0.1, 0.5])
def test_least_squares_cuts_as_numpy_does(S, rtol, rng):
    """Of the singular values of the whole stack, those below rtol times the largest count as zero."""
    dense = stacked_matrix(S)
    y = [rng.standard_normal(SHAPE) for _ in S]
    expected = np.linalg.pinv(dense, rtol=1e-13 if rtol is None else rtol) @ np.concatenate(
        [a.ravel() for a in y]
    )
    np.testing.assert_allclose(S.A_dagger(y, rtol=rtol).ravel(), expected, atol=1e-10)


def test_least_squares_of_one_blur(rng):
    A, y = Blur(np.ones((3, 1)) / 3), rng.standard_normal(SHAPE)
    expected = np.linalg.pinv(matrix(A), rtol=1e-13) @ y.ravel()
    np.testing.assert_allclose(A.A_dagger(y).ravel(), expected, atol=1e-12)
    wide = y + 1j * rng.standard_normal(SHAPE)
    np.testing.assert_allclose(
        A.A_dagger(wide).ravel(), np.linalg.pinv(matrix(A), rtol=1e-13) @ wide.ravel(), atol=1e-12
    )


def test_adjoint_of_the_pseudo_inverse(rng):
    dense = stacked_matrix(lossy())
    x = rng.standard_normal(SHAPE)
    expected = np.linalg.pinv(dense, rtol=1e-13).T @ x.ravel()
    got = np.concatenate([a.ravel() for a in PseudoInverse(lossy()).A_adjoint(x)])
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_single_precision_least_squares(rng):
    """The multiplier is in double precision, so that 1/σ² amplifies only the image's own rounding."""
    S = stack(Blur(gaussian_blur(1.0)), Blur(np.array([[1.0, -1.0]])))
    x = rng.standard_normal((16, 16)).astype(np.float32)
    error = np.linalg.norm(S.A_dagger(S(x)) - x) / np.linalg.norm(x)
    condition = np.linalg.cond(stacked_matrix(S, (16, 16)))
    assert error < 10 * condition * backend.eps(x)


@pytest.mark.parametrize(
    "S", [CIRCULAR, lossy(), RAGGED, MIXED, singular()], ids=["c", "lossy", "v", "mixed", "after"]
)
def test_norm_is_the_largest_singular_value(S):
    expected = np.linalg.norm(stacked_matrix(S), 2)
    assert S.compute_norm(SHAPE) == pytest.approx(expected, rel=1e-9)
    assert S.compute_sqnorm(np.ones(SHAPE)) == pytest.approx(expected**2, rel=1e-9)
    assert S.compute_norm((2, *SHAPE)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", [(2, 2), (1, 3), (3, 5), (4, 4)])
def test_norm_of_images_too_small_for_lanczos(shape):
    A = Blur(kernel(1, 2), "replicate")
    expected = np.linalg.norm(matrix(A, shape), 2)
    assert A.compute_norm(shape) == pytest.approx(expected, rel=1e-9)


def test_norm_of_zero():
    for padding in ("circular", "valid", "reflect"):
        assert Blur(np.zeros((2, 2)), padding).compute_norm((8, 9)) == 0.0


def test_norms_of_multiples_and_complex_operators():
    A = Blur(kernel(3, 4))
    V = Blur(kernel(3, 4), "valid")
    for B in (A, V):
        for factor in (-2.0, 3j, 1 + 1j):
            assert (factor * B).compute_norm(SHAPE) == pytest.approx(
                abs(factor) * B.compute_norm(SHAPE), rel=1e-9
            )


def test_where_there_is_no_closed_form_it_says_so():
    N = RAGGED.normal(SHAPE)
    assert isinstance(N, Gram)
    for ask in (lambda: N.inv(0.1), lambda: N.pinv(), lambda: N.norm(), lambda: RAGGED.norm()):
        with pytest.raises(
            NotClosedFormError, match=r"no closed form of (inv|pinv|norm)\(.*A_dagger or compute_norm"
        ):
            ask()


def test_a_normal_operator_is_kept(rng):
    S = CIRCULAR[:2]
    assert S.normal(SHAPE) is S.normal(SHAPE)
    with backend.count_transforms() as count:
        S.normal((2, *SHAPE))
        S.compute_norm((4, *SHAPE))
    assert count.total == 0


def test_the_cut_does_not_depend_on_the_batch():
    """One singular value lies between log₂ 4 and log₂ 256 rounding units of the largest: it counts in both or in none."""
    small = 5e-7
    A = Blur(np.array([0.5 + small / 2, 0.5 - small / 2]), ndim=1)
    y = np.tile(np.array([1, -1, 1, -1], np.float32), (64, 1))
    np.testing.assert_array_equal(A.A_dagger(y)[0], A.A_dagger(y[0]))


@pytest.mark.parametrize("sizes", [(5,), (6,), (6, 7), (6, 8), (4, 5, 6)])
def test_a_half_spectrum_is_that_of_a_real_kernel(sizes):
    """What is not would have an adjoint that is not the transpose: real images see but a part of it."""
    rng = np.random.default_rng(2)
    spectrum = np.fft.rfftn(rng.normal(size=(3, *sizes)), axes=tuple(range(-len(sizes), 0)))
    noisy = spectrum.astype(np.complex64).astype(np.complex128)  # as one from single precision
    for good in (spectrum, noisy, abs(spectrum) ** 2):
        FourierMultiplier(good, sizes)
    for column in (0, -1) if sizes[-1] % 2 == 0 else (0,):
        bad = spectrum.copy()
        bad[(..., *(0,) * (len(sizes) - 1), column)] += 1j
        with pytest.raises(ParameterError, match=r"half spectrum of a real kernel.*off by .*rfftn"):
            FourierMultiplier(bad, sizes)
    if len(sizes) > 1:
        bad = abs(spectrum) ** 2
        bad[..., 1, 0] += 10.0  # and not at the opposite frequency
        with pytest.raises(ParameterError, match="real kernel"):
            FourierMultiplier(bad, sizes)
    bad = spectrum.copy()
    bad[..., -2 if sizes[-1] % 2 == 0 else -1] += 1j  # any other column is free
    FourierMultiplier(bad, sizes)


def test_a_complex_multiplier_gives_an_image_the_same_bits_alone_as_in_a_batch(rng):
    sizes = (512, 512)  # large enough for NumPy to multiply into a temporary, which swaps the factors
    A = FourierMultiplier(np.fft.rfft2(rng.standard_normal(sizes)), sizes)
    x = rng.standard_normal((3, *sizes))
    for product in (A.A, A.A_adjoint):
        np.testing.assert_array_equal(product(x), np.stack([product(image) for image in x]))
