"""Noise lands where something is measured: operators with masks, plain, lazy, and in the algebra."""

from dataclasses import replace

import array_api_strict
import dask.array as da
import numpy as np
import pytest
from cases import raises
from sensors import Coils, Pairs

from daskphys.errors import DaskphysError, ParameterError, ShapeError
from daskphys.physics import (
    MRI,
    Blur,
    ComplexGaussianNoise,
    Diagonal,
    GaussianNoise,
    Identity,
    Inpainting,
    MultiCoilMRI,
    NoiseModel,
    OfRealImages,
    PhaseRetrieval,
    PoissonNoise,
    SaltPepperNoise,
    block_diagonal,
    gaussian_blur,
    stack,
    value,
)
from daskphys.physics.mri import birdcage_maps, equispaced_mask, espirit_maps
from daskphys.physics.noise import streams
from daskphys.physics.noise.adding import noisy
from daskphys.physics.noise.model import Seeds

LINES = np.zeros((24, 20))
LINES[::2] = 0.5  # a weight
FRAMES = np.stack([LINES, np.roll(LINES, 1, 0), np.ones((24, 20))])
X = np.random.default_rng(0).random((2, 3, 24, 20))
K = gaussian_blur(1.0)
MAPS = birdcage_maps(5, (24, 20))
THROUGH = ComplexGaussianNoise(0.1)

#: An operator without noise, its noise, and where it measures.
MASKED = {
    "inpainting": (Inpainting(LINES), GaussianNoise(0.1), LINES),
    "inpainting, frames": (Inpainting(FRAMES), GaussianNoise(0.1), FRAMES),
    "salt and pepper": (Inpainting(LINES), SaltPepperNoise(0.3, 0.3), LINES),
    "counts": (Inpainting(LINES), PoissonNoise(0.1), LINES),
    "one coil": (MRI(LINES), THROUGH, LINES),
    "one coil, frames": (MRI(FRAMES), THROUGH, FRAMES),
    "several coils": (MultiCoilMRI(MAPS, LINES), THROUGH, LINES),
    "several coils, frames": (MultiCoilMRI(MAPS, FRAMES), THROUGH, FRAMES[:, None]),
    "coils of a slice": (MultiCoilMRI(MAPS, FRAMES)[1:4], THROUGH, FRAMES[:, None]),
    "one of the coils": (MultiCoilMRI(MAPS, FRAMES)[2], THROUGH, FRAMES),
    "after a blur": (Inpainting(LINES) @ Blur(K), GaussianNoise(0.1), LINES),
    "coils after a blur": (MultiCoilMRI(MAPS, LINES) @ Blur(K), THROUGH, LINES),
    "a slice of them": ((MultiCoilMRI(MAPS, FRAMES) @ Blur(K))[1:3], THROUGH, FRAMES[:, None]),
    "after what is not linear": (Inpainting(LINES) @ PhaseRetrieval(Identity()), GaussianNoise(0.1), LINES),
    "a multiple": (2 * MRI(LINES), THROUGH, LINES),
    "a multiple of coils": (2 * MultiCoilMRI(MAPS, LINES), THROUGH, LINES),
    "a sum": (MRI(FRAMES[0]) + MRI(LINES * np.eye(24, 20)), THROUGH, LINES),
    "of real images": (OfRealImages(MRI(LINES)), THROUGH, LINES),
    "weighted": (Diagonal(np.full((24, 20), 2.0)) @ MRI(LINES), THROUGH, LINES),
    "weighted coils": (Identity(2.0) @ MultiCoilMRI(MAPS, FRAMES), THROUGH, FRAMES[:, None]),
}


@pytest.fixture(params=MASKED)
def masked(request):
    plain, model, mask = MASKED[request.param]
    A = plain.with_noise(model)
    clean = A.A(X)
    return A, clean, np.broadcast_to(mask != 0, clean.shape)


def test_there_is_noise_where_something_is_measured_and_nothing_elsewhere(masked):
    A, clean, seen = masked
    y = A(X, seed=1)
    assert y.dtype == clean.dtype
    np.testing.assert_array_equal(y[~seen], clean[~seen])
    np.testing.assert_array_equal(y[~seen], 0)
    assert np.mean(y[seen] != clean[seen]) > 0.3


def test_what_is_measured_has_the_noise_that_it_has_without_a_mask():
    model = GaussianNoise(0.1)
    y = Inpainting(LINES, noise_model=model)(0 * X, seed=1)
    whole = Diagonal(np.ones((24, 20)), noise_model=model)
    np.testing.assert_array_equal(y, whole(0 * X, seed=1) * (LINES != 0))


def test_lazily_with_the_same_bits(masked):
    A, _, _ = masked
    for chunks in ((1, 3, 24, 20), (1, 1, 24, 20)):
        if A.domain.ndim == 2 or chunks[1] == 3:
            lazy = A(da.from_array(X, chunks=chunks), seed=1)
            np.testing.assert_array_equal(lazy.compute(), A(X, seed=1))


