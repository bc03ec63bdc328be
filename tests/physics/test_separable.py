"""Kernels that are products of kernels along axes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskphys.physics import gaussian_blur
from daskphys.physics.separable import passes_of, taps_of


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.sampled_from([(), (3,)]), st.integers(0, 99))
def test_products_are_found_and_give_the_kernel(sizes, lead, seed):
    rng, ndim = np.random.default_rng(seed), len(sizes)
    factors = [
        rng.standard_normal((*lead, *(n if i == j else 1 for j in range(ndim)))) for i, n in enumerate(sizes)
    ]
    kernel = math.prod(factors[1:], start=factors[0])
    passes = passes_of(kernel, ndim)
    np.testing.assert_allclose(
        math.prod(passes[1:], start=passes[0]), kernel, rtol=0, atol=1e-14 * np.abs(kernel).max()
    )
    assert taps_of(passes, ndim) <= math.prod(sizes)
    long = [n for n in sizes if n > 1]
    assert taps_of(passes, ndim) == min(sum(long) or 1, math.prod(sizes))
    # Only the first reaches along the first axis: slabs of rows depend on it.
    assert all(p.shape[-ndim] == 1 for p in passes[1:])


def test_what_is_no_product_stays_whole():
    rng = np.random.default_rng(0)
    for kernel in (rng.standard_normal((5, 5)), np.eye(4), gaussian_blur((1.5, 0.4), angle=30)[0, 0]):
        assert passes_of(kernel, 2)[0] is kernel
    near = np.outer([1.0, 2, 1, 1], [1.0, 2, 1, 1])
    near[0, 0] += 1e-12  # far more than rounding
    assert len(passes_of(near, 2)) == 1
    assert (
        len(passes_of(np.stack([np.outer([1.0, 2, 1], [1.0, 1, 3]), np.eye(3)]), 2)) == 1
    )  # one channel is not


@pytest.mark.parametrize("sigma", [0.3, 1.0, (0.5, 2.0)])
@pytest.mark.parametrize("angle", [0.0, 90.0])
def test_gaussians_along_the_axes_are_products(sigma, angle):
    kernel = gaussian_blur(sigma, angle)[0, 0]
    assert [p.shape for p in passes_of(kernel, 2)] == [(len(kernel), 1), (1, len(kernel))]


def test_large_kernels_are_not_tried():
    assert len(passes_of(np.ones((40, 40)), 2)) == 1
    assert len(passes_of(np.zeros((5, 5)), 2)) == 2
