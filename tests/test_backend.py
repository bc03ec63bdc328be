"""The one file that knows array libraries: dtypes, devices, FFTs, parameters."""

import sys
import threading

import array_api_strict as strict
import numpy as np
import pytest
import scipy.fft
from cases import raises
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daskphys import backend
from daskphys.errors import DeviceError, DtypeError, MissingDependencyError

LIBRARIES = [np, strict]


# -- dtypes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("xp", LIBRARIES)
@pytest.mark.parametrize("name", [*backend.FLOATS, "int32", "bool"])
def test_dtype_names_are_the_same_for_every_library(xp, name):
    assert backend.dtype_name(xp.zeros(2, dtype=getattr(xp, name))) == name


def test_precisions():
    assert [backend.real_name(n) for n in backend.FLOATS] == ["float32", "float64", "float32", "float64"]
    assert [backend.complex_name(n) for n in backend.FLOATS] == ["complex64", "complex128"] * 2
    assert backend.eps(np.ones(1, np.complex64)) == 2.0**-23
    assert backend.eps(np.ones(1, np.float64)) == 2.0**-52


@pytest.mark.parametrize("xp", LIBRARIES)
def test_astype(xp):
    x = xp.asarray([1.0, 2.0])
    assert backend.astype(x, "float64") is x
    assert backend.dtype_name(backend.astype(x, "complex64")) == "complex64"


@pytest.mark.parametrize("name", backend.FLOATS)
def test_floating_dtypes_pass(name):
    x = np.ones(3, name)
    assert backend.check_floating(x, "A") is x
    swapped = x.astype(x.dtype.newbyteorder())
    native = backend.check_floating(swapped, "A")
    assert native.dtype == x.dtype
    assert native.dtype.isnative
    np.testing.assert_array_equal(native, x)


@pytest.mark.parametrize("name", ["int8", "uint64", "bool", "float16", "object", "U1", "longdouble"])
def test_other_dtypes_do_not(name):
    with raises(
        DtypeError, "Blur(3×3) expected a dtype among float32", "got ", "cast it first, as in x.astype"
    ):
        backend.check_floating(np.ones(3).astype(name), "Blur(3×3)")


# -- arrays -----------------------------------------------------------------------------------------------------


def test_what_is_an_array():
    assert backend.is_array(np.ones(1))
    assert backend.is_array(strict.ones(1))
    for other in ([1.0], 1.0, "a", None, range(3)):
        assert not backend.is_array(other)


@pytest.mark.parametrize("xp", LIBRARIES)
def test_helpers_keep_the_library(xp):
    x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
    made = [
        backend.copy(x),
        backend.concat([x, x], axis=0),
        backend.zeros((3,), x),
        backend.like(np.ones(2), x),
        backend.like(x, x, "float32"),
        backend.complex_of(x, x),
        backend.frozen(x),
    ]
    assert all(backend.namespace(a) is backend.namespace(x) for a in made)
    assert backend.to_numpy(made[0]).tolist() == [[1, 2], [3, 4]]
    assert backend.to_numpy(made[1]).shape == (4, 2)
    assert backend.to_numpy(made[5]).tolist() == [[1 + 1j, 2 + 2j], [3 + 3j, 4 + 4j]]
    assert backend.like(x, x) is x


def test_copies_do_not_share_memory():
    x = np.arange(4.0)
    x.flags.writeable = False
    own = backend.copy(x)
    own[0] = 9
    assert x[0] == 0
    kept = backend.frozen(own)
    own[0] = 7
    assert kept[0] == 9
    assert not kept.flags.writeable
    assert backend.frozen(kept) is kept


def test_what_another_has_made_read_only_is_copied():
    x = np.arange(4.0)
    view = x[:]
    x.flags.writeable = False
    kept = backend.frozen(x)
    view[0] = 7
    assert kept[0] == 0


def test_memory_is_shared_where_it_can_be():
    x = np.arange(4.0)
    assert backend.to_numpy(x) is x
    assert np.shares_memory(backend.to_numpy(strict.asarray(x, copy=False)), x)


@pytest.mark.parametrize("name", backend.FLOATS)
def test_norm_is_taken_in_double_precision(name):
    x = np.full(10**6, 1e-3, name)
    assert backend.norm(x) == pytest.approx(float(np.float32(1e-3)) * 1e3, rel=1e-7)
    assert backend.norm(np.full(3, 1e30, np.float32)) == pytest.approx(3**0.5 * 1e30)


def test_complex_of_keeps_precision():
    x = np.array([1.0, np.inf], np.float32)
    made = backend.complex_of(x, np.zeros_like(x))
    assert made.dtype == np.complex64
    np.testing.assert_array_equal(made.real, x)
    np.testing.assert_array_equal(made.imag, 0)  # an infinite real part makes no NaN


# -- digests ----------------------------------------------------------------------------------------------------


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=3), elements=st.floats(-1, 1)))
def test_digest_is_of_the_content(x):
    assert backend.digest(x) == backend.digest(np.asfortranarray(x)) == backend.digest(strict.asarray(x))
    assert backend.digest(x) != backend.digest(x + 1)
    assert backend.digest(x) != backend.digest(x[None])
    assert backend.digest(x) != backend.digest(x.astype(np.complex128))


