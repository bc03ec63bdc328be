"""Matrices on a cluster: workers hold groups of rows, which need not pass through the client."""

import dask.array as da
import numpy as np
import pytest
import scipy.sparse

from daskphys import optim
from daskphys.distributed import distribute
from daskphys.physics import MatrixOperator, matrix

_rng = np.random.default_rng(0)
TALL = _rng.standard_normal((70, 24)).astype(np.float32)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Of sixteen rows; worker processes have been told by what they are sent."""
    monkeypatch.setattr(matrix, "_PART", 16 * 24)


@pytest.mark.parametrize("given", ["dense", "complex", "sparse", "dask"])
def test_the_bits_of_the_plain_operator(processes, given):
    M = {"complex": TALL * (1 + 2j), "sparse": scipy.sparse.csr_array(TALL * (TALL > 0.5))}.get(given, TALL)
    A = MatrixOperator(M, (4, 6))
    chunked = da.from_array(TALL, chunks=(25, 10)) if given == "dask" else M
    D = distribute(MatrixOperator(chunked, (4, 6)), processes)
    start, stop = D.bounds[1]
    x = _rng.random((3, 4, 6), dtype=np.float32)
    y = A(x)
    np.testing.assert_array_equal(D(x), y)
    np.testing.assert_array_equal(D.A_adjoint(y), A.A_adjoint(y))
    np.testing.assert_array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
    np.testing.assert_array_equal(D[start:stop](x), y[:, start:stop])
    np.testing.assert_array_equal(optim.cg(D, y, rtol=1e-3), optim.cg(A, y, rtol=1e-3))
    with processes.client.as_current():
        lazy = da.from_array(x, chunks=(2, 4, 6))
        np.testing.assert_array_equal(D(lazy).compute(), y)
        np.testing.assert_array_equal(A(lazy).compute(), y)
    if given == "dask":
        assert D.parts.holding.bytes_sent == 0
