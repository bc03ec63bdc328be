"""Downsampling, upsampling and their filters."""

import numpy as np
import pytest
from cases import kernel, raises
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import kaiser_beta

from daskphys.errors import ParameterError, ShapeError
from daskphys.physics import Blur, Downsampling, Upsampling, stack
from daskphys.physics.antialias import NAMES, _beta, antialiasing_filter

VECTORS = [(name, f) for name in ("None", *NAMES) for f in (2, 3)]


@pytest.mark.parametrize(("name", "factor"), VECTORS)
def test_reference(name, factor, reference):
    case = reference(f"downsampling_{name}_{factor}")
    A = Downsampling(case.op["filter"], factor, case.op["padding"])
    if A.filter is not None:
        np.testing.assert_allclose(A.filter, case["filter"][0, 0], atol=1e-6 * case["filter"].max())
    for got, expected in (
        (A(case["x"]), case["y"]),
        (A.A_adjoint(case["v"]), case["Atv"]),
        (A.A_adjoint_A(case["x"]), case["AtAx"]),
        (Upsampling(case.op["filter"], factor)(case["v"]), case["Atv"]),
    ):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 7])
def test_filters_sum_to_one_and_are_even(name, factor):
    k = antialiasing_filter(name, factor)
    assert k.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(k, k[::-1, ::-1], atol=1e-15)
    np.testing.assert_allclose(k, k.T, atol=1e-15)


@given(st.floats(1, 200))
def test_the_parameter_of_kaisers_window(attenuation):
    assert _beta(attenuation) == pytest.approx(kaiser_beta(attenuation))


@pytest.mark.parametrize("padding", ["circular", "valid", "replicate", "reflect"])
def test_it_is_a_blur_and_every_sample_of_a_grid(padding, rng):
    x = rng.random((2, 13, 11))
    k = kernel(3, 4)
    A = Downsampling(k, 3, padding, image_shape=(13, 11))
    np.testing.assert_array_equal(A(x), Blur(k, padding)(x)[..., ::3, ::3])


def test_many_frames_are_the_algebras(rng):
    """Super-resolution: the true image comes back from frames that are each too small for it."""
    frames = [Downsampling(kernel(3, 3, seed=i), 2) @ Blur(kernel(2, 3, seed=i)) for i in range(6)]
    A = stack(*frames)
    x = rng.random((8, 6))
    assert A.range_shape((8, 6)) == ((4, 3),) * 6
    np.testing.assert_allclose(A.A_dagger(A(x)), x, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: Downsampling("bicubik"), ParameterError, ["bicubik", "bicubic"]),
        (lambda: Downsampling(np.full((3, 3), np.nan)), ParameterError, ["Downsampling", "filter", "NaN"]),
        (lambda: Downsampling(factor=0), ParameterError, ["Downsampling expected a factor", "at least 1"]),
        (lambda: Downsampling(factor=2.5), ParameterError, ["factor", "2.5"]),
        (lambda: Downsampling(None)(np.ones((7, 8))), ShapeError, ["multiples of 2", "image_shape=(7, 8)"]),
        (
            lambda: Downsampling(None)(np.ones((7, 8))),
            ShapeError,
            ["Downsampling(no filter, every 2., circular): "],
        ),
        (lambda: Downsampling(image_shape=9), ShapeError, ["Downsampling expected image_shape", "got 9"]),
        (lambda: Downsampling(None, image_shape=(7, 8))(np.ones((8, 8))), ShapeError, ["(7, 8)", "(8, 8)"]),
        (
            lambda: Downsampling(None, image_shape=(7, 8)).A_adjoint(np.ones((3, 4))),
            ShapeError,
            ["(4, 4)", "(3, 4)"],
        ),
        (lambda: Downsampling(None, image_shape=(7, 0)), ShapeError, ["image_shape", "(7, 0)"]),
        (lambda: Downsampling(kernel(3, 3), padding="zero"), ParameterError, ["padding", "zero"]),
        (lambda: Upsampling("bicubic", 2)(np.ones((2, 2))), ShapeError, ["at least 8×8"]),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()
