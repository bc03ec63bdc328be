"""Extension at the borders is NumPy's, and its transpose is the transpose of its matrix."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskphys.physics.padding import pad, pad_transpose, padded_shape

NUMPY_MODE = {"replicate": "edge", "reflect": "reflect", "zero": "constant"}
MODES = st.sampled_from(sorted(NUMPY_MODE))


@st.composite
def problems(draw, mode):
    """An image shape, some of its last axes, and widths that the mode allows."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple))
    ndim = draw(st.integers(1, len(shape)))
    most = [n - 1 if mode == "reflect" else 4 for n in shape[-ndim:]]
    return shape, tuple((draw(st.integers(0, m)), draw(st.integers(0, m))) for m in most)


def numpy_pad(x, widths, mode):
    return np.pad(x, [(0, 0)] * (x.ndim - len(widths)) + list(widths), mode=NUMPY_MODE[mode])


@given(st.data(), MODES)
def test_equals_numpy_pad(data, mode):
    shape, widths = data.draw(problems(mode))
    x = np.random.default_rng(0).standard_normal(shape)
    expected = numpy_pad(x, widths, mode)
    assert padded_shape(shape, widths) == expected.shape
    np.testing.assert_array_equal(pad(x, widths, mode), expected)


@given(st.data(), MODES)
def test_transpose_is_that_of_the_matrix(data, mode):
    """On integers, so that equality is exact."""
    shape, widths = data.draw(problems(mode))
    n = int(np.prod(shape))
    rows = np.stack([numpy_pad(e.reshape(shape), widths, mode).ravel() for e in np.eye(n)])
    y = np.random.default_rng(0).integers(-9, 9, rows.shape[1]).astype(np.float64)
    got = pad_transpose(y.reshape(padded_shape(shape, widths)), widths, mode)
    np.testing.assert_array_equal(got.ravel(), rows @ y)


@pytest.mark.parametrize("mode", sorted(NUMPY_MODE))
def test_arguments_are_not_written_to(mode):
    x, widths = np.arange(20.0).reshape(4, 5), ((1, 2), (3, 0))
    x.flags.writeable = False
    y = pad(x, widths, mode)
    y.flags.writeable = False
    pad_transpose(y, widths, mode)


@pytest.mark.parametrize("mode", sorted(NUMPY_MODE))
def test_arrays_of_the_standard(mode):
    x, widths = np.arange(20.0).reshape(4, 5), ((1, 2), (3, 0))
    strict = pad(array_api_strict.asarray(x), widths, mode)
    np.testing.assert_array_equal(np.from_dlpack(strict), pad(x, widths, mode))
    back = pad_transpose(strict, widths, mode)
    np.testing.assert_array_equal(np.from_dlpack(back), pad_transpose(pad(x, widths, mode), widths, mode))


def test_no_width_is_the_image_itself():
    x = np.arange(6.0).reshape(2, 3)
    assert pad(x, ((0, 0), (0, 0)), "reflect") is x
