"""What is read, computed and sent when operators and measurements are lazy."""

import dask.array as da
import numpy as np
import pytest

import daskphys
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import StorageError
from daskphys.physics import Blur, Diagonal, Downsampling, Measurements, Shift, stack
from daskphys.physics.noise import GaussianNoise

zarr = pytest.importorskip("zarr")


@pytest.fixture
def reads(monkeypatch):
    """Each part of an array that is read."""
    read = []
    get = zarr.Array.__getitem__
    monkeypatch.setattr(zarr.Array, "__getitem__", lambda self, index: read.append(index) or get(self, index))
    return read


def test_unlike_sensors_are_distributed_lazily(tmp_path, rng):
    """Sensors with the same arrays may measure other shapes: their texts and whole numbers say so."""
    k = rng.random((5, 5, 5))
    A = stack(
        Blur(k[0]), Blur(k[1], "valid"), Blur(k[2], "valid"), Downsampling(k[3], factor=2), Blur(k[4, :3])
    )
    A.to_zarr(tmp_path / "A.zarr")
    lazy = daskphys.open_physics(tmp_path / "A.zarr", lazy=True)
    x = rng.random((16, 12))
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(lazy, ctx)
        for cut in (slice(None), slice(1, None), slice(None, None, -1), slice(1, 4, 2)):
            assert D[cut].range_shape(x.shape) == A[cut].range_shape(x.shape)
            y = D[cut](x)
            assert np.array_equal(D[cut].A_adjoint(y), A[cut].A_adjoint(A[cut](x)))


def test_noise_of_its_own_does_not_make_a_sensor_unlike(tmp_path):
    A = stack(*[Shift((0.1 * i, 1.0)).with_noise(GaussianNoise(0.1, seed=i)) for i in range(5)])
    A.to_zarr(tmp_path / "A.zarr")
    lazy = daskphys.open_physics(tmp_path / "A.zarr", lazy=True)
    assert len(lazy.sensors.kinds) == 1
    assert list(lazy) == list(A)


def test_each_chunk_of_sensors_is_read_once(tmp_path, reads, rng):
    kernels, masks = rng.random((400, 3, 3)), rng.random((400, 32, 32))
    A = stack(*[Diagonal(m) @ Blur(k) for k, m in zip(kernels, masks, strict=True)])
    A.to_zarr(tmp_path / "A.zarr")
    lazy = daskphys.open_physics(tmp_path / "A.zarr", lazy=True)
    assert list(lazy) == list(A)
    arrays = zarr.open_group(tmp_path / "A.zarr")["arrays"]
    assert len(reads) == sum(array.nchunks for _, array in arrays.arrays()) == 1 + 4


def test_a_distributed_operator_comes_to_the_client_block_by_block(tmp_path, monkeypatch, rng):
    kernels = rng.random((12, 3, 3))
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(
            lambda _, kernel: Blur(kernel), ctx, parameters=da.from_array(kernels, chunks=3), chunks=5
        )
        gathered = []
        gather = ctx.client.gather
        with monkeypatch.context() as patched:
            patched.setattr(ctx.client, "gather", lambda what: gathered.append(gather(what)) or gathered[-1])
            patched.setattr(ctx.client, "get", None)
            D.to_zarr(tmp_path / "D.zarr")
    assert list(map(len, gathered)) == [5, 5, 2]
    assert daskphys.open_physics(tmp_path / "D.zarr") == stack(*map(Blur, kernels))


def test_what_measurements_have_in_common_is_computed_once(tmp_path):
    calls = []

    def source(block):
        calls.append(block.shape)
        return block + 1

    x = da.zeros((6, 32, 32), chunks=(4, 32, 32)).map_blocks(source, dtype=float, meta=np.empty((0, 0, 0)))
    A = stack(*[Blur(np.full((3, 3), i + 1.0)) for i in range(4)])
    A(x).to_zarr(tmp_path / "y.zarr")
    assert sorted(calls) == [(2, 32, 32), (4, 32, 32)]
    made = daskphys.open_measurements(tmp_path / "y.zarr", lazy=True)
    assert zarr.open_group(tmp_path / "y.zarr")["arrays/3"].chunks == (4, 32, 32)
    assert all(np.array_equal(a.compute(), b) for a, b in zip(made, A(np.ones((6, 32, 32))), strict=True))


@pytest.mark.parametrize("store", [{}, "memory://test_lazy"])
def test_lazy_measurements_in_a_store_of_this_process(store):
    y = Measurements([da.arange(10, chunks=(3, 4, 3)), da.zeros((0, 2)), da.asarray(3.0)])
    y.to_zarr(store)
    made = daskphys.open_measurements(store)
    assert all(np.array_equal(a, b.compute()) for a, b in zip(made, y, strict=True))


def test_chunks_that_did_not_arrive_are_noticed(tmp_path, monkeypatch):
    """As of workers on other machines, whose folder of that name is another."""
    monkeypatch.setattr("dask.array.store", lambda *_, **__: None)
    with pytest.raises(StorageError, match="0 of 3 chunks"):
        Measurements([da.ones(9, chunks=3)]).to_zarr(tmp_path / "y.zarr")
    assert not list(tmp_path.iterdir())