@pytest.mark.parametrize("model", [GaussianNoise(0.1), SaltPepperNoise(0.3, 0.3)])
def test_a_part_of_a_measurement_finds_its_part_of_the_mask(model, monkeypatch):
    monkeypatch.setattr(streams, "CELL", 120)
    whole = streams.Part.all_of(X.shape, 2)
    y = noisy(model, X, Seeds(1, 1), whole, "A", FRAMES)
    box = slice(1, 2), slice(1, 3), slice(7, 14), slice(9, 20)
    part = replace(whole, start=(1, 1, 7, 9), shape=X[box].shape)
    np.testing.assert_array_equal(noisy(model, X[box], Seeds(1, 1), part, "A", FRAMES), y[box])
    np.testing.assert_array_equal(noisy(model, X[box], Seeds(1, 1), part, "A", np.zeros((1, 20))), X[box])


def test_sensors_of_a_stack_and_blocks_each_have_their_mask():
    sensors = [Inpainting(m, noise_model=GaussianNoise(0.1)) for m in FRAMES]
    A, B = stack(*sensors, Blur(K)), block_diagonal(*sensors)
    x = X[0, 0]
    for y, clean, mask in zip(A(x, seed=1), A.A(x), (*FRAMES, LINES), strict=True):
        np.testing.assert_array_equal(y[mask == 0], clean[mask == 0])
    for lazy, y in zip(A(da.from_array(X, chunks=(1, 3, 24, 20)), seed=1), A(X, seed=1), strict=True):
        np.testing.assert_array_equal(lazy.compute(), y)
    for y, mask in zip(B([x] * 3, seed=1), FRAMES, strict=True):
        np.testing.assert_array_equal(y[mask == 0], 0)
    lazies = B([da.from_array(x)] * 3, seed=1)
    for lazy, y in zip(lazies, B([x] * 3, seed=1), strict=True):
        np.testing.assert_array_equal(lazy.compute(), y)


def test_parts_with_masks_of_their_own_along_a_sensor_axis():
    first, last = MultiCoilMRI(MAPS, FRAMES), MultiCoilMRI(MAPS, FRAMES[::-1])
    A = (Identity() @ (first + last)).with_noise(THROUGH)
    seen = np.broadcast_to(((FRAMES + FRAMES[::-1]) != 0)[:, None], A.A(X).shape)
    y = A(X, seed=1)
    np.testing.assert_array_equal(y[~seen], 0)
    assert np.all(y[seen] != A.A(X)[seen])


def test_arrays_of_other_libraries():
    A = Inpainting(LINES, noise_model=GaussianNoise(0.1))
    got = A(array_api_strict.asarray(X), seed=2)
    np.testing.assert_array_equal(np.from_dlpack(got), A(X, seed=2))


def test_maps_are_not_found_where_lines_for_calibration_are_missing():
    mask = equispaced_mask((24, 20), acceleration=4, calibration=0)
    y = MultiCoilMRI(MAPS, mask, noise_model=ComplexGaussianNoise(0.01))(X[0, 0], seed=0)
    with pytest.raises(DaskphysError, match="calibration"):
        espirit_maps(y, calibration=12)


# -- products with what is not linear ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Coils, Pairs])
def test_a_product_has_a_stream_for_each_sensor_of_the_left(kind):
    J, N = kind(np.ones((3, 24, 20)), noise_model=GaussianNoise(0.1)), PhaseRetrieval(Identity())
    y = (J @ N)(X, seed=5)
    np.testing.assert_array_equal(y, J(N(X), seed=5))
    lazy = (J @ N)(da.from_array(X, chunks=(1, 3, 24, 20)), seed=5)
    np.testing.assert_array_equal(lazy.compute(), y)
    np.testing.assert_array_equal((J @ N).with_noise(None)(X), J.A(N(X)))
    other = GaussianNoise(0.3)
    np.testing.assert_array_equal((J @ N).with_noise(other)(X, seed=5), J.with_noise(other)(N(X), seed=5))


# -- models that are not right -------------------------------------------------------------------------------------


@value
class FirstRow(NoiseModel):
    depends = True

    def _sampled(self, rng, y):
        return y[:1]


@value
class OneNumber(NoiseModel):
    def _drawn(self, rng, shape):
        return rng.standard_normal()


@value
class Cut(NoiseModel):
    def _drawn(self, rng, shape):
        return rng.standard_normal(shape)

    def _put(self, y, drawn):
        return (y + drawn)[..., :1]


@pytest.mark.parametrize(
    ("model", "hook", "got"),
    [(FirstRow(), "_sampled", "(1, 20)"), (OneNumber(), "_drawn", "float"), (Cut(), "_put", "(2, 3, 24, 1)")],
)
def test_a_model_that_gives_another_shape(model, hook, got):
    with raises(ShapeError, repr(model), hook, "expected to return an array of shape", got):
        Blur(K, noise_model=model)(X)


def test_a_model_without_hooks():
    @value
    class Silent(NoiseModel):
        pass

    @value
    class Dependent(NoiseModel):
        depends = True

    with raises(ParameterError, "Silent()", "_drawn(rng, shape)", "_sampled(rng, y)", "depends = True"):
        Identity(noise_model=Silent())(X)
    with raises(ParameterError, "Dependent()", "_sampled(rng, y)"):
        Identity(noise_model=Dependent())(X)
