"""A mosaic four times as large as the memory that a worker has for it, from store to store."""

import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from daskphys.physics import Blur, gaussian_blur, stack

sys.path.append(str(Path(__file__).parents[2]))  # the repository: what workers unpickle is importable there
from benchmarks.outofcore import MiB, Npy, limited, make_mosaic, peak_memory, run

pytestmark = pytest.mark.slow

SIDE, TILE, OWN = 8192, 512, 64 * MiB  # of each of two workers, beside what Python and its libraries take


def warm_up(A, side):
    """What a worker loads and keeps before it holds anything of the mosaic: libraries, plans, spectra."""
    A.A_adjoint_A(da.ones((3 * side, 3 * side), chunks=side, dtype="float32")).sum().compute(scheduler="sync")
    return peak_memory()


def test_a_mosaic_larger_than_the_workers(tmp_path):
    A = stack(Blur(gaussian_blur(1.0), "reflect"))
    mosaic = make_mosaic(tmp_path / "x.npy", SIDE, TILE)
    assert mosaic.dtype.itemsize * SIDE**2 >= 4 * OWN
    with limited(1, 2048 * MiB) as client:
        idle = client.submit(warm_up, A, 64).result()
    x = da.from_array(mosaic, chunks=TILE)
    with limited(2, idle + OWN, spill=False) as client:
        for name, make in {
            "y": lambda: A(x)[0],
            "b": lambda: A.A_adjoint([da.from_array(Npy(str(tmp_path / "y.npy")), chunks=TILE)]),
            "n": lambda: A.A_adjoint_A(x),
        }.items():
            _, peak = run(client, make(), Npy.create(tmp_path / f"{name}.npy", (SIDE, SIDE)))
            assert peak < idle + OWN
    at = np.s_[TILE - 60 : TILE + 70, SIDE - TILE - 90 :]  # across tiles and at a border
    wide = mosaic[: TILE + 150, SIDE - TILE - 200 :]
    for name, expected in {"y": A(wide)[0], "b": A.A_adjoint_A(wide), "n": A.A_adjoint_A(wide)}.items():
        got = Npy(str(tmp_path / f"{name}.npy"))[at]
        np.testing.assert_allclose(got, expected[TILE - 60 : TILE + 70, 110:], rtol=1e-5)
