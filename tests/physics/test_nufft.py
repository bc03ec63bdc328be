"""The Fourier transform at any frequencies, against a direct sum, the FFT, and itself."""

import pickle
import sys
import threading
import types

import array_api_strict as xp
import finufft
import numpy as np
import pytest
from cases import raises
from hypothesis import given, settings
from hypothesis import strategies as st
from operators import NonUniformFourier

from daskphys import backend
from daskphys.errors import MissingDependencyError, ParameterError, ShapeError
from daskphys.physics import NUFFT, Toeplitz, stack

SIZES = ((11,), (6, 7), (16, 16), (4, 5, 6))


def points(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape)


def image(sizes, dtype="complex128", seed=1):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(sizes) + 1j * rng.standard_normal(sizes)).astype(dtype)


def direct(k, x):
    """The sum itself, over pixels counted from the middle."""
    grid = np.stack(np.meshgrid(*[np.arange(n) - n // 2 for n in x.shape], indexing="ij"), -1)
    waves = np.exp(-2j * np.pi * np.tensordot(k, grid, axes=(-1, -1)))
    return np.sum(waves * x, axis=tuple(range(1, 1 + x.ndim))) / np.sqrt(x.size)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize(("dtype", "rtol"), [("complex64", 3e-6), ("complex128", 3e-13)])
def test_the_direct_sum(sizes, dtype, rtol):
    k, x = points(40, len(sizes)), image(sizes, dtype)
    expected = direct(k, x.astype(complex))
    assert np.linalg.norm(NUFFT(k, sizes)(x) - expected) < rtol * np.linalg.norm(expected)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_on_the_images_own_grid_it_is_the_centred_orthonormal_fft(sizes):
    grid = np.stack(np.meshgrid(*[(np.arange(n) - n // 2) / n for n in sizes], indexing="ij"), -1)
    A, x = NUFFT(grid, sizes), image(sizes)
    expected = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(x), norm="ortho"))
    np.testing.assert_allclose(A(x).reshape(sizes), expected, atol=1e-12)
    np.testing.assert_allclose(A.A_adjoint(A(x)), x, atol=1e-12)
    np.testing.assert_allclose(A.A_adjoint_A(x), x, atol=1e-12)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_operator_of_the_tests_that_sums_from_the_corner(sizes):
    """The same but for the centre, a factor of each sample, and the scale."""
    k, x = points(30, len(sizes)), image(sizes)
    shift = np.exp(2j * np.pi * k @ np.array([n // 2 for n in sizes]))
    expected = shift * NonUniformFourier(k, sizes)(x) / np.sqrt(x.size)
    np.testing.assert_allclose(NUFFT(k, sizes)(x), expected, atol=1e-11)


@pytest.mark.parametrize("eps", [1e-2, 1e-6, None, 1e-30])
@pytest.mark.parametrize(("dtype", "bound"), [("complex64", 3e-7), ("complex128", 1e-15)])
def test_the_adjoint_is_the_transpose_to_rounding_whatever_eps(eps, dtype, bound):
    """Coarse kernels leave an error of the transform, and none of the adjoint."""
    A = NUFFT(points(500, 2), (33, 32), eps=eps)
    x, y = image((33, 32), dtype), image((500,), dtype, seed=2)
    forward, back = A(x), A.A_adjoint(y)
    dot = np.vdot(y.astype(complex), forward.astype(complex)) - np.vdot(
        back.astype(complex), x.astype(complex)
    )
    assert abs(dot) < bound * np.linalg.norm(y) * np.linalg.norm(forward)


def test_eps_is_the_accuracy():
    k, x = points(300, 2), image((32, 32))
    expected = direct(k, x)
    errors = [
        np.linalg.norm(NUFFT(k, (32, 32), eps=eps)(x) - expected) / np.linalg.norm(expected)
        for eps in (1e-2, 1e-5, 1e-9)
    ]
    assert errors[0] < 2e-2
    assert errors[1] < 2e-5
    assert errors[2] < 2e-9
    assert errors[0] > 1e-5  # a coarse one is coarse: eps is not ignored


def test_the_merged_normal_operator_is_exact_whatever_eps():
    """By the dense matrix; and it has twice the image's size, whatever the number of samples."""
    k, w, sizes = points(60, 2), np.random.default_rng(3).uniform(0, 2, 60), (5, 6)
    dense = np.stack([direct(k, unit.reshape(sizes)) for unit in np.eye(30)], 1)
    N = NUFFT(k, sizes, w, eps=1e-2).normal(sizes)
    x = image(sizes)
    expected = dense.conj().T @ (w * (dense @ x.ravel()))
    assert isinstance(N, Toeplitz)
    assert N.spectrum.shape == Toeplitz.padded(sizes)
    np.testing.assert_allclose(N(x).ravel(), expected, atol=1e-12)


def test_normal_operators_of_several_merge_and_cost_two_ffts():
    S = stack(*[NUFFT(points(50, 2, seed=i), (9, 8)) for i in range(3)])
    x = image((9, 8))
    expected = sum(A.A_adjoint(A(x)) for A in S)
    np.testing.assert_allclose(S.A_adjoint_A(x), expected, atol=1e-11)
    with backend.count_transforms() as count:
        S.A_adjoint_A(x)
    assert count.total == 2


def test_weights_are_those_of_the_gridding_and_of_the_weighted_problem():
    k, x = points(4, 20, 2), image((6, 7))
    w = np.random.default_rng(0).uniform(0.5, 2, (4, 20))
    A, F = NUFFT(k, (6, 7), w), NUFFT(k, (6, 7))
    data = F(x)
    np.testing.assert_allclose(A(x), np.sqrt(w.ravel()) * data, rtol=1e-12)
    np.testing.assert_allclose(
        A.A_adjoint(np.sqrt(w.ravel()) * data), F.A_adjoint(w.ravel() * data), atol=1e-12
    )
    np.testing.assert_allclose(A.A_dagger(A(x)), x, atol=1e-8)
    assert NUFFT(k, (6, 7), w.ravel()) == A


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    st.integers(1, 30),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_any_shape(sizes, samples, seed):
    k, x = points(samples, len(sizes), seed=seed), image(sizes, seed=seed)
    A = NUFFT(k, sizes)
    expected = direct(k, x)
    np.testing.assert_allclose(A(x), expected, atol=1e-11)
    np.testing.assert_allclose(A.A_adjoint_A(x), A.A_adjoint(A(x)), atol=1e-10)


def test_one_plan_serves_several_threads_at_once():
    A = NUFFT(points(3000, 2), (64, 64))
    images = [image((64, 64), seed=i) for i in range(4)]
    expected = [(A(x), A.A_adjoint(A(x))) for x in images]
    wrong = []

    def work(x, y, back):
        for _ in range(10):
            if not (np.array_equal(A(x), y) and np.array_equal(A.A_adjoint(y), back)):
                wrong.append(x)

    threads = [threading.Thread(target=work, args=(x, *e)) for x, e in zip(images, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_plans_are_made_once_for_all_that_are_equal(monkeypatch):
    made = []
    real = backend.NonUniformFFT
    monkeypatch.setattr(backend, "NonUniformFFT", lambda *given: made.append(given) or real(*given))
    A = NUFFT(points(17, 2, seed=9), (7, 8))
    twin = pickle.loads(pickle.dumps(A))
    for operator in (A, twin, A):
        operator(image((7, 8)))
        operator.A_adjoint(image((17,)))
        operator.A_adjoint_A(image((7, 8)))
    assert len(made) == 2  # one for A and its adjoint, one for the kernel of AᴴA
    A(image((7, 8), "complex64"))
    assert len(made) == 3
    assert len(pickle.dumps(A)) < A.nbytes + 1000


def test_parameters_of_another_library():
    k, w, x = points(20, 3), np.random.default_rng(0).random(20), image((4, 3, 5))
    foreign = NUFFT(xp.asarray(k), (4, 3, 5), xp.asarray(w))
    A = NUFFT(k, (4, 3, 5), w)
    for product in ("A", "A_adjoint_A"):
        np.testing.assert_array_equal(getattr(foreign, product)(x), getattr(A, product)(x))
        back = getattr(foreign, product)(xp.asarray(x))
        np.testing.assert_allclose(np.from_dlpack(back), getattr(A, product)(x), atol=1e-14)


class FakeCufinufft(types.ModuleType):
    """cufinufft's own interface, on the CPU: what our code asks of it, and that it asks in the right order."""

    class Plan:
        def __init__(self, nufft_type, n_modes, n_trans, eps, isign, dtype, gpu_device_id):
            assert (n_trans, gpu_device_id) == (1, 3)
            self.plan = finufft.Plan(nufft_type, n_modes, n_trans, eps, isign, dtype)

        def setpts(self, *columns):
            self.plan.setpts(*columns)

        def execute(self, data):
            return self.plan.execute(np.ascontiguousarray(data))


class OnDevice(np.ndarray):
    """An array that says that it lies on a device."""

    device = types.SimpleNamespace(id=3)


def test_the_way_to_a_gpu_on_a_stand_in(monkeypatch):
    """No GPU has run it; this holds the calls to cufinufft's signatures, and the results to finufft's."""
    monkeypatch.setitem(sys.modules, "cufinufft", FakeCufinufft("cufinufft"))
    monkeypatch.setattr("daskphys.backend.nufft.on_gpu", lambda x: isinstance(x, OnDevice))
    k, x, y = points(30, 2), image((2, 6, 7)), image((2, 30), seed=2)
    there = backend.NonUniformFFT(k, (6, 7), 1e-9, x.view(OnDevice))
    here = backend.NonUniformFFT(k, (6, 7), 1e-9, x)
    np.testing.assert_allclose(there.forward(x.view(OnDevice)), here.forward(x), atol=1e-7)
    np.testing.assert_allclose(there.adjoint(y.view(OnDevice)), here.adjoint(y), atol=1e-7)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "finufft", None)
    with raises(MissingDependencyError, "finufft", "daskphys[mri]"):
        NUFFT(points(5, 2, seed=8), (4, 4))(np.ones((4, 4)))


def test_with_a_library_that_is_too_old(monkeypatch):
    monkeypatch.delattr(finufft.Plan, "execute_adjoint")
    with raises(MissingDependencyError, "finufft 2.5", finufft.__version__, "daskphys[mri]"):
        NUFFT(points(5, 2, seed=7), (4, 4))(np.ones((4, 4)))


def test_a_float32_trajectory_may_touch_the_edge():
    angles = np.linspace(0, 2 * np.pi, 1000, dtype=np.float32)
    ring = np.float32(0.5000001) * np.stack([np.sin(angles), np.cos(angles)], -1)
    assert NUFFT(ring, (8, 8)).samples == 1000


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: NUFFT(points(5, 3), (4, 4)), ShapeError, ("points of shape (…, 2)", "(5, 3)")),
        (lambda: NUFFT(0.1, (4,)), ShapeError, ("(…, 1)", "()")),
        (lambda: NUFFT(np.ones((0, 2)), (4, 4)), ShapeError, ("(0, 2)",)),
        (lambda: NUFFT([[np.nan, 0]], (4, 4)), ParameterError, ("finite", "NaN")),
        (lambda: NUFFT([[0.1j, 0]], (4, 4)), ParameterError, ("real points", "complex")),
        (lambda: NUFFT([[3.1, 0]], (4, 4)), ParameterError, ("Nyquist", "3.1", "2π")),
        (lambda: NUFFT(points(5, 2), (4, 0)), ParameterError, ("image_shape", "(4, 0)")),
        (lambda: NUFFT(points(5, 4), (4, 4, 4, 4)), ParameterError, ("1, 2 or 3 sizes",)),
        (lambda: NUFFT(points(5, 2), (4, 4), np.ones(4)), ShapeError, ("weights of shape (5,)", "(4,)")),
        (lambda: NUFFT(points(5, 2), (4, 4), -np.ones(5)), ParameterError, ("not negative", "-1")),
        (lambda: NUFFT(points(5, 2), (4, 4), np.zeros(5)), ParameterError, ("all zero",)),
        (lambda: NUFFT(points(5, 2), (4, 4), np.full(5, np.inf)), ParameterError, ("finite weights",)),
        (lambda: NUFFT(points(5, 2), (4, 4), 1j * np.ones(5)), ParameterError, ("real weights",)),
        (lambda: NUFFT(points(5, 2), (4, 4), eps=0), ParameterError, ("0 < eps < 1",)),
        (lambda: NUFFT(points(5, 2), (4, 4))(np.ones((4, 5))), ShapeError, ("(4, 4)", "(4, 5)")),
        (lambda: NUFFT(points(5, 2), (4, 4)).A_adjoint(np.ones(6)), ShapeError, ("5 samples", "(6,)")),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, "NUFFT", *parts):
        make()
