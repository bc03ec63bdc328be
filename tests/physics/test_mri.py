"""Coils and Fourier encoding, against einsum, direct sums and reference vectors."""

import gc
import tracemalloc

import numpy as np
import pytest
from cases import raises
from hypothesis import given
from hypothesis import strategies as st

from daskphys import optim
from daskphys.backend import count_transforms, fft_threads
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics import MRI, Blur, CentredMultiplier, CoilMaps, Diagonal, MultiCoilMRI, stack
from daskphys.physics.mri import birdcage_maps


def random(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


# -- coils -----------------------------------------------------------------------------------------------------


def test_coils_multiply(rng):
    maps, x = random(rng, 3, 4, 6, 5), random(rng, 2, 3, 6, 5)
    S = CoilMaps(maps)
    y = random(rng, 2, 3, 4, 6, 5)
    np.testing.assert_allclose(S(x), np.einsum("tchw,bthw->btchw", maps, x))
    np.testing.assert_allclose(S.A_adjoint(y), np.einsum("tchw,btchw->bthw", maps.conj(), y))


def test_coils_merge_into_a_diagonal(rng):
    maps = random(rng, 5, 3, 4, 6)
    N = CoilMaps(maps, ndim=3).normal((3, 4, 6))
    assert isinstance(N, Diagonal)
    np.testing.assert_allclose(N.diagonal(), (abs(maps) ** 2).sum(0))


def test_maps_stay_in_single_precision(rng):
    given = random(rng, 2, 4, 4).astype(np.complex64)
    S = CoilMaps(given)
    assert S.nbytes == given.nbytes
    assert S(np.ones((4, 4), np.float32)).dtype == np.complex64
    assert S(np.ones((4, 4))).dtype == np.complex128
    swapped = CoilMaps(given.astype(">c8"))
    assert swapped == S


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: CoilMaps(np.ones((4, 5))), ShapeError, ["CoilMaps", "(…, coil, H, W)", "(4, 5)", "[None]"]),
        (lambda: CoilMaps(np.ones((4, 4, 5)), ndim=3), ShapeError, ["(…, coil, D, H, W)", "(4, 4, 5)"]),
        (lambda: CoilMaps(np.ones((4, 4, 5)), ndim=1), ParameterError, ["ndim 2 or 3", "1"]),
        (lambda: CoilMaps(np.full((2, 4, 5), np.nan)), ParameterError, ["finite", "NaN"]),
        (lambda: CoilMaps(np.zeros((2, 4, 5))), ParameterError, ["zeros", "coil 0", "leave it out"]),
        (
            lambda: CoilMaps(np.arange(3.0)[::-1, None, None] * np.ones((3, 4, 5))),
            ParameterError,
            ["zeros", "coil 2"],
        ),
        (lambda: CoilMaps(np.ones((2, 4, 5)))(np.ones((5, 4))), ShapeError, ["(4, 5)", "(5, 4)"]),
        (
            lambda: CoilMaps(np.ones((3, 2, 4, 5)))(np.ones((2, 4, 5))),
            ShapeError,
            ["a leading axis of 3", "(2, 4, 5)"],
        ),
        (
            lambda: CoilMaps(np.ones((2, 4, 5))).A_adjoint(np.ones((3, 4, 5))),
            ShapeError,
            ["2 coils", "axis -3", "(3, 4, 5)"],
        ),
    ],
)
def test_bad_coils(make, error, parts):
    with raises(error, *parts):
        make()


# -- Fourier encoding ------------------------------------------------------------------------------------------


def complex_of(a, axis):
    """The vectors hold (real, imaginary) on an axis."""
    real, imag = np.moveaxis(a, axis, 0)
    return real + 1j * imag


@pytest.mark.parametrize("name", ["mri", "multicoil_mri"])
def test_reference(reference, name):
    case = reference(name)
    A = MRI(case["mask"]) if name == "mri" else MultiCoilMRI(case["coil_maps"], case["mask"])
    x, y, v, back, gram = (complex_of(case[key], 1) for key in ("x", "y", "v", "Atv", "AtAx"))
    for got, expected in ((A(x), y), (A.A_adjoint(v), back), (A.A_adjoint_A(x), gram)):
        assert got.dtype == np.complex64
        np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


def dft(n):
    """The centred orthonormal transform of one axis, by its definition."""
    at = np.arange(n) - n // 2
    return np.exp(-2j * np.pi * np.outer(at, at) / n) / np.sqrt(n)


