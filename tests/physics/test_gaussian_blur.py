"""The Gaussian kernel: side, sum, order of the two widths, sense of the rotation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskphys.errors import DeviceError, ParameterError, UnknownKeywordError
from daskphys.physics import Blur, gaussian_blur

SIGMAS = st.floats(0.2, 6.0)


def moments(kernel):
    """The covariance of a kernel as a distribution over (y, x)."""
    half = kernel.shape[-1] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    k = kernel[0, 0]
    return np.array([[np.sum(k * y * y), np.sum(k * y * x)], [np.sum(k * y * x), np.sum(k * x * x)]])


@given(SIGMAS, SIGMAS, st.floats(-360, 360))
def test_side_and_sum(height, width, angle):
    kernel = gaussian_blur(sigma=(height, width), angle=angle)
    side = 2 * int(max(height, width) / 0.3 + 1) + 1
    assert kernel.shape == (1, 1, side, side)
    assert kernel.dtype == np.float64
    assert kernel.min() >= 0
    assert math.isclose(kernel.sum(), 1.0, rel_tol=1e-12)
    np.testing.assert_allclose(kernel, kernel[..., ::-1, ::-1], atol=1e-15)  # even, whatever the angle


def test_widths_are_height_then_width():
    np.testing.assert_allclose(
        moments(gaussian_blur((1.5, 3.0))), [[1.5**2, 0], [0, 9]], rtol=1e-2, atol=1e-12
    )


@pytest.mark.parametrize("angle", [30, -50, 120])
def test_rotation(angle):
    """Along and across follow (x, y) turned by [[cos, -sin], [sin, cos]]."""
    t = math.radians(angle)
    to_across_along = np.array([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]])
    along, across = 1.5, 3.0
    inverse = np.linalg.inv(to_across_along)
    over_xy = inverse @ np.diag([across**2, along**2]) @ inverse.T
    expected = over_xy[::-1, ::-1]  # in (y, x)
    np.testing.assert_allclose(moments(gaussian_blur((along, across), angle)), expected, rtol=2e-2)


def test_a_quarter_turn_swaps_the_widths():
    np.testing.assert_allclose(gaussian_blur((1.0, 2.0), 90), gaussian_blur((2.0, 1.0)), atol=1e-15)


def test_one_number_means_both():
    np.testing.assert_array_equal(gaussian_blur(2), gaussian_blur((2.0, 2.0)))
    np.testing.assert_array_equal(gaussian_blur(), gaussian_blur((1.0, 1.0), 0.0))


@pytest.mark.parametrize("device", ["cpu", None])
def test_device(device):
    assert isinstance(gaussian_blur(1.0, device=device), np.ndarray)


@pytest.mark.parametrize(
    "sigma", [0, -1.0, (1.0, 0.0), (1.0, np.nan), np.inf, (1, 2, 0), (1, 2, 3, 4), "wide", None, (1, "a")]
)
def test_bad_sigma(sigma):
    with pytest.raises(
        ParameterError, match="gaussian_blur expected sigma as one to three positive numbers, got"
    ):
        gaussian_blur(sigma)


@pytest.mark.parametrize("angle", [np.nan, np.inf])
def test_bad_angle(angle):
    with pytest.raises(ParameterError, match="angle"):
        gaussian_blur(1.0, angle)


def test_bad_keyword_and_device():
    with pytest.raises(UnknownKeywordError, match="did you mean 'sigma'"):
        gaussian_blur(sigmas=1.0)
    with pytest.raises(DeviceError, match="tpu"):
        gaussian_blur(1.0, device="tpu")


def test_a_volume_is_the_product_of_its_axes():
    k = gaussian_blur((0.5, 1.0, 1.5))
    n = k.shape[-1]
    at = np.arange(n) - n // 2
    expected = [np.exp(-0.5 * (at / s) ** 2) for s in (0.5, 1.0, 1.5)]
    expected = np.einsum("i,j,k->ijk", *(e / e.sum() for e in expected))
    np.testing.assert_allclose(k[0, 0], expected, rtol=1e-12)
    assert Blur(k).ndim == 3
    turned = gaussian_blur((0.5, 1.0, 1.5), angle=90)[0, 0]
    np.testing.assert_allclose(turned, expected.transpose(0, 2, 1), atol=1e-15)
