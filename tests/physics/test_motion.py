"""Kernels of motion and defocus, against sums over many samples."""

import math

import numpy as np
import pytest
from cases import raises
from hypothesis import given
from hypothesis import strategies as st

from daskphys.errors import ParameterError
from daskphys.physics import Blur, disk_blur, motion_blur, random_motion_blur


def traced(length, angle, n=200_001):
    """The same way, by very many moments."""
    t = (np.arange(n) + 0.5) / n - 0.5
    y, x = -length * t * math.sin(math.radians(angle)), length * t * math.cos(math.radians(angle))
    half = math.ceil(length / 2)
    kernel = np.zeros((2 * half + 3,) * 2)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    for a in (0, 1):
        for b in (0, 1):
            share = np.abs(1 - a - (y - top)) * np.abs(1 - b - (x - left))
            np.add.at(kernel, (top + a + half + 1, left + b + half + 1), share)
    return kernel / n


@pytest.mark.parametrize(("length", "angle"), [(5.0, 0), (7.3, 25), (4, 90), (9.5, -130), (0.4, 10)])
def test_motion_is_the_sum_over_its_moments(length, angle):
    exact = traced(length, angle)
    got = motion_blur(length, angle)[0, 0]
    margin = (exact.shape[0] - got.shape[0]) // 2
    inner = exact[margin:-margin, margin:-margin]
    assert got.shape == (2 * math.ceil(length / 2) + 1,) * 2 or math.isclose(
        exact.sum(), inner.sum(), abs_tol=1e-9
    )
    np.testing.assert_allclose(got, inner / inner.sum(), atol=1e-5)


def test_directions():
    assert motion_blur(6.0)[0, 0, 3].sum() == pytest.approx(1.0)  # along a row
    assert motion_blur(6.0, 90)[0, 0, :, 3].sum() == pytest.approx(1.0)
    up = motion_blur(6.0, 45)[0, 0]
    assert up[0:3, 4:].sum() > 0.3  # right and up: rows go down
    assert up[4:, 4:].sum() < 1e-6


@given(st.floats(0, 30), st.floats(-400, 400))
def test_motion_sums_to_one_about_its_centre(length, angle):
    k = motion_blur(length, angle)[0, 0]
    assert k.sum() == pytest.approx(1.0)
    assert (k >= 0).all()
    np.testing.assert_allclose(k, k[::-1, ::-1], atol=1e-12)


def test_no_motion_is_no_blur(rng):
    x = rng.random((8, 9))
    for kernel in (motion_blur(0), random_motion_blur(0, seed=1), disk_blur(0.3)):
        np.testing.assert_allclose(Blur(kernel)(x), x)


@given(st.integers(0, 1000), st.floats(0.1, 40))
def test_a_random_way_is_centred_and_as_long_as_asked(seed, length):
    k = random_motion_blur(length, seed)[0, 0]
    at = np.arange(len(k)) - len(k) // 2
    assert k.sum() == pytest.approx(1.0)
    assert abs(k.sum(1) @ at) < 1e-9
    assert abs(k.sum(0) @ at) < 1e-9
    assert len(k) <= 2 * math.ceil(length) + 1
    np.testing.assert_array_equal(k, random_motion_blur(length, seed)[0, 0])
    assert not np.array_equal(random_motion_blur(9.0, seed), random_motion_blur(9.0, seed + 1))


def test_a_way_that_does_not_bend_is_straight():
    k = random_motion_blur(20.0, seed=2, bend=0)[0, 0]
    at = np.arange(len(k)) - len(k) // 2
    y, x = np.meshgrid(at, at, indexing="ij")
    spread = np.cov(np.stack([y.ravel(), x.ravel()]), aweights=k.ravel())
    assert np.linalg.eigvalsh(spread)[0] < 0.3  # across the way there is the width of a pixel alone


@pytest.mark.parametrize("radius", [0.5, 1.0, 2.7, 6.0])
def test_a_disk_by_its_area(radius):
    k = disk_blur(radius)[0, 0]
    half, fine = len(k) // 2, 400  # 400² samples of a pixel see its area to about 1e-4
    at = (np.arange(len(k) * fine) + 0.5) / fine - half - 0.5
    inside = (at[:, None] ** 2 + at**2 <= radius**2).reshape(len(k), fine, len(k), fine).mean((1, 3))
    np.testing.assert_allclose(k, inside / inside.sum(), atol=2e-4)
    np.testing.assert_allclose(k, k.T)


def test_a_disk_within_a_pixel_and_one_that_touches_its_neighbours():
    np.testing.assert_array_equal(disk_blur(0.5)[0, 0], [[1.0]])
    # Circular segments of a disk of radius 1 beyond a pixel's edge at 1/2, without what the corners take.
    k = math.pi * disk_blur(1.0)[0, 0]
    segment = math.acos(0.5) - 0.5 * math.sqrt(0.75)
    assert k[0].sum() == pytest.approx(segment, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: motion_blur(-1), "length >= 0"),
        (lambda: motion_blur(3, angle=np.nan), "angle in degrees"),
        (lambda: random_motion_blur(3, seed=-1), "seed"),
        (lambda: random_motion_blur(3, seed=0, bend=-2), "bend >= 0"),
        (lambda: disk_blur(0), "radius > 0"),
        (lambda: disk_blur("wide"), "radius > 0"),
    ],
)
def test_bad_input(call, part):
    with raises(ParameterError, part, "got"):
        call()