@given(
    sizes=st.tuples(*[st.integers(1, 7)] * 3),
    ndim=st.sampled_from([2, 3]),
    coils=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_a_direct_sum(sizes, ndim, coils, seed):
    rng = np.random.default_rng(seed)
    sizes = sizes[:ndim]
    maps, mask = random(rng, coils, *sizes), rng.standard_normal((2, *sizes))
    x = random(rng, 2, *sizes)
    axes = "dhw"[-ndim:]
    into = "DHW"[-ndim:]
    rule = (
        f"c{axes},t{axes},"
        + ",".join(f"{b}{a}" for a, b in zip(axes, into, strict=True))
        + f",t{into}->tc{into}"
    )
    expected = np.einsum(rule, maps, x, *map(dft, sizes), mask, optimize=True)
    A = MultiCoilMRI(maps, mask, ndim=ndim)
    np.testing.assert_allclose(A(x), expected, atol=1e-12)
    single = MRI(mask, ndim=ndim)
    np.testing.assert_allclose(single(maps[0] * x), expected[:, 0], atol=1e-12)


def test_shifts_are_exact_for_even_sizes(rng):
    """Moving pixels and changing signs differ by the rounding of the FFT alone."""
    x = random(rng, 64, 48)
    moved = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(x), norm="ortho"))
    np.testing.assert_allclose(MRI(np.ones((64, 48)))(x), moved, atol=1e-14 * np.abs(moved).max())


def test_one_coil_is_closed_form(rng):
    mask = rng.random((10, 12)) > 0.6
    A = MRI(mask)
    x = random(rng, 3, 10, 12)
    N = A.normal((10, 12))
    assert isinstance(N, CentredMultiplier)
    np.testing.assert_array_equal(N.multiplier, mask)
    assert A.compute_norm((10, 12)) == 1.0
    with count_transforms() as count:
        estimate = A.A_dagger(A(x))
    assert count.total == 2  # there, and back
    np.testing.assert_allclose(A(estimate), A(x), atol=1e-13)
    np.testing.assert_allclose(estimate, A.A_adjoint(A(x)), atol=1e-13)  # a projection
    regular = optim.tikhonov(A, A(x), lam=0.5)
    np.testing.assert_allclose(A.A_adjoint_A(regular) + 0.5 * regular, A.A_adjoint(A(x)), atol=1e-13)


def test_masks_merge_with_each_other_and_with_blurs(rng):
    masks = rng.random((3, 9, 8)) > 0.5
    A = stack(*map(MRI, masks), Blur(rng.random((3, 4))))
    N = A.normal((9, 8))
    assert isinstance(N, CentredMultiplier)
    assert N.closed_form
    x = random(rng, 9, 8)
    np.testing.assert_allclose(N(x), A.A_adjoint(A(x)), atol=1e-12)
    np.testing.assert_allclose(A.A_dagger(A(x)), x, atol=1e-9)


def test_masks_share_one_transform(rng):
    A = stack(*[MRI(m) for m in rng.random((4, 8, 10)) > 0.5])
    with count_transforms() as count:
        y = A(random(rng, 8, 10))
    assert count.total == 1
    with count_transforms() as count:
        A.A_adjoint(y)
    assert count.total == 1


def test_a_mask_a_frame(rng):
    masks, x, maps = rng.random((3, 6, 8)) > 0.5, random(rng, 2, 3, 6, 8), random(rng, 4, 6, 8)
    A = MRI(masks)
    np.testing.assert_array_equal(A(x), np.stack([MRI(m)(x[:, t]) for t, m in enumerate(masks)], axis=1))
    B = MultiCoilMRI(maps, masks)
    y = B(x)
    assert y.shape == (2, 3, 4, 6, 8) == B.range_shape(x.shape)
    np.testing.assert_array_equal(
        y, np.stack([MultiCoilMRI(maps, m)(x[:, t]) for t, m in enumerate(masks)], axis=1)
    )
    np.testing.assert_array_equal(B[1:3](x), y[:, :, 1:3])
    np.testing.assert_array_equal(B[2](x), y[:, :, 2])
    np.testing.assert_array_equal((2 * B)(x), 2 * y)


def test_a_real_image_is_taken_as_complex(rng):
    x = rng.standard_normal((6, 8)).astype(np.float32)
    for A in (MRI(np.ones((6, 8))), MultiCoilMRI(random(rng, 2, 6, 8), np.ones((6, 8)))):
        for got, expected in ((A(x), A(x + 0j)), (A.A_adjoint_A(x), A.A_adjoint_A(x + 0j))):
            assert got.dtype == np.complex64
            np.testing.assert_allclose(got, expected, atol=1e-5)


def test_sense_finds_the_image(rng):
    """Fewer samples a coil than pixels, more in all."""
    maps = random(rng, 4, 8, 12)
    mask = np.zeros((8, 12))
    mask[:, ::2] = 1
    A, x = MultiCoilMRI(maps, mask), random(rng, 8, 12)
    np.testing.assert_allclose(A.A_dagger(A(x)), x, atol=1e-9)


def test_coils_share_their_mask(rng):
    mask = rng.random((6, 8)) > 0.5
    A = MultiCoilMRI(random(rng, 3, 6, 8), mask)
    assert all(part.mask is A.mask for part in A.parts)
    assert all(np.shares_memory(part.maps, A.maps) for part in A.parts)
    assert A.nbytes == A.maps.nbytes + A.mask.nbytes


