"""What bad Dask arrays get: an error before anything is computed."""

import dask.array as da
import numpy as np
import pytest
from interop.products import Mirror

from daskphys.distributed import distribute
from daskphys.distributed.physics import DistributedPhysics
from daskphys.errors import DtypeError, NotClosedFormError, ShapeError, UnsupportedArrayError
from daskphys.physics import Blur, stack


@pytest.fixture
def X(image):
    return da.from_array(image, chunks=((2, 2), 1, 12, 10))


@pytest.fixture(params=["plain", "distributed"])
def A(request, circular):
    return circular if request.param == "plain" else distribute(circular, request.getfixturevalue("threads"))


def test_spatial_chunks_of_what_is_not_local(A, X):
    """Blurs work on tiles (test_tiles.py), their inverse on pencils (test_pencils.py); a mirror on neither."""
    M = stack(*(B @ Mirror() for B in A.physics_list))
    if isinstance(A, DistributedPhysics):
        M = distribute(M, A.ctx)
    message = r"Physics\(3 sensors.* expected one chunk along the last 2 axes, got chunks .*: x\.rechunk\(\{axis: -1"
    if isinstance(A, DistributedPhysics):
        with pytest.raises(ShapeError, match=message):
            M(X.rechunk({2: 5}))
        with pytest.raises(ShapeError, match=message):
            M.A_adjoint_A(X.rechunk({3: 5}))
    with pytest.raises(ShapeError, match=r"Mirror\(.*expected one chunk along the last 1 axes.*rechunk"):
        Mirror()(X.rechunk({3: 5}))
    y = list(M(X))
    with pytest.raises(ShapeError, match=r"expected one chunk along the last . axes.*rechunk"):
        M.A_adjoint([*y[:2], y[2].rechunk({3: 4})])
    # The mend that the message names:
    assert M(X.rechunk({2: 5}).rechunk(dict.fromkeys(range(-2, 0), -1)))[0].shape == X.shape


def test_channels_are_whole_where_one_sensor_needs_them(X):
    A = stack(Blur(np.ones((2, 2))), Blur(np.ones((3, 2, 2))))
    with pytest.raises(ShapeError, match=r"one chunk along its channels.*range\(-3, -2\)"):
        A(X)
    with pytest.raises(ShapeError, match=r"one chunk along its channels.*range\(-3, -2\)"):
        A(X.rechunk({2: 6}))
    y = A(X.rechunk({1: 3}))
    for index in (0, 1):
        wrong = [a.rechunk({1: 1}) if i == index else a for i, a in enumerate(y)]
        with pytest.raises(ShapeError, match=r"one chunk along its channels.*range\(-3, -2\)"):
            A.A_adjoint(wrong)


def test_wrong_dtype(A, X):
    with pytest.raises(
        DtypeError, match=r"3 sensors.*got int64: cast it first, as in x\.astype\(np\.float32\)"
    ):
        A(X.astype(int))
    with pytest.raises(DtypeError, match="got float16"):
        A.A_adjoint([X.astype("float16")] * 3)


def test_unknown_chunk_sizes(A, X):
    message = (
        r"3 sensors.* expected Dask arrays of known shape, got \(nan, 3, 12, 10\).*compute_chunk_sizes\(\)"
    )
    unknown = X[da.ones(4, chunks=2) > 0]
    with pytest.raises(ShapeError, match=message):
        A(unknown)
    with pytest.raises(ShapeError, match=message):
        A.A_adjoint([unknown, X, X])


def test_wrong_shapes_and_counts(A, X):
    with pytest.raises(ShapeError, match="image of at least 3×4"):
        A(X[..., :2])
    with pytest.raises(ShapeError, match="2 or more axes"):
        A(X[0, 0, 0])
    with pytest.raises(ShapeError, match="measurements of 3 sensors, got 2"):
        A.A_adjoint(A(X)[:2])
    with pytest.raises(ShapeError, match="measurements of 3 sensors"):
        A.A_adjoint(X)
    with pytest.raises(ShapeError, match="belongs to an image of"):
        A.A_adjoint([X, X, X[:2]])
    with pytest.raises(ShapeError, match="positive integers"):
        A(X[:0])


def test_kinds_are_not_mixed(A, image, X):
    with pytest.raises(UnsupportedArrayError, match=r"one kind of array, got dask\.array.*numpy\.ndarray"):
        A.A_adjoint([X, image, X])


def test_chunks_that_are_no_arrays_of_the_core(A, X):
    masked = da.ma.masked_array(X, X > 0.5)
    with pytest.raises(
        UnsupportedArrayError, match=r"3 sensors.* chunks of NumPy or CuPy, got .*MaskedArray"
    ):
        A(masked)
    with pytest.raises(UnsupportedArrayError, match=r"chunks of NumPy or CuPy"):
        A.A_adjoint([X, X, masked])


def test_a_dask_array_as_a_parameter(X):
    with pytest.raises(
        UnsupportedArrayError, match=r"array in memory, got a Dask array: compute it first.*factory"
    ):
        Blur(X[0, 0])


def test_what_iterates_over_workers_has_no_lazy_form(mixed, X, threads):
    D = distribute(mixed, threads)
    for A in (D, 2 * D, D @ Blur([[1.0]]), D + D):
        with pytest.raises(NotClosedFormError, match=r"no lazy form: .*A_dagger\(y\.compute\(\)\)"):
            A.A_dagger(A(X))


@pytest.mark.parametrize("method", ["client", "workers"])
def test_a_merged_product_of_what_does_not_merge(method, mixed, image, threads):
    """It is refused as it is in memory, and not taken by the tree unasked; with chunks of the image's axes too."""
    D = distribute(mixed, threads)
    for x in (image, da.from_array(image, chunks=(1, 3, -1, -1)), da.from_array(image, chunks=(4, 3, 6, 10))):
        with pytest.raises(NotClosedFormError, match="AᴴA"):
            D.A_adjoint_A(x, method=method)
