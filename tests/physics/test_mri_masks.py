"""Sampling masks: their number of samples, calibration regions, densities, distances; and simulated coils."""

import numpy as np
import pytest
from cases import raises
from hypothesis import given, settings
from hypothesis import strategies as st

from daskphys.errors import ParameterError, ShapeError, UnknownKeywordError
from daskphys.physics.mri import (
    birdcage_maps,
    equispaced_mask,
    poisson_disc_mask,
    uniform_mask,
    variable_density_mask,
)

RANDOM = [uniform_mask, variable_density_mask]


@pytest.mark.parametrize("make", RANDOM)
@settings(max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    acceleration=st.floats(1, 5),
    share=st.floats(0, 1),
    lines=st.booleans(),
    seed=st.integers(0, 9),
)
def test_random_masks(make, shape, acceleration, share, lines, seed):
    own = shape[-1:] if lines else shape
    wanted = round(np.prod(own) / acceleration)
    width = int(share * min(own))
    if acceleration > np.prod(own) or wanted < max(1, width ** len(own)):
        with raises(ParameterError, make.__name__, "acceleration", f"got {acceleration}"):
            make(shape, acceleration, width, lines=lines, seed=seed)
        return
    mask = make(shape, acceleration, width, lines=lines, seed=seed)
    assert mask.shape == shape
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, make(shape, acceleration, width, lines=lines, seed=seed))
    if lines:
        assert (mask == mask[0]).all()
    assert (mask[0] if lines else mask).sum() == wanted
    starts = [n // 2 - width // 2 for n in own]
    assert mask[(..., *(slice(a, a + width) for a in starts))].all()


@pytest.mark.parametrize("make", [*RANDOM, poisson_disc_mask])
def test_seeds_differ(make):
    extra = {} if make is poisson_disc_mask else {"lines": False}
    assert (make((32, 32), 4, seed=0, **extra) != make((32, 32), 4, seed=1, **extra)).any()


def test_the_density_of_random_masks():
    """Of many seeds: uniform everywhere, or falling as said."""
    flat = np.mean([uniform_mask((1, 41), 4, seed=s)[0] for s in range(2000)], axis=0)
    assert abs(flat - 10 / 41).max() < 0.05
    steep = np.mean([variable_density_mask((1, 41), 8, seed=s)[0] for s in range(2000)], axis=0)
    rings = [steep[20], steep[[15, 25]].mean(), steep[[10, 30]].mean(), steep[[5, 35]].mean()]
    assert rings == sorted(rings, reverse=True)
    # Few of many are drawn, so that the density is nearly the weight.
    assert rings[2] / rings[1] == pytest.approx((0.5 / 0.75) ** 2, rel=0.2)


@pytest.mark.parametrize("offset", [0, 1, 5])
def test_equispaced(offset):
    mask = equispaced_mask((3, 20), 4, calibration=6, offset=offset)
    expected = np.zeros(20, bool)
    expected[offset % 4 :: 4] = True
    expected[7:13] = True
    np.testing.assert_array_equal(mask, np.broadcast_to(expected, (3, 20)))


@pytest.mark.parametrize("variable", [True, False])
@pytest.mark.parametrize("calibration", [0, 8, (6, 10)])
def test_no_two_points_of_a_disc_mask_are_near(variable, calibration):
    shape, acceleration = (48, 40), 5
    mask = poisson_disc_mask(shape, acceleration, calibration, variable=variable, seed=3)
    assert mask.sum() == round(mask.size / acceleration)
    h, w = np.broadcast_to(calibration, 2)
    region = (slice(24 - h // 2, 24 - h // 2 + h), slice(20 - w // 2, 20 - w // 2 + w))
    assert mask[region].all()
    mask[region] = False
    points = np.argwhere(mask)
    apart = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(1)
    random = uniform_mask(shape, acceleration, lines=False)
    assert nearest.min() >= np.sqrt(2)  # random points have neighbours
    assert (random[:, 1:] & random[:, :-1]).any()
    if variable:  # nearer in the middle than at the border
        k = np.sqrt((((points - (24, 20)) / (24, 20)) ** 2).sum(1))
        assert nearest[k < 0.5].mean() < nearest[k > 0.8].mean() - 0.5
    else:  # as far apart as so many points can be, within the grid's steps
        assert nearest.min() >= 0.6 * np.sqrt(acceleration)


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: uniform_mask((8, 8), 0.5), ParameterError, ["uniform_mask", "from 1 to 8", "0.5"]),
        (lambda: uniform_mask((8, 8), 4, 9), ParameterError, ["within (8,)", "calibration=9"]),
        (lambda: uniform_mask((8, 8), 4, 4), ParameterError, ["at most 2", "(4,)", "got 4"]),
        (lambda: uniform_mask((8, 8), 4, (2, 2)), ParameterError, ["calibration=(2, 2)"]),
        (lambda: uniform_mask((8, 0), 4), ShapeError, ["positive", "(8, 0)"]),
        (lambda: uniform_mask((8, 8), 4, sed=1), UnknownKeywordError, ["'seed'"]),
        (lambda: variable_density_mask((8, 8), 2, decay=-1), ParameterError, ["decay >= 0", "-1"]),
        (lambda: equispaced_mask((8, 8), 2.5), ParameterError, ["whole number", "2.5"]),
        (lambda: poisson_disc_mask((8, 8, 8), 4), ShapeError, ["two axes", "(8, 8, 8)"]),
        (lambda: poisson_disc_mask((8, 8), 4, 8), ParameterError, ["at most 1", "(8, 8)", "got 4"]),
        (lambda: equispaced_mask((8, 8), 4, offset=1.5), ParameterError, ["whole number as offset", "1.5"]),
        (lambda: equispaced_mask((8, 8), 4, 3.7), ParameterError, ["whole numbers", "calibration=3.7"]),
        (lambda: equispaced_mask(64, 4), ShapeError, ["equispaced_mask expected a shape", "got 64"]),
        (lambda: uniform_mask((8, 8.7), 4), ShapeError, ["positive integers", "(8, 8.7)"]),
        (lambda: uniform_mask((8, 8), "4"), ParameterError, ["acceleration", "'4'"]),
        (lambda: uniform_mask((8, 8), 4, seed=None), ParameterError, ["uniform_mask", "seed", "None"]),
        (lambda: poisson_disc_mask((8, 8), 4, seed=-1), ParameterError, ["seed", "-1"]),
        (lambda: poisson_disc_mask(8, 4), ShapeError, ["poisson_disc_mask", "got 8"]),
        (lambda: variable_density_mask((8, 8), 2, decay="a"), ParameterError, ["decay >= 0", "'a'"]),
        (lambda: birdcage_maps(4.5, (8, 8)), ParameterError, ["at least one coil", "coils=4.5"]),
        (lambda: birdcage_maps(4, 8), ParameterError, ["shape (H, W)", "shape=8"]),
        (lambda: birdcage_maps(4, (8, 8), radius=np.nan), ParameterError, ["finite radius", "nan"]),
        (lambda: birdcage_maps(4, (8, 8), dtype="float32"), ParameterError, ["'complex64'", "'float32'"]),
        (lambda: birdcage_maps(0, (8, 8)), ParameterError, ["at least one coil", "coils=0"]),
        (lambda: birdcage_maps(2, (8,)), ParameterError, ["shape (H, W)", "(8,)"]),
        (lambda: birdcage_maps(4, (8, 8), radius=0.5), ParameterError, ["stands on a pixel", "radius=0.5"]),
    ],
)
def test_bad_masks(make, error, parts):
    with raises(error, *parts):
        make()
