"""Noise on a cluster: the bits of the plain operator, on any number of workers and for any cut."""

import cloudpickle
import dask.array as da
import numpy as np
import pytest
import sensors
from sensors import Coils, Pairs

from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import (
    MRI,
    Blur,
    ComplexGaussianNoise,
    GaussianNoise,
    Identity,
    Inpainting,
    MultiCoilMRI,
    PhaseRetrieval,
    PoissonNoise,
    SaltPepperNoise,
    block_diagonal,
    gaussian_blur,
    hstack,
    stack,
)
from daskphys.physics.mri import birdcage_maps

K = gaussian_blur(1.0)
X = np.random.default_rng(0).random((2, 24, 20), dtype=np.float32)
A = stack(
    Blur(K, noise_model=GaussianNoise(0.1)),
    Blur(K),
    Blur(K, "valid", noise_model=PoissonNoise(0.01)),
    Blur(K, noise_model=SaltPepperNoise(seed=9)),
    Blur(K, noise_model=GaussianNoise(0.2)),
)


@pytest.fixture(scope="module", autouse=True)
def known_to_workers():
    """Worker processes do not import the tests' modules."""
    cloudpickle.register_pickle_by_value(sensors)
    yield
    cloudpickle.unregister_pickle_by_value(sensors)


def same(got, expected):
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_bits_of_the_plain_operator(workers):
    with DistributedContext(n_workers=workers) as ctx:
        for chunks in ("auto", 1, 5):
            D = distribute(A, ctx, chunks=chunks)
            same(D(X, seed=3), A(X, seed=3))
        same(D.A(X), A.A(X))
        for some in (slice(1, 4), slice(None, None, -1)):
            same(D[some](X, seed=3), A[some](X, seed=3))
        same((D @ Blur(K))(X, seed=3), (A @ Blur(K))(X, seed=3))
        for made, plain in ((2 * D, 2 * A), (D + D, A + A), (D.with_noise(None), A.with_noise(None))):
            same(made(X), plain(X))
        same(D.with_noise(GaussianNoise())(X, seed=1), A.with_noise(GaussianNoise())(X, seed=1))


def test_in_processes_and_lazily(processes):
    D = distribute(A, processes)
    same(D(X, seed=3), A(X, seed=3))
    batch = np.stack([X, 2 * X])
    for chunks in ((1, 2, 24, 20), (1, 1, 24, 20)):
        lazy = D(da.from_array(batch, chunks=chunks), seed=3)
        with processes.client.as_current():
            same(lazy.compute(), A(batch, seed=3))


def test_the_seed_of_the_context_holds_where_no_other_does(threads):
    with DistributedContext(threads.client, seed=7) as ctx:
        D = distribute(A, ctx)
        for _ in range(2):
            expected = list(A(X, seed=7))
            expected[3] = A(X, seed=9)[3]  # it has its own
            same(D(X), expected)
            same(D(X, seed=3), A(X, seed=3))
        joined = distribute(Coils(np.ones((3, 24, 20)), noise_model=GaussianNoise()), ctx)
        back = joined.H.with_noise(GaussianNoise())
        for made, x in ((joined, X), (joined @ PhaseRetrieval(Identity()), X), (back, joined.A(X))):
            np.testing.assert_array_equal(made(x), made(x, seed=7))
        blocks = distribute(block_diagonal(A[0], A[0]), ctx)
        same(blocks([X, X]), blocks([X, X], seed=7))
    D = distribute(A, threads)
    assert not np.array_equal(D(X)[0], D(X)[0])


def test_the_noise_of_an_adjoint(threads):
    B = hstack(Blur(K), Blur(K)).with_noise(GaussianNoise())
    np.testing.assert_array_equal(distribute(B, threads)([X, X], seed=1), B([X, X], seed=1))


