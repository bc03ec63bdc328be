"""Work spread over threads, buffers, FFT back-ends, sizes, and direct correlation."""

import importlib.util
import threading
import time

import array_api_strict
import numpy as np
import pytest
import scipy.fft
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from daskphys import backend
from daskphys.backend import DuccFFT
from daskphys.errors import MissingDependencyError
from daskphys.physics import Blur, gaussian_blur, stack

LARGE = 1 << 20


# -- spread -------------------------------------------------------------------------------------------------------


@given(st.integers(0, 13), st.integers(1, 5))
def test_spread_is_a_map_and_shares_the_threads_out(n, threads):
    seen, lock, running = [], threading.Lock(), [0]

    def call(i):
        with lock:
            running[0] += backend.threads_left()
            seen.append(running[0])
        time.sleep(1e-4)
        with lock:
            running[0] -= backend.threads_left()
        return i * i

    with backend.fft_threads(threads):
        assert backend.spread(call, range(n), LARGE) == [i * i for i in range(n)]
        assert backend.threads_left() == threads
    assert max(seen, default=0) <= threads


def test_a_last_round_that_is_not_full_has_more_threads_each():
    used = {}
    with backend.fft_threads(4):
        backend.spread(lambda i: used.__setitem__(i, backend.threads_left()), range(6), LARGE)
        assert used == {0: 1, 1: 1, 2: 1, 3: 1, 4: 2, 5: 2}
        backend.spread(lambda i: used.__setitem__(i, backend.threads_left()), range(2), LARGE)
        assert (used[0], used[1]) == (2, 2)


def test_small_items_and_single_threads_stay_in_this_thread():
    own = threading.get_ident()
    with backend.fft_threads(3):
        assert set(backend.spread(lambda _: threading.get_ident(), range(9), 100)) == {own}
    with backend.fft_threads(1):
        assert set(backend.spread(lambda _: threading.get_ident(), range(9), LARGE)) == {own}


def test_several_threads_are_used():
    together = threading.Barrier(2)
    with backend.fft_threads(2):  # each waits for the other
        assert backend.spread(lambda i: together.wait(timeout=60) * 0 + i, range(4), LARGE) == [0, 1, 2, 3]


