"""Convolution against a direct sum that shares no code with it, and the transforms that it takes."""

import itertools

import array_api_strict
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from cases import PADDINGS
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daskphys import backend
from daskphys.errors import DaskphysWarning
from daskphys.physics import Blur, stack

NUMPY_MODE = {"circular": "wrap", "replicate": "edge", "reflect": "reflect"}


def direct(x, kernel, padding):
    """The convolution by definition: the image extended by NumPy, then SciPy's direct sum."""
    space = kernel.ndim
    if padding != "valid":
        widths = [(0, 0)] * (x.ndim - space) + [(n - 1 - n // 2, n // 2) for n in kernel.shape]
        x = np.pad(x, widths, mode=NUMPY_MODE[padding])
    images = x.reshape(-1, *x.shape[-space:])
    out = np.stack([scipy.signal.convolve(i, kernel, mode="valid", method="direct") for i in images])
    return out.reshape(*x.shape[:-space], *out.shape[1:])


def entries(shape):
    return hnp.arrays(np.float64, shape, elements=st.integers(-9, 9).map(float))


@st.composite
def problems(draw, max_extra=5):
    """A kernel of one, two or three axes, an image of at least its size, and a padding."""
    kernel = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4).flatmap(entries))
    lead = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=2))
    extra = draw(st.tuples(*[st.integers(0, max_extra)] * kernel.ndim))
    space = tuple(n + more for n, more in zip(kernel.shape, extra, strict=True))
    return kernel, draw(entries((*lead, *space))), draw(st.sampled_from(PADDINGS))


@given(problems())
def test_equals_the_direct_sum(problem):
    kernel, x, padding = problem
    A = Blur(kernel, padding, ndim=kernel.ndim)
    expected = direct(x, kernel, padding)
    assert A.range_shape(x.shape) == expected.shape
    np.testing.assert_allclose(A(x), expected, atol=1e-9)


@given(problems(max_extra=3))
def test_adjoint_is_the_transpose_of_the_direct_matrix(problem):
    kernel, x, padding = problem
    space = x.shape[-kernel.ndim :]
    basis = np.eye(int(np.prod(space))).reshape(-1, *space)
    rows = direct(basis, kernel, padding)
    y = np.random.default_rng(0).standard_normal(rows.shape[1:])
    expected = np.tensordot(rows, y, axes=y.ndim).reshape(space)
    np.testing.assert_allclose(Blur(kernel, padding, ndim=kernel.ndim).A_adjoint(y), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("padding", "mode"), [("circular", "wrap"), ("replicate", "nearest"), ("reflect", "mirror")]
)
def test_equals_scipy_ndimage_for_odd_kernels(padding, mode, rng):
    kernel, x = rng.standard_normal((3, 5)), rng.standard_normal((9, 8))
    expected = scipy.ndimage.convolve(x, kernel, mode=mode)
    np.testing.assert_allclose(Blur(kernel, padding)(x), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 3), (4, 4), (2, 5)])
