"""Transforms of an image in the corner of a longer one, against NumPy's of the padded image."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskphys import backend


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 7)), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 99),
)
def test_it_is_the_transform_of_the_padded_image(axes, half, dtype, seed):
    sizes, padded = tuple(n for n, _ in axes), tuple(n + more for n, more in axes)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, *sizes)).astype(dtype)
    x = x if half else x + 1j * rng.standard_normal((2, *sizes)).astype(dtype)
    longer = np.pad(x, [(0, 0), *[(0, more) for _, more in axes]])
    transform = np.fft.rfftn if half else np.fft.fftn
    before = x.copy()
    z = backend.embedded_fftn(x, padded, half=half)
    assert z.dtype == backend.complex_name(dtype)
    bound = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(z, transform(longer, axes=range(-len(axes), 0)), atol=10 * bound)
    back = backend.embedded_ifftn(z, padded, sizes, half=half)
    assert back.dtype == x.dtype
    assert back.base is None
    np.testing.assert_allclose(back, x, atol=bound)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("half", [True, False])
def test_other_libraries_give_the_same(half, rng):
    x = rng.standard_normal((2, 4, 5))
    expected = backend.embedded_fftn(x, (8, 9), half=half)
    z = backend.embedded_fftn(array_api_strict.asarray(x), (8, 9), half=half)
    np.testing.assert_allclose(np.from_dlpack(z), expected, atol=1e-13)
    back = backend.embedded_ifftn(z, (8, 9), (4, 5), half=half)
    np.testing.assert_allclose(np.from_dlpack(back), x, atol=1e-13)


@pytest.mark.parametrize("half", [True, False])
def test_the_bits_depend_on_neither_threads_nor_the_batch(half, rng):
    x = rng.standard_normal((3, 70, 61)).astype(np.float32)
    expected = backend.embedded_fftn(x, (144, 125), half=half)
    for threads in (1, 2, 4):
        with backend.fft_threads(threads):
            z = backend.embedded_fftn(x, (144, 125), half=half)
            assert z.tobytes() == expected.tobytes()
            assert backend.embedded_fftn(x[1], (144, 125), half=half).tobytes() == expected[1].tobytes()


def test_they_are_counted(rng):
    with backend.count_transforms() as count:
        z = backend.embedded_fftn(rng.standard_normal((2, 4)), (8,), half=True)
        backend.embedded_ifftn(z, (8,), (4,), half=True)
    assert (count.forward, count.inverse) == (1, 1)
