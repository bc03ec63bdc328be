"""Trajectories and their density compensation."""

import numpy as np
import pytest
import torch
from cases import raises

from daskphys.errors import ParameterError, ShapeError
from daskphys.physics import NUFFT
from daskphys.physics.mri import kooshball, pipe_menon, radial, radial_density, spiral, stack_of_stars

TRAJECTORIES = {
    "golden": radial(110, 128),
    "uniform": radial(101, 128, angles="uniform"),
    "spiral": spiral(4, 4000, turns=12),
}


def disc(n):
    """A smooth image, whose spectrum lies within the disc that trajectories sample."""
    y, x = np.mgrid[-n // 2 : n - n // 2, -n // 2 : n - n // 2]
    return np.exp(-((x / (0.2 * n)) ** 2) - ((y - 3) / (0.1 * n)) ** 2)


def test_spokes_pass_through_the_centre_at_their_angles():
    k = radial(5, 8, angles="uniform")
    np.testing.assert_array_equal(k[:, 4], 0)
    np.testing.assert_allclose(k[0], np.stack([np.zeros(8), np.arange(-4, 4) / 8], -1))
    angle = np.degrees(np.arctan2(k[:, -1, 0], k[:, -1, 1]))
    np.testing.assert_allclose(angle, 36 * np.arange(5))
    golden = radial(3, 8)
    angle = np.degrees(np.arctan2(golden[:, -1, 0], golden[:, -1, 1]))
    np.testing.assert_allclose(angle[:2], [0, 111.246118], atol=1e-6)


def test_golden_spokes_are_nearly_even_for_any_number():
    for n in (13, 50, 100):
        k = radial(n, 4)[:, -1]
        gaps = np.diff(np.sort(np.arctan2(k[:, 0], k[:, 1]) % np.pi))
        assert gaps.max() * n / np.pi < 2


@pytest.mark.parametrize(
    "k", [spiral(3, 500, turns=5), kooshball(200, 16), stack_of_stars(4, 5, 8)], ids="3DS"
)
def test_all_lie_within_nyquist(k):
    A = NUFFT(k, (16,) * k.shape[-1])
    assert A.samples == np.prod(k.shape[:-1])
    assert np.abs(k).max() == pytest.approx(0.5)


def test_a_spiral_turns_as_often_as_said_and_is_as_dense_everywhere():
    k = spiral(4, 4000, turns=5)
    z = k[..., 1] + 1j * k[..., 0]
    assert np.abs(np.diff(np.unwrap(np.angle(z[0, 1:])))).sum() == pytest.approx(10 * np.pi, rel=0.05)
    np.testing.assert_allclose(z[1, 1:], 1j * z[0, 1:], atol=1e-12)
    inside = (np.abs(z) < 0.25).mean()
    assert inside == pytest.approx(0.25, abs=1e-3)  # a quarter of the area


def test_directions_of_a_kooshball_cover_the_sphere():
    k = kooshball(2000, 4)[:, 0]
    k = k / np.linalg.norm(k, axis=-1, keepdims=True)
    second = k.T @ k / len(k)
    np.testing.assert_allclose(second, np.eye(3) / 3, atol=5e-3)


def test_a_stack_of_stars_is_the_same_star_in_each_plane():
    k = stack_of_stars(4, 5, 8, angles="uniform")
    np.testing.assert_array_equal(k[2, :, :, 1:], radial(5, 8, angles="uniform"))
    np.testing.assert_array_equal(k[:, 0, 0, 0], [-0.5, -0.25, 0, 0.25])


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_with_the_iterated_weights_gridding_gives_the_image(name):
    k, x = TRAJECTORIES[name], disc(64)
    w = pipe_menon(k, x.shape)
    got = NUFFT(k, x.shape, w).A_adjoint_A(x)
    assert np.linalg.norm(got - x) < 0.03 * np.linalg.norm(x)


@pytest.mark.parametrize("name", ["golden", "uniform"])
def test_with_the_areas_of_spokes_gridding_gives_the_image(name):
    k, x = TRAJECTORIES[name], disc(64)
    w = radial_density(k, x.shape)
    assert w.sum() / x.size == pytest.approx(np.pi / 4, rel=1e-3)  # the area of the disc of half a cycle
    got = NUFFT(k, x.shape, w).A_adjoint_A(x)
    assert np.linalg.norm(got - x) < 0.03 * np.linalg.norm(x)
    blurred = NUFFT(k, x.shape).A_adjoint_A(x)  # without them, whatever the brightness
    blurred *= np.vdot(blurred, x) / np.vdot(blurred, blurred)
    assert np.linalg.norm(blurred - x) > 0.3 * np.linalg.norm(x)


def test_volumes_of_a_kooshball():
    k = kooshball(1500, 48)
    w = radial_density(k, (24, 24, 24))
    assert w.sum() / 24**3 == pytest.approx(np.pi / 6, rel=5e-3)
    x = disc(24)[:, :, None] * disc(24)[0]
    got = NUFFT(k, x.shape, w).A_adjoint_A(x)
    assert np.linalg.norm(got - x) < 0.1 * np.linalg.norm(x)


def test_points_of_a_grid_weigh_one_and_twice_the_same_points_half():
    grid = np.stack(np.meshgrid(np.arange(-4, 4) / 8, np.arange(-3, 3) / 6, indexing="ij"), -1)
    np.testing.assert_allclose(pipe_menon(grid, (8, 6), iterations=1), 1, rtol=1e-4)
    np.testing.assert_allclose(pipe_menon(np.stack([grid, grid]), (8, 6), iterations=3), 0.5, rtol=1e-4)
    line = np.arange(-3, 3)[:, None] / 6
    np.testing.assert_allclose(pipe_menon(line, (6,)), 1, rtol=1e-4)


def test_points_of_any_kind():
    k = radial(6, 8)
    for weigh in (radial_density, pipe_menon):
        expected = weigh(k, (8, 8))
        for points in (k.tolist(), torch.from_numpy(k)):
            np.testing.assert_array_equal(weigh(points, (8, 8)), expected)


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: radial(0, 8), ParameterError, ("radial", "spokes", "at least 1", "0")),
        (lambda: radial(3, 8.0), ParameterError, ("radial", "samples", "8.0")),
        (lambda: radial(3, 8, "tiny"), ParameterError, ("radial", "'golden' or 'uniform'", "'tiny'")),
        (lambda: spiral(3, 8, 0), ParameterError, ("spiral", "turns", "0")),
        (lambda: stack_of_stars(0, 3, 8), ParameterError, ("stack_of_stars", "partitions", "0")),
        (lambda: kooshball(3, True), ParameterError, ("kooshball", "samples", "True")),
        (lambda: radial_density(radial(3, 8), (8,)), ShapeError, ("radial_density", "(3, 8, 2)", "(8,)")),
        (lambda: radial_density(spiral(3, 8, 2), (8, 8)), ParameterError, ("radial_density", "pipe_menon")),
        (lambda: radial_density(radial(3, 1), (8, 8)), ParameterError, ("radial_density", "evenly")),
        (lambda: radial_density(radial(3, 8), 8), ShapeError, ("radial_density", "image_shape", "got 8")),
        (lambda: pipe_menon(radial(3, 8), 8), ShapeError, ("pipe_menon", "image_shape", "got 8")),
        (lambda: pipe_menon(radial(3, 8), (8.5, 8)), ShapeError, ("pipe_menon", "(8.5, 8)")),
        (lambda: pipe_menon(radial(3, 8), (8, 8), 0), ParameterError, ("pipe_menon", "iteration", "0")),
        (lambda: pipe_menon(radial(3, 8), (8, 8, 8)), ShapeError, ("(…, 3)", "(3, 8, 2)")),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()
