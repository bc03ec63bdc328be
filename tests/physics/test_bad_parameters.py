"""What bad parameters and combinations get: the package's own errors, with expected, got and mend."""

import sys

import numpy as np
import pytest
from cases import raises

from daskphys.errors import (
    DaskphysError,
    DeviceError,
    DtypeError,
    MissingDependencyError,
    ParameterError,
    SensorError,
    ShapeError,
    UnknownKeywordError,
)
from daskphys.physics import Blur, FourierMultiplier, LinearPhysics, gaussian_blur, stack, value
from daskphys.physics.normal import Diagonal, Identity

K = np.arange(12.0).reshape(3, 4)
A = Blur(K)
S = stack(A, Blur(K, "valid"))


# -- filters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (5,), (1, 1, 1, 3, 3, 3)])
def test_filter_of_wrong_rank(shape):
    with raises(ShapeError, "Blur expected a filter of shape", f"got shape {shape}"):
        Blur(np.ones(shape))


def test_filter_that_needs_another_ndim():
    with raises(ShapeError, "(d, h, w)", "got shape (3, 3)", "ndim="):
        Blur(np.ones((3, 3)), ndim=3)
    for ndim in (0, 4, "2", 1.5):
        with raises(ParameterError, "ndim", repr(ndim)):
            Blur(K, ndim=ndim)


