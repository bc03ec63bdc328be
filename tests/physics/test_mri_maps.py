"""Coil maps, simulated and estimated, against SigPy's (`tests/reference/sigpy_mri.py`) and dense eigenvectors."""

import numpy as np
import pytest
from cases import raises

from daskphys.errors import ParameterError, ShapeError
from daskphys.physics import MRI, MultiCoilMRI
from daskphys.physics.mri import birdcage_maps, espirit_maps, walsh_maps


def test_birdcages_are_those_of_sigpy(reference):
    case = reference("sigpy_mri")
    np.testing.assert_allclose(birdcage_maps(5, (36, 32)), case["birdcage"], atol=1e-6)
    np.testing.assert_allclose(birdcage_maps(10, (6, 8, 7)), case["birdcage_3d"], atol=1e-6)


def test_maps_of_a_volume_for_images_of_two_axes():
    """Where they stand for frames, and the volume has not as many; who forgot `ndim` is told so."""
    A = MultiCoilMRI(birdcage_maps(4, (6, 20, 20)), np.ones((20, 20)))
    axis = "expected an image with a leading axis of 4 (axis -3), as its array of maps has"
    with raises(ShapeError, repr(A), axis, "got shape (6, 20, 20)", "ndim=3"):
        A(np.ones((6, 20, 20)))
    frames = MRI(np.ones((3, 4, 4)))
    with raises(ShapeError, repr(frames), "a leading axis of 3 (axis -3), as its mask has", "(1, 4, 4)"):
        frames(np.ones((1, 4, 4)))


def test_espirit_is_that_of_sigpy(reference):
    case = reference("sigpy_mri")
    maps = espirit_maps(case["kspace"], case.op["calibration"], case.op["kernel"], crop=case.op["crop"])
    assert maps.dtype == np.complex64
    np.testing.assert_array_equal(maps != 0, case["maps"] != 0)
    np.testing.assert_allclose(maps, case["maps"], atol=2e-6)
    inside = (maps != 0).all(0)
    np.testing.assert_array_equal(inside, case["eigenvalue"][0] > case.op["crop"])
    np.testing.assert_allclose((abs(maps[:, inside]) ** 2).sum(0), 1, atol=1e-6)
    likeness = abs((maps.conj() * birdcage_maps(5, (36, 32))).sum(0))[inside]
    assert np.median(likeness) > 0.995


def test_espirit_of_a_volume(rng):
    given = birdcage_maps(4, (10, 12, 11), coils_per_ring=4, dtype="complex128")
    x = np.zeros((10, 12, 11))
    x[2:8, 3:10, 2:9] = 1 + rng.random((6, 7, 7))
    y = MultiCoilMRI(given, np.ones(x.shape), ndim=3)(x)
    maps = espirit_maps(y, calibration=8, kernel=3, crop=0.8)
    inside = (maps != 0).all(0) & (x > 0)
    assert inside.sum() > 0.9 * (x > 0).sum()
    likeness = abs((maps.conj() * given).sum(0))[inside]
    assert np.median(likeness) > 0.99


def test_walsh_against_dense_eigenvectors(rng):
    """With the whole of k-space and no window it is a local covariance; its eigenvectors by LAPACK, pixel by pixel."""
    n, half = 12, 2
    y = rng.standard_normal((3, n, n)) + 1j * rng.standard_normal((3, n, n))
    window = np.hanning(n + 2)[1:-1]
    seen = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(y * np.outer(window, window), (1, 2))), (1, 2))
    padded = np.pad(seen, ((0, 0), (half, half), (half, half)), mode="symmetric")
    maps = walsh_maps(y, calibration=n, smoothing=2 * half + 1)
    for i, j in np.ndindex(n, n):
        part = padded[:, i : i + 5, j : j + 5].reshape(3, -1)
        values, vectors = np.linalg.eigh(part @ part.conj().T)
        if values[-2] < 0.8 * values[-1]:
            assert abs(np.vdot(vectors[:, -1], maps[:, i, j])) == pytest.approx(1, abs=1e-9)
            assert maps[0, i, j].imag == pytest.approx(0, abs=1e-12)


def test_walsh_finds_smooth_maps():
    given, x = birdcage_maps(6, (48, 40)), np.zeros((48, 40))
    x[8:40, 6:34] = 1
    maps = walsh_maps(MultiCoilMRI(given, np.ones(x.shape))(x))
    likeness = abs((maps.conj() * given).sum(0))[12:36, 10:30]
    assert likeness.min() > 0.99


def test_tensors_and_precision():
    torch = pytest.importorskip("torch")
    y = MultiCoilMRI(birdcage_maps(3, (16, 16)), np.ones((16, 16)))(np.eye(16))
    for make in (espirit_maps, walsh_maps):
        maps = make(y, 12)
        assert maps.dtype == np.complex128
        np.testing.assert_array_equal(make(torch.from_numpy(y), 12), maps)


Y = np.ones((3, 16, 16), complex)
HOLED = Y * (np.arange(16) != 7)


@pytest.mark.parametrize("make", [espirit_maps, walsh_maps])
@pytest.mark.parametrize(
    ("kspace", "calibration", "error", "parts"),
    [
        (Y[0], 8, ShapeError, ["(coil, H, W)", "(16, 16)"]),
        (Y.real, 8, ParameterError, ["complex k-space", "float64"]),
        (Y, 17, ParameterError, ["1 to 16 samples", "17"]),
        (Y * np.nan, 8, ParameterError, ["finite", "NaN"]),
        (HOLED, 8, ParameterError, ["8×8", "8 samples", "smaller calibration"]),
    ],
)
def test_bad_regions(make, kspace, calibration, error, parts):
    with raises(error, make.__name__, *parts):
        make(kspace, calibration)


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: espirit_maps(Y, 8, kernel=9), ["kernel of 1 to 8", "9"]),
        (lambda: espirit_maps(Y, 8, threshold=1.0), ["threshold of [0, 1)", "1.0"]),
        (lambda: espirit_maps(Y, 8, crop=2), ["crop of [0, 1]", "2"]),
        (lambda: espirit_maps(Y, 8, kernel=2.5), ["espirit_maps", "kernel of 1 to 8", "2.5"]),
        (lambda: espirit_maps(Y, 8, threshold="a"), ["threshold of [0, 1)", "'a'"]),
        (lambda: espirit_maps(Y, 8.5), ["espirit_maps", "1 to 16 samples", "8.5"]),
        (lambda: walsh_maps(Y, 8, smoothing=3.0), ["odd smoothing from 1 to 16", "3.0"]),
        (lambda: walsh_maps(Y, 8, smoothing=4), ["odd smoothing from 1 to 16", "4"]),
    ],
)
def test_bad_parameters(make, parts):
    with raises(ParameterError, *parts):
        make()
