"""Families of operators on a cluster: the bits of the plain ones, and lazily."""

import dask.array as da
import numpy as np
import pytest
from cases import raises

from daskphys.distributed import distribute
from daskphys.errors import ParameterError
from daskphys.physics import (
    Blur,
    Crop,
    Downsampling,
    Inpainting,
    Interferometry,
    Shift,
    SpaceVaryingBlur,
    Tomography,
    disk_blur,
    motion_blur,
    pansharpening,
    stack,
)

_rng = np.random.default_rng(0)
STACKS = {
    "super-resolution": stack(*[Downsampling("bicubic", 2) @ Blur(motion_blur(3.0, a)) for a in (0, 45, 90)]),
    "masks and a crop": stack(
        *[Inpainting(m) for m in _rng.random((3, 24, 20)) > 0.5], Crop((2, 3), (20, 9), (24, 20))
    ),
    "fields": stack(
        *[SpaceVaryingBlur.from_grid(_rng.random((2, 2, 3, 3)), (24, 20), p) for p in ("reflect", "valid")]
    ),
    "frames": stack(
        *[Downsampling("bilinear", 2) @ Blur(motion_blur(3.0, a)) @ Shift((a / 7, -a / 9)) for a in range(9)],
        Blur(disk_blur(1.5)),
        Shift((1, 2), "reflect"),
    ),
    "visibilities of two nights": stack(
        *[Interferometry(_rng.uniform(-200, 200, (50, 3)), 1e-3, (24, 20), eps=1e-6) for _ in range(2)]
    ),
    "visibilities": Interferometry(_rng.uniform(-200, 200, (40_000, 3)), 1e-3, (24, 20), wterm=False),
    "pan-sharpening": stack(
        *pansharpening([0.5, 0.3, 0.2], 2), Blur(disk_blur(1.5)), Shift((0.5, 0.25)), Shift((1, 2))
    ),
    "tomography": Tomography(_rng.uniform(0, 180, 37), (24, 20)),
    "tomography with a fan beam, after a blur": Tomography(
        _rng.uniform(0, 360, 21), (24, 20), geometry="fanbeam", source_distance=30.0, detector_distance=9.0
    )
    @ Blur(disk_blur(1.5)),
}


@pytest.mark.parametrize("name", STACKS)
def test_the_bits_of_the_plain_operator(processes, name):
    A = STACKS[name]
    D = distribute(A, processes)
    x = _rng.random((3, 24, 20), dtype=np.float32)
    y = A(x)
    for got, expected in zip(D(x), y, strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(D.A_adjoint(y), A.A_adjoint(y))
    np.testing.assert_array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
    lazy = da.from_array(np.stack([x, 2 * x]), chunks=(1, 3, 24, 20))
    np.testing.assert_array_equal(D.A_adjoint(D(lazy)).compute(), A.A_adjoint(A(np.stack([x, 2 * x]))))
    plan = D.plan(x, "A_adjoint", calibrate=False)
    assert plan.returned == x.nbytes


def test_visibilities_whose_coordinates_the_client_does_not_hold(processes, rng):
    uvw, weights = rng.uniform(-200, 200, (40_000, 3)), rng.random(40_000)
    A = Interferometry(uvw, 1e-3, (24, 20), weights=weights)
    lazy = Interferometry(
        da.from_array(uvw, chunks=(7_000, 3)), 1e-3, (24, 20), weights=da.from_array(weights, chunks=9_000)
    )
    with raises(ParameterError, "Interferometry(20000 rows", "expected uvw in memory", "distribute(A, ctx)"):
        lazy(np.ones((24, 20)))
    D = distribute(lazy, processes)
    x = rng.random((24, 20))
    y = A(x)
    np.testing.assert_array_equal(D(x), y)
    np.testing.assert_array_equal(D.A_adjoint(y), A.A_adjoint(y))


@pytest.mark.parametrize("held", [True, False])
def test_visibilities_of_which_a_whole_run_is_flagged(threads, rng, held):
    uvw, weights = rng.uniform(-200, 200, (40_000, 3)), np.repeat([0.0, 1.0], 20_000)
    A = Interferometry(uvw, 1e-3, (24, 20), weights=weights)
    given = weights if held else da.from_array(weights, chunks=9_000)
    D = distribute(
        Interferometry(da.from_array(uvw, chunks=(7_000, 3)), 1e-3, (24, 20), weights=given), threads
    )
    x = rng.random((24, 20))
    y = A(x)
    assert not y[:20_000].any()
    np.testing.assert_array_equal(D(x), y)
    np.testing.assert_array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
    wrong = Interferometry(da.from_array(uvw), 1e-3, (24, 20), weights=-weights[::-1] + da.zeros(40_000))
    with raises(ParameterError, "weights that are not negative", "-1"):
        distribute(wrong, threads)(x)
