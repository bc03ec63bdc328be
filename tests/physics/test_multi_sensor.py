"""Masks, parts of images, and mixtures of channels."""

import numpy as np
import pytest
from cases import raises
from operators import matrix

from daskphys.errors import ParameterError, ShapeError
from daskphys.physics import (
    Blur,
    Crop,
    Diagonal,
    Downsampling,
    Inpainting,
    SpectralResponse,
    gaussian_blur,
    pansharpening,
    stack,
)


def test_reference(reference):
    case = reference("inpainting")
    A = Inpainting(case["mask"])
    for got, expected in (
        (A(case["x"]), case["y"]),
        (A.A_adjoint(case["v"]), case["Atv"]),
        (A.A_adjoint_A(case["x"]), case["AtAx"]),
    ):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


def test_masks_and_crops_merge_into_one_diagonal(rng):
    masks = rng.random((3, 8, 9)) > 0.4
    A = stack(*map(Inpainting, masks), Crop((0, 0), (8, 4), (8, 9)))
    N = A.normal((8, 9))
    assert isinstance(N, Diagonal)
    expected = masks.sum(0).astype(float)
    expected[:, :4] += 1
    np.testing.assert_array_equal(N.diagonal(), expected)
    x = rng.random((2, 8, 9))
    np.testing.assert_allclose(A.A_dagger(A(x)), x * (expected > 0))
    assert A.compute_sqnorm((8, 9)) == expected.max()


def test_a_mask_beside_a_blur_has_two_kinds_of_terms(rng):
    A = stack(Inpainting(rng.random((16, 16)) > 0.5), Blur(gaussian_blur(1.0)))
    x = rng.random((16, 16))
    np.testing.assert_allclose(A.normal(x.shape)(x), A.A_adjoint(A(x)), atol=1e-12)


def test_a_crop_is_a_slice_and_its_adjoint_zeros(rng):
    A = Crop((1, 2), (5, 9), (8, 9))
    x = rng.random((3, 8, 9))
    np.testing.assert_array_equal(A(x), x[:, 1:5, 2:9])
    np.testing.assert_array_equal(A.A_adjoint(A(x)), x * A.normal((8, 9)).diagonal())


def test_a_response_is_a_matrix(rng):
    M = rng.random((2, 5))
    x = rng.random((3, 5, 4, 6)).astype(np.float32)
    A = SpectralResponse(M)
    np.testing.assert_allclose(A(x), np.einsum("oc,bchw->bohw", M, x), rtol=1e-6)
    assert A.compute_norm((5, 4, 6)) == pytest.approx(np.linalg.norm(M, 2))


def test_pansharpening_is_a_ragged_stack(rng):
    """Fine and grey, coarse and in colours; together they tell more of the image than each."""
    A = pansharpening([0.5, 0.3, 0.2], factor=2)
    assert stack(SpectralResponse([[0.5, 0.3, 0.2]]), Downsampling("bilinear", 2)) == A
    assert A.range_shape((3, 8, 6)) == ((1, 8, 6), (3, 4, 3))
    x = rng.random((3, 8, 6))
    y = A(x)
    estimate = A.A_dagger(y)
    M = np.concatenate([matrix(s, x.shape) for s in A])
    expected = np.linalg.pinv(M, rcond=1e-10) @ np.concatenate([a.ravel() for a in y])
    np.testing.assert_allclose(estimate.ravel(), expected, atol=1e-6)


def test_pansharpening_of_any_border_and_size(rng):
    A = pansharpening(np.ones(2) / 2, 3, "bicubic", "reflect", image_shape=(13, 14))
    assert A.range_shape((4, 2, 13, 14)) == ((4, 1, 13, 14), (4, 2, 5, 5))
    np.testing.assert_allclose(A(np.ones((2, 13, 14)))[1], 1.0)


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: Inpainting(np.ones(4)), ShapeError, ["mask", "(…, H, W)", "(4,)"]),
        (lambda: Inpainting(np.ones((1, 4))), ShapeError, ["each pixel", "Diagonal"]),
        (lambda: Inpainting(1j * np.ones((4, 4))), ParameterError, ["real mask"]),
        (lambda: Inpainting(np.full((4, 4), np.nan)), ParameterError, ["finite", "NaN"]),
        (
            lambda: Inpainting(np.ones((4, 5)))(np.ones((5, 4))),
            ShapeError,
            ["Inpainting", "(4, 5)", "(5, 4)"],
        ),
        (lambda: Inpainting(np.ones((2, 4, 5)))(np.ones((3, 4, 5))), ShapeError, ["(2, 4, 5)", "(3, 4, 5)"]),
        (lambda: Crop((0, 0), (9, 4), (8, 9)), ParameterError, ["start < stop <= image_shape", "(9, 4)"]),
        (lambda: Crop((0.5, 0), (4, 4), (8, 9)), ParameterError, ["whole numbers", "(0.5, 0)"]),
        (lambda: Crop(0, 4, 8), ParameterError, ["tuples", "0, 4 and 8"]),
        (lambda: Crop((0,), (4, 4), (8, 9)), ParameterError, ["each axis", "(0,)"]),
        (lambda: Crop((0, 0), (4, 4), (8, 9))(np.ones((9, 9))), ShapeError, ["(8, 9)", "(9, 9)"]),
        (lambda: pansharpening([[0.5, 0.5]]), ShapeError, ["one number a channel", "(1, 2)"]),
        (lambda: pansharpening([0.5, np.nan]), ParameterError, ["finite"]),
        (lambda: pansharpening([0.5, 0.5], 0), ParameterError, ["factor", "0"]),
        (lambda: pansharpening([0.5, 0.5], 2)(np.ones((3, 8, 8))), ShapeError, ["2 channels", "(3, 8, 8)"]),
        (
            lambda: pansharpening([0.5, 0.5], 2).A_adjoint([np.ones((1, 8, 8)), np.ones((3, 4, 4))]),
            ShapeError,
            ["(2, 8, 8)", "(3, 8, 8)"],
        ),
        (lambda: pansharpening([0.5, 0.5], facto=2), TypeError, ["facto", "factor"]),
        (lambda: SpectralResponse([1.0, 2.0]), ShapeError, ["(out, in)", "(2,)"]),
        (lambda: SpectralResponse([[1j]]), ParameterError, ["real response"]),
        (lambda: SpectralResponse([[np.inf]]), ParameterError, ["finite"]),
        (lambda: SpectralResponse([[1.0, 2.0]])(np.ones((3, 4, 4))), ShapeError, ["2 channels", "(3, 4, 4)"]),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()