@pytest.mark.parametrize("sizes", [(300, 256), (301, 255)])
def test_a_large_image_has_the_same_bits_alone(rng, sizes):
    """NumPy would swap the factors of a complex product where one is a large temporary."""
    x = random(rng, 2, *sizes).astype(np.complex64)
    for A in (MRI(rng.random(sizes) > 0.5), MultiCoilMRI(birdcage_maps(3, sizes), rng.random(sizes) > 0.5)):
        y = A(x)
        for product, z in ((A.A, x), (A.A_adjoint, y), (A.A_adjoint_A, x)):
            np.testing.assert_array_equal(product(z)[1], product(z[1]))


@pytest.mark.parametrize("sizes", [(120, 128), (121, 127)])
@pytest.mark.parametrize("make", [MRI, CoilMaps, MultiCoilMRI])
def test_the_peak_is_what_is_said(make, sizes):
    """Bytes that NumPy allocates, its own buffers aside, where masks and maps are cast already."""
    given = {MRI: (np.ones(sizes),), CoilMaps: (birdcage_maps(7, sizes),)}
    A = make(*given.get(make, (birdcage_maps(7, sizes), np.ones(sizes))))
    x = np.ones((2, *sizes), np.complex64)
    y = A(x)
    for product, cost in (
        (lambda: A(x), A._cost(x.shape, "complex64")),
        (lambda: A.A_adjoint(y), A._adjoint_cost(x.shape, "complex64")),
        (lambda: A.A_adjoint_A(x), A._gram_cost(x.shape, "complex64")),
    ):
        product()
        gc.collect()
        with fft_threads(1):
            tracemalloc.start()
            try:
                result = product()
                measured = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        said = cost.workspace + cost.result
        assert cost.result == result.nbytes
        assert measured <= 1.05 * said + (1 << 17)
        assert said <= 2.5 * measured


def test_maps_and_masks_of_torch(rng):
    torch = pytest.importorskip("torch")
    maps, mask, x = birdcage_maps(3, (6, 8)), rng.random((6, 8)) > 0.5, random(rng, 6, 8)
    A = MultiCoilMRI(maps, mask)
    B = MultiCoilMRI(torch.from_numpy(maps), torch.from_numpy(mask))
    assert B == A
    np.testing.assert_array_equal(B(torch.from_numpy(x)).numpy(), A(x))


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: MRI(np.ones(4)), ShapeError, ["MRI", "(…, H, W)", "(4,)", "broadcast_to"]),
        (lambda: MRI(np.ones((4, 4)), ndim=3), ShapeError, ["(…, D, H, W)", "(4, 4)"]),
        (lambda: MRI(np.ones((4, 4)), ndim=4), ParameterError, ["ndim 2 or 3", "4"]),
        (lambda: MRI(1j * np.ones((4, 4))), ParameterError, ["real mask", "complex"]),
        (lambda: MRI(np.full((4, 4), np.inf)), ParameterError, ["finite mask", "infinity"]),
        (lambda: MRI(np.zeros((4, 4))), ParameterError, ["samples something", "zeros"]),
        (lambda: MRI(np.ones((1, 4)))(np.ones((4, 4))), ShapeError, ["MRI(", "(1, 4)", "(4, 4)"]),
        (
            lambda: MRI(np.ones((3, 4, 5)))(np.ones((2, 4, 5))),
            ShapeError,
            ["a leading axis of 3", "its mask"],
        ),
        (
            lambda: MultiCoilMRI(np.ones((2, 4, 5)), np.ones((5, 4))),
            ShapeError,
            ["MultiCoilMRI", "one size", "(2, 4, 5)", "(5, 4)"],
        ),
        (
            lambda: MultiCoilMRI(np.ones((3, 2, 4, 5)), np.ones((2, 4, 5))),
            ShapeError,
            ["one size", "(3, 2, 4, 5)", "(2, 4, 5)"],
        ),
        (lambda: MultiCoilMRI(np.zeros((2, 4, 5)), np.ones((4, 5))), ParameterError, ["zeros", "coil 0"]),
        (lambda: MultiCoilMRI(np.ones((2, 4, 5)), np.zeros((4, 5))), ParameterError, ["mask", "zeros"]),
        (
            lambda: MultiCoilMRI(np.ones((2, 4, 5)), np.ones((4, 5)))(np.ones((4, 4))),
            ShapeError,
            ["MultiCoilMRI(2 coils, 4×5", "(4, 5)", "(4, 4)"],
        ),
        (
            lambda: MultiCoilMRI(np.ones((2, 4, 5)), np.ones((4, 5))).A_adjoint(np.ones((3, 4, 5))),
            ShapeError,
            ["MultiCoilMRI", "2 coils", "axis -3", "(3, 4, 5)"],
        ),
    ],
)
def test_bad_encoding(make, error, parts):
    with raises(error, *parts):
        make()
