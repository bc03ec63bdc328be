"""What bad images and measurements get: the package's own errors, with operator, expected, got and mend."""

import array_api_strict
import numpy as np
import pytest
from cases import PADDINGS, raises

from daskphys.errors import (
    DtypeError,
    ShapeError,
    UnsupportedArrayError,
)
from daskphys.physics import Blur, Measurements, stack

K = np.arange(12.0).reshape(3, 4)
A = Blur(K)


# -- images -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("shape", [(2, 9), (9, 3), (5, 1, 1)])
def test_image_smaller_than_the_kernel(padding, shape):
    B = Blur(K, padding)
    with raises(ShapeError, repr(B), "at least 3×4", "got {}×{}".format(*shape[-2:])):
        B(np.ones(shape))


@pytest.mark.parametrize("padding", PADDINGS)
def test_image_of_wrong_rank(padding):
    B = Blur(K, padding)
    for x in (np.ones(9), np.ones(())):
        with raises(ShapeError, repr(B), "2 or more axes", f"got shape {x.shape}", "x[None]"):
            B(x)


@pytest.mark.parametrize("padding", PADDINGS)
def test_image_with_other_channels(padding):
    B = Blur(np.ones((3, 2, 2)), padding)
    for shape in ((1, 8, 9), (2, 8, 9), (3, 4, 8, 9)):
        with raises(ShapeError, repr(B), "leading axis of 3 (axis -3)", f"got shape {shape}", "ndim=3"):
            B(np.ones(shape))


def test_image_without_channels():
    B = Blur(np.ones((3, 2, 2)))
    with raises(ShapeError, repr(B), "3 or more axes", "got shape (8, 9)") as caught:
        B(np.ones((8, 9)))
    assert "depth" not in str(caught.value)  # its axes are channel, height and width


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float16", "object", "U3"])
def test_image_of_wrong_dtype(dtype):
    for operator in (A, Blur(K, "valid"), stack(A, A), 2 * A):
        with raises(DtypeError, "expected a dtype among float32", "got", "astype"):
            operator(np.ones((8, 9)).astype(dtype))
    with raises(TypeError, repr(A)):
        A(np.ones((8, 9)).astype(dtype))


@pytest.mark.parametrize("x", ["image", None, 3.0, {"x": 1}, {1.0}])
def test_what_is_no_array(x):
    with raises(UnsupportedArrayError, repr(A), "expected an array", "np.asarray"):
        A(x)


def test_lists_are_not_arrays():
    with raises(UnsupportedArrayError, repr(A), "expected an array, got list"):
        A([[1.0, 2.0]])
    with raises(ShapeError, repr(A), "expected one array, got list"):
        A([np.ones((8, 9))])


def test_empty_images_and_bad_shapes():
    with raises(ShapeError, repr(A), "positive integers"):
        A(np.ones((0, 8, 9)))
    for shape in ((8, -9), (8, 9.5), ("a", 8), (8, None)):
        with raises(ShapeError, repr(A), "positive integers"):
            A.compute_norm(shape)


# -- measurements -----------------------------------------------------------------------------------------------

S = stack(A, Blur(K, "valid"))
Y = S(np.ones((8, 9)))


def test_measurements_of_wrong_count():
    for y in ([Y[0]], [*Y, Y[1]], Measurements([]), []):
        with raises(ShapeError, "measurements of 2 sensors", f"got {len(y)}"):
            S.A_adjoint(y)


def test_one_array_for_a_stack():
    with raises(ShapeError, "measurements of 2 sensors", "got one numpy.ndarray of shape (8, 9)"):
        S.A_adjoint(Y[0])
    with raises(ShapeError, repr(A), "expected one array, got daskphys"):
        A.A_adjoint(Y)


def test_measurements_of_another_image():
    with raises(ShapeError, "sensor 0", "(8, 9)", "sensor 1", "(10, 12)"):
        S.A_adjoint([Y[0], np.ones((8, 9))])
    with raises(ShapeError, "sensor 0", "at least 3×4"):
        S.A_adjoint([np.ones((2, 2)), Y[1]])


def test_measurements_of_wrong_dtype():
    with raises(DtypeError, "expected a dtype among float32", "got int64"):
        S.A_adjoint([Y[0], Y[1].astype(np.int64)])
    with raises(DtypeError, "one precision", "float32, float64", "astype"):
        S.A_adjoint([Y[0].astype(np.float32), Y[1]])


@pytest.mark.parametrize("method", ["A_adjoint", "A_A_adjoint", "A_dagger"])
def test_measurements_of_several_kinds(method):
    torch = pytest.importorskip("torch")
    for other in (torch.ones(6, 6), "image"):
        with raises(UnsupportedArrayError, "one kind of array"):
            getattr(S, method)([Y[0], other])


@pytest.mark.parametrize("method", ["A_adjoint", "A_A_adjoint", "A_dagger"])
def test_measurements_of_several_kinds_of_the_core(method):
    with raises(UnsupportedArrayError, "one kind of array"):
        getattr(S, method)([Y[0], array_api_strict.asarray(Y[1])])


def test_nothing_in_measurements():
    with raises(UnsupportedArrayError, "expected an array"):
        S.A_adjoint([None, None])


def test_vjp_needs_a_measurement_of_the_same_image():
    with raises(ShapeError, repr(A), "(8, 9)", "(7, 9)"):
        A.A_vjp(np.ones((8, 9)), np.ones((7, 9)))


def test_channels_that_come_last_are_told_where_they_go():
    with raises(ShapeError, "Blur", "517×3", "np.moveaxis(x, -1, 0)"):
        Blur(np.ones((9, 9)))(np.ones((333, 517, 3)))
    with raises(ShapeError, "Blur", "5×5", "larger image"):
        Blur(np.ones((9, 9)))(np.ones((5, 5)))