# -- devices ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_as", "name"),
    [
        (None, "cpu"),
        ("cpu", "cpu"),
        ("cpu:0", "cpu"),
        ("cuda", "cuda:0"),
        ("cuda:3", "cuda:3"),
        ("gpu", "cuda:0"),
    ],
)
def test_device_names(given_as, name):
    assert backend.parse_device(given_as) == name


@pytest.mark.parametrize("bad", ["", "tpu", "cuda:-1", "cuda:a", "cpu:1", "cuda 1", 0, 1.5])
def test_bad_device_names(bad):
    with raises(DeviceError, "expected a device such as 'cpu', 'cuda' or 'cuda:1'", f"got {str(bad)!r}"):
        backend.parse_device(bad)


def test_torch_devices():
    torch = pytest.importorskip("torch")
    assert backend.parse_device(torch.device("cpu")) == "cpu"
    assert backend.parse_device(torch.device("cuda", 1)) == "cuda:1"


def test_device_of():
    assert backend.device_of(np.ones(1)) == "cpu"
    assert backend.to_device(np.ones(1), "cpu").tolist() == [1.0]
    assert isinstance(backend.to_device(strict.ones(1), "cpu"), np.ndarray)


def test_cuda_needs_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with raises(MissingDependencyError, "'cuda:0' needs CuPy", "daskphys[cuda13]", "daskphys[cuda12]"):
        backend.to_device(np.ones(1), "cuda")


# -- FFTs -------------------------------------------------------------------------------------------------------


@given(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=9), st.data())
def test_transforms_are_those_of_scipy(shape, data):
    ndim = data.draw(st.integers(1, min(3, len(shape))))
    axes = tuple(range(-ndim, 0))
    x = np.random.default_rng(0).standard_normal(shape)
    z = backend.rfftn(x, ndim)
    np.testing.assert_allclose(z, scipy.fft.rfftn(x, axes=axes), atol=1e-12)
    np.testing.assert_allclose(backend.irfftn(z.copy(), shape[-ndim:]), x, atol=1e-13)
    other = backend.irfftn(strict.asarray(z), shape[-ndim:])
    np.testing.assert_allclose(np.from_dlpack(other), x, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3, 400, 401), (2, 256, 512), (1, 3, 767, 512)])
def test_bits_do_not_depend_on_threads_nor_on_the_batch(shape, dtype):
    """Large enough for threads to be used."""
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    assert x.size >= backend.fft._THREADED_SIZE
    made = []
    for threads in (1, 2, 3):
        with backend.fft_threads(threads):
            z = backend.rfftn(x, 2)
            made.append((z.tobytes(), backend.irfftn(z, shape[-2:]).tobytes()))
    assert made[0] == made[1] == made[2]
    z = backend.rfftn(x, 2)
    for i in range(shape[0]):
        assert backend.rfftn(x[i], 2).tobytes() == z[i].tobytes()


def test_threads_are_those_asked_for_and_for_this_thread_alone(monkeypatch):
    used = []
    real = scipy.fft.rfftn
    monkeypatch.setattr(scipy.fft, "rfftn", lambda x, **k: used.append(k["workers"]) or real(x, **k))
    large, small = np.ones((512, 512)), np.ones((8, 8))
    backend.rfftn(large, 2)
    with backend.fft_threads(3):
        backend.rfftn(large, 2)
        backend.rfftn(small, 2)
        other = threading.Thread(target=backend.rfftn, args=(large, 2))
        other.start()
        other.join()
        with backend.fft_threads(0):
            backend.rfftn(large, 2)
    assert used == [backend.cpu_count(), 3, 1, backend.cpu_count(), 1]


def test_transforms_are_counted_in_the_innermost_block_of_this_thread():
    x = np.ones((4, 4))
    with backend.count_transforms() as outer:
        backend.rfftn(x, 2)
        with backend.count_transforms() as inner:
            backend.irfftn(backend.rfftn(x, 2), (4, 4))
        backend.irfftn(backend.rfftn(x, 1), (4,))
        other = threading.Thread(target=backend.rfftn, args=(x, 2))
        other.start()
        other.join()
    backend.rfftn(x, 2)
    assert (outer.forward, outer.inverse, outer.total) == (2, 1, 3)
    assert (inner.forward, inner.inverse, inner.total) == (1, 1, 2)


def test_counting_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError), backend.count_transforms() as count:
        raise ZeroDivisionError
    backend.rfftn(np.ones(4), 1)
    assert count.total == 0


# -- parameters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ([[1, 2]], "float64"),
        (np.float32([1]), "float64"),
        (np.array([True, False]), "float64"),
        (np.array([1j], np.complex64), "complex128"),
        (strict.asarray([1.0], dtype=strict.float32), "float64"),
        (3, "float64"),
    ],
)
def test_parameters_are_in_double_precision(value, name):
    made = backend.as_parameter(value, "Blur", "filter")
    assert backend.dtype_name(made) == name
    assert backend.namespace(made) is (
        strict if backend.is_array(value) and type(value) is not np.ndarray else np
    )


@pytest.mark.parametrize(
    "value", ["abc", None, [None], [b"a"], {"a": 1}, np.array(["2020"], "datetime64[Y]")]
)
def test_what_is_no_parameter(value):
    with raises(DtypeError, "Blur: filter expected an array of real or complex numbers, got"):
        backend.as_parameter(value, "Blur", "filter")