def test_filter_without_entries():
    with raises(ShapeError, "got shape (0, 3)"):
        Blur(np.ones((0, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_filter_that_is_not_finite(bad):
    kernel = K.copy()
    kernel[1, 2] = bad
    with raises(ParameterError, "Blur expected finite entries", "NaN or infinity"):
        Blur(kernel)


def test_filter_of_wrong_dtype():
    with raises(ParameterError, "real filter", "complex"):
        Blur(K * 1j)
    for bad in (K.astype(object), np.full((2, 2), "a"), None, [[None]]):
        with raises(DtypeError, "Blur", "filter"):
            Blur(bad)


def test_filter_of_ragged_rows():
    with raises(DaskphysError, "Blur", "filter"):
        Blur([[1.0, 2.0], [3.0]])


def test_unknown_padding():
    with raises(
        ParameterError, "unknown padding 'circlar'", "did you mean 'circular'?", "'reflect'", "'valid'"
    ):
        Blur(K, padding="circlar")
    with raises(ParameterError, "unknown padding None"):
        Blur(K, padding=None)


def test_unknown_keyword():
    with raises(UnknownKeywordError, "Blur() has no keyword 'paddin'", "did you mean 'padding'?"):
        Blur(filter=K, paddin="valid")
    with raises(UnknownKeywordError, "no keyword 'boundary'", "'filter', 'ndim', 'noise_model', 'padding'"):
        Blur(K, boundary="valid")


def test_device():
    assert Blur(K, device="cpu") == Blur(K, device=None) == A == A.to("cpu")
    assert A.to("cpu") is A
    for bad in ("tpu", "cuda:x", 3.5):
        with raises(DeviceError, "device", str(bad)):
            Blur(K, device=bad)
        with raises(DeviceError, "device", str(bad)):
            A.to(bad)


def test_cuda_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # an import of it fails
    for ask in (
        lambda: Blur(K, device="cuda"),
        lambda: A.to("cuda:1"),
        lambda: gaussian_blur(1.0, device="cuda"),
    ):
        with raises(MissingDependencyError, "cuda:", "pip install 'daskphys[cuda13]'"):
            ask()


# -- stacks and algebra -----------------------------------------------------------------------------------------


def test_empty_stack():
    for make in (stack, lambda: S[1:1]):
        with raises(ParameterError, "stack() expected at least one operator, got none"):
            make()


def test_what_is_no_operator():
    with raises(ParameterError, "stack() expected operators, got list", "stack(*operators)"):
        stack([A, A])
    with raises(ParameterError, "position 1"):
        stack(A, K)
    for combine in (
        lambda: A + 1,
        lambda: A - K,
        lambda: A * A,
        lambda: A * "2",
        lambda: A / A,
        lambda: K * A,
    ):
        with pytest.raises(TypeError):
            combine()


def test_one_operator_is_no_stack():
    for use in (lambda: len(A), lambda: A[0], lambda: list(A)):
        with raises(TypeError, repr(A), "stack(A, B, …)"):
            use()


def test_sums_of_unlike_operators():
    with raises(ShapeError, "terms of one shape", "(8, 9)", "(6, 6)"):
        (A + Blur(K, "valid"))(np.ones((8, 9)))
    with raises(ShapeError, "as many sensors", "2 and 1"):
        S + S[:1]


def test_products_of_unlike_operators():
    with raises(ShapeError, "at least 3×4", "got 3×3"):
        (A @ Blur(np.ones((6, 7)), "valid"))(np.ones((8, 9)))


def test_sensors_of_other_image_sizes():
    big = stack(A, Blur(np.ones((9, 9))))
    with raises(ShapeError, "sensor 1", "at least 9×9", "got 8×9"):
        big(np.ones((8, 9)))


def test_multipliers_are_for_images_of_one_size():
    N = A.normal((8, 9))
    with raises(ShapeError, repr(N), "(8, 9)", "(9, 9)"):
        N(np.ones((9, 9)))
    with raises(ShapeError, "FourierMultiplier expected a multiplier of shape (…, 8, 5)", "(8, 9)"):
        FourierMultiplier(np.ones((8, 9)), (8, 9))


@pytest.mark.parametrize("channels", [1, 2])
def test_multipliers_per_channel_are_for_so_many_channels(channels):
    N = Blur(np.ones((3, 2, 2))).normal((3, 8, 9))
    with raises(ShapeError, repr(N), "3", f"({channels}, 8, 9)"):
        N(np.ones((channels, 8, 9)))


@value
class Faulty(LinearPhysics):
    """An operator whose author made a mistake."""

    def _forward(self, x):
        raise IndexError("out of bounds")

    def _adjoint(self, y, shape):
        raise ZeroDivisionError("by zero")

    def _gram(self, x):
        raise KeyError("gram")


@pytest.mark.parametrize(
    ("method", "cause"), [("A", IndexError), ("A_adjoint", ZeroDivisionError), ("A_adjoint_A", KeyError)]
)
def test_a_sensor_that_fails_is_named(method, cause):
    broken = stack(Blur(np.ones(2), ndim=1), Faulty(), Faulty())
    argument = [np.ones(5)] * 3 if method == "A_adjoint" else np.ones(5)
    with raises(SensorError, "sensor 1 (Faulty())", cause.__name__) as caught:
        getattr(broken, method)(argument)
    assert isinstance(caught.value.__cause__, cause)


@pytest.mark.parametrize("rtol", [-0.1, 1.0, 2.0, np.nan, np.inf, "a", 1j, False])
def test_rtol_out_of_range(rtol):
    x, F = np.ones((8, 9)), A.normal((8, 9))
    calls = [lambda: A.A_dagger(x, rtol=rtol), lambda: Identity(2.0).pinv(rtol), lambda: F.pinv(rtol)]
    for call in calls:
        with raises(ParameterError, "expected 0 <= rtol < 1", repr(rtol)):
            call()
    for operator in (A, F, stack(A, Blur(np.ones((2, 2)), "reflect"))):
        with raises(ParameterError, repr(operator), "expected 0 < rtol < 1", repr(rtol)):
            operator.compute_norm(x, rtol=rtol)
    with raises(ParameterError, "0 < rtol < 1"):
        A.compute_norm(x, rtol=0)


@pytest.mark.parametrize("lam", [-1.0, np.nan, np.inf, "a", 1j, None])
def test_lam_out_of_range(lam):
    for operator in (Identity(2.0), A.normal((8, 9)), Diagonal(np.ones((8, 9)))):
        with raises(ParameterError, repr(operator), "expected a finite lam >= 0", repr(lam)):
            operator.inv(lam)
