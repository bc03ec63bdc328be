"""Coils on a cluster: the bits of the plain operator, maps in a Zarr store, and what 32 coils of a volume take."""

import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from cases import raises

from daskphys import optim
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import MemoryPlanError, ParameterError
from daskphys.physics import MRI, Blur, CoilMaps, ComplexGaussianNoise, MultiCoilMRI, gaussian_blur, stack
from daskphys.physics.mri import birdcage_maps, poisson_disc_mask

sys.path.append(str(Path(__file__).parents[2]))
from benchmarks.outofcore import MiB, limited, peak_memory

SIZES = (24, 20)
MAPS, MASK = birdcage_maps(5, SIZES), poisson_disc_mask(SIZES, 2, 6)
FRAMES = np.stack([poisson_disc_mask(SIZES, 2, 6, seed=s) for s in range(3)])
_rng = np.random.default_rng(0)
X = (_rng.standard_normal((2, 3, *SIZES)) + 1j * _rng.standard_normal((2, 3, *SIZES))).astype(np.complex64)


@pytest.mark.parametrize("mask", [MASK, FRAMES], ids=["one mask", "a mask a frame"])
@pytest.mark.parametrize("given", ["memory", "Dask"])
def test_the_bits_of_the_plain_operator(processes, mask, given):
    A = MultiCoilMRI(MAPS, mask)
    maps = MAPS if given == "memory" else da.from_array(MAPS, chunks=(2, *SIZES))
    D = distribute(MultiCoilMRI(maps, mask), processes)
    y = A(X)
    assert D.range_shape(X.shape) == y.shape
    np.testing.assert_array_equal(D(X), y)
    np.testing.assert_array_equal(D.A_adjoint(y), A.A_adjoint(y))
    np.testing.assert_array_equal(D.A_adjoint_A(X), A.A_adjoint_A(X))
    np.testing.assert_array_equal(D[1:4](X), y[:, :, 1:4])
    np.testing.assert_array_equal(optim.cg(D, y, rtol=1e-3), optim.cg(A, y, rtol=1e-3))
    lazy = da.from_array(X, chunks=(1, 3, *SIZES))
    with processes.client.as_current():
        made = D(lazy)
        np.testing.assert_array_equal(made.compute(), y)
        np.testing.assert_array_equal(D.A_adjoint(made).compute(), A.A_adjoint(y))
        np.testing.assert_array_equal(D.A_adjoint_A(lazy).compute(), A.A_adjoint_A(X))


def test_lazily_without_distribution():
    A = MultiCoilMRI(MAPS, FRAMES)
    lazy = da.from_array(X, chunks=(1, 3, *SIZES))
    y = A(lazy)
    assert y.chunks == ((1, 1), (3,), (1,) * 5, (24,), (20,))
    np.testing.assert_array_equal(y.compute(), A(X))
    np.testing.assert_array_equal(A.A_adjoint(y).compute(), A.A_adjoint(A(X)))


def test_noise_is_a_stream_a_coil(processes):
    """Although frames stand in front of the coils."""
    A = MultiCoilMRI(MAPS, FRAMES, noise_model=ComplexGaussianNoise(0.1, seed=1))
    y, clean = A(X), A.A(X)
    np.testing.assert_array_equal(distribute(A, processes)(X), y)
    noise = np.moveaxis(y - clean, 2, 0).reshape(5, -1)
    likeness = abs(np.corrcoef(noise)) - np.eye(5)
    assert likeness.max() < 0.1


