"""Parameters of factories as arrays along the sensor axis: loaded on workers, made again when one is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from cases import raises

from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import ParameterError, SensorError, ShapeError
from daskphys.physics import Blur, LinearPhysics, Measurements, StackedPhysics, stack

N = 13


@pytest.fixture(scope="module")
def kernels() -> np.ndarray:
    return np.random.default_rng(5).random((N, 5, 3))


def blur(index: int, kernel: np.ndarray) -> Blur:
    return Blur(kernel)


def weighted(index: int, kernel: np.ndarray, weight: np.ndarray) -> LinearPhysics:
    result: LinearPhysics = float(weight) * Blur(kernel)
    return result


@pytest.fixture(scope="module")
def plain(kernels: np.ndarray) -> StackedPhysics:
    return stack(*[Blur(k) for k in kernels])


class Recorded:
    """Chunks of an array that note, in a folder, which process made them."""

    def __init__(self, array: np.ndarray, folder: Path, chunks: int) -> None:
        self.folder = folder
        np.save(folder / "array.npy", array)
        self.array = da.map_blocks(
            load,
            str(folder),
            array.shape[1:],
            chunks=((chunks,) * (N // chunks) + (N % chunks,) * (N % chunks > 0), (5,), (3,)),
            dtype=float,
            meta=np.empty((0, 0, 0)),
        )

    def makers(self) -> set[int]:
        return {int(p.name.split("-")[0]) for p in self.folder.glob("*-chunk")}


def load(folder: str, _: Any, block_info: Any = None) -> np.ndarray:
    (start, stop), *_rest = block_info[None]["array-location"]
    Path(folder, f"{os.getpid()}-{start}-chunk").touch()
    return np.array(np.load(Path(folder, "array.npy"), mmap_mode="r")[start:stop])


def same(found: Any, expected: Any) -> None:
    for a, b in zip(
        *(list(r) if isinstance(r, Measurements) else [r] for r in (found, expected)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("chunks", [1, 3, N])
@pytest.mark.parametrize("cut", ["auto", 4])
def test_chunks_are_loaded_on_workers_alone(
    processes: DistributedContext,
    kernels: np.ndarray,
    plain: StackedPhysics,
    image: np.ndarray,
    tmp_path: Path,
    chunks: int,
    cut: Any,
) -> None:
    recorded = Recorded(kernels, tmp_path, chunks)
    D = distribute(blur, processes, parameters=recorded.array, chunks=cut)
    assert len(D) == N
    assert D.holding.bytes_sent == 0
    y = plain(image)
    same(D(image), y)
    same(D.A_adjoint(y), plain.A_adjoint(y))
    same(D.A_adjoint_A(image), plain.A_adjoint_A(image))
    assert D[3] == plain[3]
    workers = set(processes.client.run(os.getpid).values())
    assert os.getpid() not in recorded.makers()
    assert recorded.makers() <= workers
    assert D.nbytes == plain.nbytes


def test_each_chunk_is_made_where_its_block_lives(
    processes: DistributedContext, kernels: np.ndarray, tmp_path: Path
) -> None:
    recorded = Recorded(kernels[:, :, :], tmp_path, 1)
    D = distribute(blur, processes, parameters=recorded.array)
    pids = {
        name: processes.client.run(os.getpid, workers=[w.address])[w.address]
        for name, w in processes.workers().items()
    }
    for name, sensors in D.placement.items():
        for sensor in sensors[1:]:  # sensor 0's operator was made once before, for the client
            assert (tmp_path / f"{pids[name]}-{sensor}-chunk").exists()


def test_several_arrays_in_memory_and_lazy(
    threads: DistributedContext, kernels: np.ndarray, image: np.ndarray
) -> None:
    weights = np.linspace(1, 2, N)
    plain = stack(*[weighted(i, kernels[i], weights[i]) for i in range(N)])
    y = plain(image)
    lazy = da.from_array(kernels, chunks=(4, 5, 3))
    for given in (
        (lazy, weights),
        (kernels, weights),
        (lazy, da.from_array(weights, chunks=5)),
        (lazy.persist(), weights),
    ):
        D = distribute(weighted, threads, parameters=given, num_operators=N)
        same(D.A_adjoint(y), plain.A_adjoint(y))
    assert (
        distribute(weighted, threads, parameters=(kernels, weights)).holding.bytes_sent
        == kernels.nbytes + weights.nbytes
    )


def test_algebra_and_slices(
    threads: DistributedContext, kernels: np.ndarray, plain: StackedPhysics, image: np.ndarray
) -> None:
    D = distribute(blur, threads, parameters=da.from_array(kernels, chunks=(4, 5, 3)))
    same((2 * D)(image), (2 * plain)(image))
    same((D + plain)(image), (plain + plain)(image))
    same((plain_distributed := distribute(plain, threads) + D)(image), (plain + plain)(image))
    assert len(plain_distributed) == N
    same(D[2:9:3](image), plain[2:9:3](image))
    same(D[::-1](image), plain[::-1](image))
    assert distribute(blur, threads, parameters=da.from_array(kernels, chunks=(4, 5, 3))) == D


@pytest.mark.slow
def test_a_killed_workers_chunks_are_loaded_again(
    kernels: np.ndarray, plain: StackedPhysics, image: np.ndarray, tmp_path: Path
) -> None:
    recorded = Recorded(kernels, tmp_path, 2)
    y = plain(image)
    with DistributedContext(n_workers=2, processes=True) as ctx:
        D = distribute(blur, ctx, parameters=recorded.array)
        same(D(image), y)
        victim = next(iter(ctx.client.run(os.getpid).values()))
        for made in tmp_path.glob("*-chunk"):
            made.unlink()
        os.kill(victim, signal.SIGKILL)
        same(D(image), y)
        same(D.A_adjoint(y), plain.A_adjoint(y))
        assert recorded.makers()
        assert not recorded.makers() & {os.getpid(), victim}


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ("kernels.zarr", ParameterError, r"parameters\[0\].*Dask or NumPy.*str"),
        (np.float64(3.0) * np.ones(()), ShapeError, r"parameters\[0\].*sensor axis in front"),
        ((np.ones((4, 3)), np.ones((5, 3))), ShapeError, "first axes of 4, 5"),
        ((), ParameterError, "got none"),
        (np.ones((0, 3, 3)), ShapeError, "one at least"),
        (np.ones((4, 3, 3)), ParameterError, "parameters of 4 sensors and num_operators=6"),
        (da.ones((6, 3))[da.ones(6, chunks=6) > 0], ShapeError, "compute_chunk_sizes"),
    ],
)
def test_bad_parameters(
    threads: DistributedContext, parameters: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        distribute(blur, threads, parameters=parameters, num_operators=6)


def test_parameters_need_a_factory(
    threads: DistributedContext, plain: StackedPhysics, kernels: np.ndarray
) -> None:
    for what in (plain, [plain[0]], plain[0], 42):
        with pytest.raises(ParameterError, match="a factory beside parameters"):
            distribute(what, threads, parameters=kernels)


def test_a_factory_that_fails_names_the_sensor(threads: DistributedContext, kernels: np.ndarray) -> None:
    broken = kernels.copy()
    broken[7] = np.nan
    with pytest.raises(ParameterError, match=r"sensor 7: .*NaN"):
        distribute(blur, threads, parameters=da.from_array(broken, chunks=(4, 5, 3)), chunks=4)
    with pytest.raises(SensorError, match=r"sensor 0: .*expected to return an operator, got"):
        distribute(lambda index, kernel: kernel, threads, parameters=da.from_array(kernels))


def test_a_dask_array_that_lies_about_its_chunks(threads: DistributedContext, kernels: np.ndarray) -> None:
    liar = da.from_array(kernels, chunks=(4, 5, 3)).map_blocks(
        lambda k: k[:-1], chunks=((4, 4, 4, 1), (5,), (3,))
    )
    with pytest.raises(ParameterError, match=r"parameters\[0\].*entries"):
        distribute(blur, threads, parameters=liar, chunks=4)


def test_a_factory_that_takes_other_parameters(threads):
    kernels = [np.ones((5, 5))] * 3  # a list is three parameters of five sensors, and not one of three
    with raises(ParameterError, "takes 3 parameters", "np.stack"):
        distribute(lambda index, kernel: Blur(kernel), threads, parameters=kernels)