def test_nested_spreading_ends_when_the_pool_is_full():
    def inner(i):
        return sum(backend.spread(lambda j: i * j, range(4), LARGE))

    with backend.fft_threads(16):
        expected = [6 * i for i in range(16)]
        assert backend.spread(inner, range(16), LARGE) == expected
        callers = [threading.Thread(target=backend.spread, args=(inner, range(16), LARGE)) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(timeout=60)
            assert not caller.is_alive()


def test_the_first_item_that_fails_is_raised():
    def call(i):
        time.sleep(0.001 * (i == 2))
        if i >= 2:
            raise ValueError(f"item {i}")

    with backend.fft_threads(3), pytest.raises(ValueError, match="item 2"):
        backend.spread(call, range(9), LARGE)


def test_transforms_of_helpers_are_counted(rng):
    x = rng.standard_normal((512, 512))
    with backend.fft_threads(3), backend.count_transforms() as count:
        backend.spread(lambda _: backend.rfftn(x, 2), range(7), x.size)
    assert count.forward == 7


def test_threads_do_not_change_a_bit(rng):
    A, x = stack(*[Blur(rng.standard_normal((9, 8))) for _ in range(5)]), rng.standard_normal((521, 300))
    made = []
    for threads in (1, 2, 3, 8):
        with backend.fft_threads(threads):
            y = A(x)
            made.append((*(a.tobytes() for a in y), A.A_adjoint(y).tobytes()))
    assert len(set(made)) == 1


# -- products in the Fourier domain ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7,), (6, 9), (3, 6, 9), (4, 5, 6)])
@pytest.mark.parametrize("name", ["float32", "float64"])
def test_filtered_keeps_a_part(shape, name, rng):
    ndim = min(len(shape), 2)
    x, sizes = rng.standard_normal(shape).astype(name), shape[-ndim:]
    z = scipy.fft.rfftn(x, axes=range(-ndim, 0))
    keep = [slice(1, n - 1) for n in sizes]
    factor = rng.standard_normal(z.shape[-ndim:]).astype(z.dtype)
    whole = backend.irfftn(z * factor, sizes)
    before = z.copy()
    with backend.reused_buffers():
        for part in (keep, None):
            got = backend.filtered(z, factor, sizes, part)
            expected = whole if part is None else whole[(..., *keep)]
            assert got.tobytes() == expected.tobytes()
            assert got.base is None or got.base.nbytes == got.nbytes
    np.testing.assert_array_equal(z, before)
    strict = backend.filtered(array_api_strict.asarray(z), array_api_strict.asarray(factor), sizes, keep)
    np.testing.assert_allclose(np.from_dlpack(strict), whole[(..., *keep)], atol=1e-5)


@pytest.mark.parametrize("shape", [((300,), (300,)), ((2, 300, 400), (300, 400)), ((3, 200, 300), (3, 200, 300)),
                                   ((2, 3, 20, 30), (1, 20, 30)), ((40, 50, 60), (40, 50, 60)), ((5, 6), (3, 5, 6))])  # fmt: skip
def test_conjugate_products_have_the_bits_of_the_plain_ones(shape, rng):
    z, h = (rng.standard_normal(s) + 1j * rng.standard_normal(s) for s in shape)
    for dtype in (np.complex64, np.complex128):
        z, h = z.astype(dtype), h.astype(dtype)
        # Not `z * np.conj(h)`: NumPy may put that product into its temporary, and then it has other last bits.
        conjugate = np.conj(h)
        expected = np.multiply(z, conjugate)
        assert backend.times_conj(z.copy(), h).tobytes() == expected.tobytes()


# -- sizes -----------------------------------------------------------------------------------------------------------


def test_fast_lengths_are_no_slower_and_never_shorter():
    for n in range(1, 400):
        m = backend.fast_length(n)
        assert n <= m <= scipy.fft.next_fast_len(n, real=True)
        assert backend.fft_cost((m,)) <= backend.fft_cost((n,))
    assert backend.fast_length(512) == 512
    assert backend.fast_length(534) == 540  # and not 539


def test_larger_sizes_must_pay():
    assert backend.fast_sizes([(767, 784), (512, 528)], 1.2) == (784, 512)
    assert backend.fast_sizes([(512, 540)], 1.0) == (512,)
    assert backend.fast_sizes([(767, 784)], 1e9) == (767,)


# -- direct correlation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("threads", [1, 3])
def test_correlation_equals_scipys(ndim, threads, rng):
    sizes = (300_001, 5, 7)[:ndim] if ndim < 2 else (700, 130, 3)[:ndim]
    x, kernel = rng.standard_normal((2, *sizes)), rng.standard_normal((3, 2, 2)[:ndim])
    expected = np.stack([scipy.signal.correlate(a, kernel, mode="valid", method="direct") for a in x])
    with backend.fft_threads(threads):
        np.testing.assert_allclose(backend.correlate(x, [kernel], ndim), expected, atol=1e-12)
    one = [kernel[(slice(None), *(slice(0, 1),) * (ndim - 1))], np.ones((1,) * ndim)]
    separate = np.stack([scipy.signal.correlate(a, one[0], mode="valid", method="direct") for a in x])
    np.testing.assert_allclose(backend.correlate(x, one, ndim), separate, atol=1e-12)


def test_correlation_of_the_standard_and_by_channel(rng):
    x, kernels = rng.standard_normal((2, 3, 8, 9)), rng.standard_normal((3, 2, 3))
    expected = np.stack([backend.correlate(x[:, c], [kernels[c]], 2) for c in range(3)], axis=1)
    np.testing.assert_array_equal(backend.correlate(x, [kernels], 2), expected)
    strict = backend.correlate(array_api_strict.asarray(x), [kernels], 2)
    np.testing.assert_allclose(np.from_dlpack(strict), expected, atol=1e-14)
    assert backend.correlate(x.astype(np.float32), [kernels], 2).dtype == np.float32


# -- back-ends of SciPy's protocol -----------------------------------------------------------------------------------


class Counting:
    """A back-end that counts calls and leaves them to SciPy."""

    __ua_domain__ = "numpy.scipy.fft"

    def __init__(self):
        self.calls = []

    def __ua_function__(self, method, args, kwargs):
        self.calls.append((method.__name__, threading.get_ident()))
        return NotImplemented


def test_the_users_back_end_is_asked_in_every_thread(rng):
    A, x = stack(*[Blur(rng.standard_normal((9, 8))) for _ in range(4)]), rng.standard_normal((512, 512))
    y, fake = A(x), Counting()
    A.A_adjoint(y)
    with backend.fft_threads(2), scipy.fft.set_backend(fake):
        A(x)
        assert sorted(name for name, _ in fake.calls) == ["ifftn"] * 4 + ["irfft"] * 4 + ["rfftn"]
        fake.calls.clear()
        A.A_adjoint(y)
    assert sorted(name for name, _ in fake.calls) == ["ifftn", "irfft"] + ["rfftn"] * 4
    fake.calls.clear()
    A(x)
    assert not fake.calls


def test_a_back_end_for_the_process_is_asked_in_tasks(rng):
    dask_array = pytest.importorskip("dask.array")
    A, x = Blur(rng.standard_normal((9, 8))), rng.standard_normal((4, 64, 64))
    fake = Counting()
    lazy = A(dask_array.from_array(x, chunks=(1, 64, 64)))
    scipy.fft.register_backend("scipy")  # for what the fake one leaves
    scipy.fft.set_global_backend(fake)
    try:
        lazy.compute(scheduler="threads")
    finally:
        scipy.fft.set_global_backend("scipy")
    assert sum(name == "rfftn" for name, _ in fake.calls) >= 4
    assert {thread for _, thread in fake.calls} != {threading.get_ident()}


@pytest.mark.skipif(importlib.util.find_spec("ducc0") is not None, reason="ducc0 is there")
def test_ducc_names_what_to_install():
    with pytest.raises(MissingDependencyError, match="pip install ducc0"):
        DuccFFT()


def test_ducc_gives_the_same_numbers_and_bits_of_its_own(rng):
    pytest.importorskip("ducc0")
    A = stack(*[Blur(gaussian_blur(1.5 + i)) for i in range(3)])
    for shape in ((2, 300, 520), (521, 300)):
        x = rng.random(shape, dtype=np.float32)
        y = A(x)
        made = []
        for threads in (1, 2, 3):
            with scipy.fft.set_backend(DuccFFT()), backend.fft_threads(threads):
                z = A(x)
                back = A.A_adjoint(z)
                made.append((*(a.tobytes() for a in z), back.tobytes()))
                if len(shape) == 3:
                    assert A(x[1])[2].tobytes() == z[2][1].tobytes()
        assert len(set(made)) == 1
        assert all(np.allclose(a, b, atol=2e-6) for a, b in zip(y, z, strict=True))
        np.testing.assert_allclose(back, A.A_adjoint(y), atol=5e-6)


@pytest.mark.parametrize("axes", [(-2,), (-1,), (-3, -2), (0, 1, 2)])
@pytest.mark.parametrize("name", ["complex64", "complex128"])
def test_ducc_takes_what_scipy_takes(axes, name, rng):
    pytest.importorskip("ducc0")
    z = (rng.standard_normal((5, 6, 300)) + 1j * rng.standard_normal((5, 6, 300))).astype(name)
    for function in (scipy.fft.fftn, scipy.fft.ifftn):
        expected, before = function(z, axes=axes), z.copy()
        with scipy.fft.set_backend(DuccFFT()):
            np.testing.assert_allclose(function(z, axes=axes), expected, atol=1e-3)
            np.testing.assert_array_equal(z, before)
            np.testing.assert_allclose(
                function(z, axes=axes, norm="ortho"), function(z, axes=axes, norm="ortho")
            )
            np.testing.assert_allclose(function(z.copy(), axes=axes, overwrite_x=True), expected, atol=1e-3)