def test_single_coils_merge(processes):
    A = stack(*map(MRI, FRAMES), Blur(gaussian_blur(1.0)), CoilMaps(MAPS[:1]))
    D = distribute(A, processes)
    x = X[0]
    for got, expected in zip(D(x), A(x), strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(D.A_adjoint(A(x)), A.A_adjoint(A(x)))
    np.testing.assert_array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
    assert D.normal(SIZES) == A.normal(SIZES)


def test_maps_that_are_not_loaded_yet_say_what_to_do():
    A = MultiCoilMRI(da.from_array(MAPS, chunks=(1, *SIZES)), MASK)
    assert A.range_shape(SIZES) == (5, *SIZES)
    assert len(A[1:3]) == 2
    assert repr(A).startswith("MultiCoilMRI(5 coils, 24×20")
    with raises(ParameterError, "MultiCoilMRI(5 coils", "in memory", "Dask", "distribute"):
        A(X)


def test_a_bad_map_in_a_store_names_the_coil(threads):
    broken = MAPS.copy()
    broken[3] = np.nan
    with raises(ParameterError, "sensor 3", "MultiCoilMRI", "finite maps"):
        distribute(MultiCoilMRI(da.from_array(broken, chunks=(1, *SIZES)), MASK), threads)


# -- large ones ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_coils_stream_from_a_zarr_store(tmp_path):
    """Maps and measurements in a store: workers read them, one coil a chunk, and the client has neither."""
    zarr = pytest.importorskip("zarr")
    coils, sizes = 24, (64, 128, 128)
    store = zarr.create_array(
        tmp_path / "maps.zarr", shape=(coils, *sizes), chunks=(1, *sizes), dtype="complex64"
    )
    for c in range(coils):
        store[c] = np.broadcast_to(np.exp(1j * c) * np.linspace(0.5, 1 + c / coils, sizes[-1]), sizes)
    one = 8 * MiB  # bytes of a map, an image, or a coil's measurement
    mask = np.broadcast_to(poisson_disc_mask(sizes[:2], 4, 16)[..., None], sizes)
    x = np.zeros(sizes, np.complex64)
    x[20:40, 40:90, 30:100] = 1 + 0.5j
    with limited(2, 4096 * MiB) as client, DistributedContext(client) as ctx:
        D = distribute(MultiCoilMRI(da.from_zarr(tmp_path / "maps.zarr"), mask, ndim=3), ctx)
        assert D.parts.holding.bytes_sent == 4 * mask.size  # the mask, once
        held = client.run(peak_memory)
        before = peak_memory()
        with client.as_current():
            y = D(da.from_array(x, chunks=sizes))
            da.to_zarr(y, tmp_path / "y.zarr")
            back = D.A_adjoint(da.from_zarr(tmp_path / "y.zarr")).compute()
        after = client.run(peak_memory)
        assert peak_memory() - before < coils * one / 3  # the client: images, and no coils
        for (
            worker,
            peak,
        ) in after.items():  # the measurements of a worker's coils are not there all at once twice
            assert peak - held[worker] < 2 * coils * one
    few = [0, 11, 23]
    A = MultiCoilMRI(np.stack([store[c] for c in few]), mask, ndim=3)
    kept = zarr.open_array(tmp_path / "y.zarr")
    np.testing.assert_array_equal(np.stack([kept[c] for c in few]), A(x))
    assert back.shape == sizes


@pytest.mark.slow
def test_32_coils_of_a_volume_are_refused_before_they_are_loaded(tmp_path):
    """With both numbers, where the workers have too little memory."""
    loaded = tmp_path / "loaded"

    def load(block_info=None):
        coil = block_info[None]["chunk-location"][0]
        with open(loaded, "a") as file:
            file.write(f"{coil}\n")
        return np.ones((1, 256, 256, 256), np.complex64)

    maps = da.map_blocks(
        load,
        chunks=((1,) * 32, (256,), (256,), (256,)),
        dtype=np.complex64,
        meta=np.empty((0,) * 4, np.complex64),
    )
    A = MultiCoilMRI(maps, np.ones((256, 256, 256), bool), ndim=3)
    assert A.range_shape((256, 256, 256)) == (32, 256, 256, 256)
    with (
        limited(2, 1024 * MiB) as client,
        DistributedContext(client) as ctx,
        raises(MemoryPlanError, "4.0 GiB"),
    ):
        distribute(A, ctx)
    assert set(loaded.read_text().split()) == {"0"}  # which tells the shapes


def test_32_coils_are_planned(threads):
    """Each worker has its coils, and as many FFTs."""
    sizes = (24, 32, 16)
    D = distribute(
        MultiCoilMRI(da.ones((32, *sizes), "complex64", chunks=(1, *sizes)), np.ones(sizes), ndim=3), threads
    )
    image = 8 * int(np.prod(sizes))
    there = D.plan(sizes, "A", dtype="complex64", calibrate=False)
    assert there.returned == 32 * image
    assert there.transforms == 32
    assert sorted(i for w in there.workers for a, b in w.sensors for i in range(a, b)) == list(range(32))
    back = D.plan(sizes, "A_adjoint", dtype="complex64", calibrate=False)
    assert (back.returned, back.transforms) == (image, 32)
    assert D.plan(sizes, "A_adjoint_A", dtype="complex64", calibrate=False).transforms == 64
