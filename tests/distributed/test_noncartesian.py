"""Non-Cartesian MRI on a cluster, coil by coil: the bits of the plain operator, lazily, and maps that workers load."""

import dask.array as da
import numpy as np
import pytest

from daskphys import optim
from daskphys.distributed import distribute
from daskphys.physics import NUFFT, NonCartesianMRI, stack
from daskphys.physics.mri import radial, radial_density

_rng = np.random.default_rng(0)
MAPS = _rng.standard_normal((5, 12, 14)) + 1j * _rng.standard_normal((5, 12, 14))
K = radial(20, 28)
A = NonCartesianMRI(K, MAPS, weights=radial_density(K, (12, 14)))


@pytest.mark.parametrize("given", ["memory", "Dask"])
def test_the_bits_of_the_plain_operator(given, processes):
    maps = MAPS if given == "memory" else da.from_array(MAPS, chunks=(2, 12, 14))
    D = distribute(NonCartesianMRI(A.trajectory, maps), processes)
    x = _rng.standard_normal((2, 12, 14)).astype(np.complex64)
    y = A(x)
    np.testing.assert_array_equal(D(x), y)
    np.testing.assert_array_equal(D.A_adjoint(y), A.A_adjoint(y))
    np.testing.assert_array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
    np.testing.assert_array_equal(optim.cg(D, y, rtol=1e-4), optim.cg(A, y, rtol=1e-4))
    lazy = da.from_array(x, chunks=(1, 12, 14))
    with processes.client.as_current():
        np.testing.assert_array_equal(D.A_adjoint(D(lazy)).compute(), A.A_adjoint(y))
    plan = D.plan(x, "A_adjoint", dtype="complex64", calibrate=False)
    assert plan.returned == x.nbytes


def test_spokes_as_sensors_merge_into_one_toeplitz_operator(processes):
    """Without coils: each sensor has some of the spokes."""
    S = stack(*[NUFFT(K[i::4], (12, 14)) for i in range(4)])
    D = distribute(S, processes)
    x = _rng.standard_normal((12, 14))
    for got, expected in zip(D(x), S(x), strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(D.A_adjoint_A(x), S.A_adjoint_A(x))
    np.testing.assert_allclose(D.A_adjoint_A(x), NUFFT(K, (12, 14)).A_adjoint_A(x), atol=1e-12)