def test_centre_is_at_half_the_size(shape, rng):
    """A single one at (i, j) shifts the image by its distance from (h // 2, w // 2)."""
    x = rng.standard_normal((7, 6))
    for i, j in itertools.product(*map(range, shape)):
        kernel = np.zeros(shape)
        kernel[i, j] = 1.0
        shifted = np.roll(x, (i - shape[0] // 2, j - shape[1] // 2), axis=(0, 1))
        np.testing.assert_allclose(Blur(kernel)(x), shifted, atol=1e-14)


@pytest.mark.parametrize("padding", PADDINGS)
def test_one_kernel_for_each_channel(padding, rng):
    kernels, x = rng.standard_normal((3, 4, 2)), rng.standard_normal((2, 3, 8, 9))
    y = Blur(kernels, padding)(x)
    for channel in range(3):
        expected = direct(x[:, channel], kernels[channel], padding)
        np.testing.assert_allclose(y[:, channel], expected, atol=1e-12)
    np.testing.assert_array_equal(Blur(kernels[None], padding)(x), y)


@pytest.mark.parametrize("padding", PADDINGS)
def test_complex_images(padding, rng):
    kernel = rng.standard_normal((3, 4))
    x = rng.standard_normal((2, 8, 9)) + 1j * rng.standard_normal((2, 8, 9))
    expected = direct(x.real, kernel, padding) + 1j * direct(x.imag, kernel, padding)
    np.testing.assert_allclose(Blur(kernel, padding)(x), expected, atol=1e-12)


@pytest.mark.parametrize("padding", PADDINGS)
def test_any_memory_layout(padding, rng):
    A, x = Blur(rng.standard_normal((3, 4)), padding), rng.standard_normal((8, 9))
    wide = np.zeros((16, 18))
    wide[::2, ::-2] = x
    expected = A(x)
    for same in (np.asfortranarray(x), wide[::2, ::-2], x.astype(">f8"), x.view(np.ndarray)):
        np.testing.assert_array_equal(same, x)
        assert A(same).tobytes() == expected.tobytes()


@pytest.mark.parametrize("padding", PADDINGS)
def test_results_own_their_memory(padding, rng):
    """A view into the larger array that was transformed would keep it alive, and travel with it."""
    A, x = Blur(rng.standard_normal((3, 4)), padding), rng.standard_normal((8, 9))
    for result in (A(x), A.A_adjoint(A(x))):
        held = result if result.base is None else result.base
        assert held.nbytes == result.nbytes


@pytest.mark.parametrize("padding", PADDINGS)
def test_wide_kernels_give_batches_the_bits_of_their_entries(padding, rng):
    """Borders of many samples are summed along the last axes in the same order in a batch and alone."""
    A, x = (
        Blur(rng.standard_normal((21, 23)), padding),
        rng.standard_normal((2, 3, 30, 25)).astype(np.float32),
    )
    y = A(x)
    back = A.A_adjoint(y)
    for i, j in itertools.product(range(2), range(3)):
        assert A(x[i, j]).tobytes() == y[i, j].tobytes()
        assert A.A_adjoint(y[i, j]).tobytes() == back[i, j].tobytes()


@pytest.mark.parametrize("n", [1, 3, 8])
def test_transforms_of_a_stack_of_circular_blurs(n, rng):
    A = stack(*[Blur(rng.standard_normal((3, 4))) for _ in range(n)])
    x = rng.standard_normal((2, 8, 9))
    y, _ = A(x), A.A_adjoint_A(x)  # spectra are made here
    with backend.count_transforms() as count:
        A(x)
    assert (count.forward, count.inverse) == (1, n)
    with backend.count_transforms() as count:
        A.A_adjoint(y)
    assert (count.forward, count.inverse) == (n, 1)
    with backend.count_transforms() as count:
        A.A_adjoint_A(x)
    assert (count.forward, count.inverse) == (1, 1)
    A.A_dagger(y)
    with backend.count_transforms() as count:
        A.A_dagger(y)
    assert (count.forward, count.inverse) == (n, 1)


@pytest.mark.parametrize("padding", ["replicate", "reflect"])
def test_transforms_of_a_stack_with_one_extension(padding, rng):
    A, x = stack(*[Blur(rng.standard_normal((3, 4)), padding) for _ in range(5)]), rng.standard_normal((8, 9))
    y = A(x)
    with backend.count_transforms() as count:
        A(x)
        A.A_adjoint(y)
    assert (count.forward, count.inverse) == (1 + 5, 5 + 1)


def test_spectra_are_kept_for_each_shape_and_precision(rng):
    A = Blur(rng.standard_normal((3, 4)))
    inputs = [rng.standard_normal((8, 9)), rng.standard_normal((9, 9)), np.ones((8, 9), np.float32)]
    for x in inputs:
        with backend.count_transforms() as first:
            A(x)
        with backend.count_transforms() as again:
            A(x)
        assert (first.total, again.total) == (3, 2)


@pytest.mark.parametrize("make", [list, np.ndarray.tolist, array_api_strict.asarray, np.float32, np.int64])
def test_filters_of_many_kinds(make):
    kernel = np.array([[1.0, 2.0, 0.0], [3.0, -1.0, 4.0]])
    assert Blur(make(kernel)) == Blur(kernel)


def test_torch_filters():
    torch = pytest.importorskip("torch")
    kernel = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    tensor = torch.from_numpy(kernel)
    assert Blur(tensor) == Blur(kernel)
    assert Blur(tensor.T) == Blur(kernel.T)
    with pytest.warns(DaskphysWarning, match="no gradient reaches"):
        assert Blur(tensor.clone().requires_grad_()) == Blur(kernel)