@pytest.mark.parametrize("kind", [Coils, Pairs])
def test_a_sensor_axis(processes, kind):
    B = kind(np.random.default_rng(1).uniform(0.5, 1.5, (5, 24, 20)), noise_model=PoissonNoise(0.1))
    D = distribute(B, processes)
    np.testing.assert_array_equal(D(X, seed=3), B(X, seed=3))
    np.testing.assert_array_equal((D @ Blur(K))(X, seed=3), (B @ Blur(K))(X, seed=3))
    np.testing.assert_array_equal(D[2:4](X, seed=3), B[2:4](X, seed=3))
    np.testing.assert_array_equal(D.with_noise(None)(X), B.A(X))
    lazy = D(da.from_array(X, chunks=(1, 24, 20)), seed=3)
    with processes.client.as_current():
        np.testing.assert_array_equal(lazy.compute(), B(X, seed=3))


def test_where_a_mask_measures_nothing(processes):
    frames = np.stack([np.arange(24) % 2, np.arange(24) % 3 == 0])[..., None] * np.ones(20)
    x = X.astype(np.complex64)
    maps = birdcage_maps(4, (24, 20))
    for B in (
        stack(*(Inpainting(m, noise_model=GaussianNoise(0.1)) for m in frames), Blur(K)),
        stack(*(MRI(m, noise_model=ComplexGaussianNoise(0.1)) for m in frames)),
        stack(*(Inpainting(m, noise_model=PoissonNoise(0.1)) for m in frames)),
        stack(*(Inpainting(m, noise_model=SaltPepperNoise(0.2, 0.2)) for m in frames)),
    ):
        D, image = distribute(B, processes), x if isinstance(B[0], MRI) else X
        same(D(image, seed=3), B(image, seed=3))
        assert not np.any(B(image, seed=3)[0][:, ::2])
        lazy = D(da.from_array(image, chunks=(1, 24, 20)), seed=3)
        with processes.client.as_current():
            same(lazy.compute(), B(image, seed=3))
    coils = MultiCoilMRI(maps, frames, noise_model=ComplexGaussianNoise(0.1))
    lazily = MultiCoilMRI(
        da.from_array(maps, chunks=(1, 24, 20)), frames, noise_model=ComplexGaussianNoise(0.1)
    )
    expected = coils(x, seed=3)
    assert np.array_equal(np.any(expected, (1, 3)), frames[..., 0] != 0)
    for D in (distribute(coils, processes), distribute(lazily, processes)):
        np.testing.assert_array_equal(D(x, seed=3), expected)
        np.testing.assert_array_equal(D[1:3](x, seed=3), coils[1:3](x, seed=3))
        np.testing.assert_array_equal((D @ Blur(K))(x, seed=3), (coils @ Blur(K))(x, seed=3))
        doubled = (2 * D).with_noise(ComplexGaussianNoise(0.1))
        np.testing.assert_array_equal(doubled(x, seed=3)[expected == 0], 0)
        image = da.from_array(x, chunks=(2, 24, 20))
        with processes.client.as_current():
            np.testing.assert_array_equal(D(image, seed=3).compute(), expected)


def test_a_product_with_what_is_not_linear(threads):
    B, N = Pairs(np.ones((5, 24, 20)), noise_model=GaussianNoise(0.1)), PhaseRetrieval(Identity())
    D = distribute(B, threads)
    np.testing.assert_array_equal((D @ N)(X, seed=3), B(N(X), seed=3))
    with threads.client.as_current():
        lazy = (D @ N)(da.from_array(X, chunks=(1, 24, 20)), seed=3)
        np.testing.assert_array_equal(lazy.compute(), B(N(X), seed=3))


def test_a_factory(threads):
    def make(index):
        return Blur(K, noise_model=GaussianNoise(0.1 * (index + 1)) if index != 1 else None)

    D, plain = distribute(make, threads, num_operators=4), stack(*map(make, range(4)))
    same(D(X, seed=3), plain(X, seed=3))
    lazy = D(da.from_array(X, chunks=(1, 24, 20)), seed=3)
    with threads.client.as_current():
        same(lazy.compute(), plain(X, seed=3))
