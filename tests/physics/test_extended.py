"""Fast FFT sizes and direct convolution: exact, with exact adjoints, and chosen by the whole stack alone."""

import functools
import itertools
import pickle
from dataclasses import replace

import array_api_strict
import numpy as np
import pytest
import scipy.signal
from cases import BLURS, CIRCULAR, PADDINGS, blur
from hypothesis import example, given
from hypothesis import strategies as st

from daskphys import backend
from daskphys.pairwise import PairwiseSum
from daskphys.physics import Blur, extended, gaussian_blur, stack
from daskphys.physics.blockproducts import adjoint_parts, forward_each
from daskphys.physics.extended import Extended
from daskphys.physics.transform import After, Plain, RealFFT
from daskphys.testing import check_physics

NUMPY_MODE = {"circular": "wrap", "replicate": "edge", "reflect": "reflect"}
DTYPES = ("float32", "float64", "complex64", "complex128")
PRIMES = [((131, 127), (7, 9)), ((101, 64), (5, 4)), ((509,), (8,)), ((23, 29, 31), (3, 4, 5))]


def direct(x, kernel, padding):
    """The convolution by definition, in double precision: the image extended by NumPy, then SciPy's direct sum."""
    if np.iscomplexobj(x):
        return direct(x.real, kernel, padding) + 1j * direct(x.imag, kernel, padding)
    x = x.astype(np.float64)
    lead = x.ndim - kernel.ndim
    if padding != "valid":
        widths = [(n - 1 - n // 2, n // 2) for n in kernel.shape]
        x = np.pad(x, [(0, 0)] * lead + widths, mode=NUMPY_MODE[padding])
    return scipy.signal.convolve(x, kernel.reshape((1,) * lead + kernel.shape), mode="valid", method="direct")


def random(rng, shape, dtype):
    made = rng.standard_normal(shape)
    return (made + 1j * rng.standard_normal(shape) if dtype.startswith("c") else made).astype(dtype)


def is_exact(A, x, expected, rng):
    """A x is what is expected, and ⟨A x, w⟩ = ⟨x, Aᴴ w⟩."""
    tolerance = 3e-6 if backend.real_name(x.dtype.name) == "float32" else 1e-13
    y = A(x)
    for made, wanted in zip(y, expected, strict=True):
        assert made.dtype == x.dtype
        np.testing.assert_allclose(made, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())
    w = [random(rng, a.shape, x.dtype.name) for a in y]
    left = sum(np.vdot(a.astype(complex), b) for a, b in zip(y, w, strict=True))
    right = np.vdot(x.astype(complex), A.A_adjoint(w))
    sizes = [np.sqrt(sum(np.vdot(a, a).real for a in arrays)) for arrays in (y, w)]
    assert abs(left - right) < tolerance * sizes[0] * sizes[1]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("shape", "size"), PRIMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_prime_sizes_are_exact(padding, shape, size, dtype, rng):
    """One transform of a composite size for kernels of unlike sizes, and for `valid` ones among periodic ones."""
    kernels = [rng.standard_normal(size), rng.standard_normal(tuple(n - 1 for n in size))]
    paddings = [padding, "valid" if padding == "circular" else padding]
    A = stack(*[Blur(k, p, ndim=len(size)) for k, p in zip(kernels, paddings, strict=True)])
    grid = A.transform.grid(shape, gpu=False)
    assert not grid.direct
    assert grid.sizes != shape
    x = random(rng, (2, *shape), dtype)
    is_exact(A, x, [direct(x, k, p) for k, p in zip(kernels, paddings, strict=True)], rng)
    y = A(x)
    with backend.count_transforms() as count:
        A(x)
        A.A_adjoint(y)
    assert (count.forward, count.inverse) == (1 + 2, 2 + 1)


KERNELS = {
    "direct, 3×2": np.random.default_rng(0).standard_normal((3, 2)),
    "direct, 1×9": np.random.default_rng(0).standard_normal((1, 9)),
    "separable, 5 + 4": np.outer([1.0, -2.0, 4.0, 0.5, 1.0], [1.0, 3.0, -2.0, 0.1]),
    "separable, 5 + 5": gaussian_blur(0.3)[0, 0],
}


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("method", KERNELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_direct_convolution_is_exact(padding, method, dtype, rng):
    A, x = Blur(KERNELS[method], padding), random(rng, (2, 131, 160), dtype)
    assert A._method(x.shape) == method
    is_exact(stack(A), x, [direct(x, A.filter, padding)], rng)
    y = A(x)
    with backend.count_transforms() as count:
        A(x)
        A.A_adjoint(y)
    assert count.total == 0


@pytest.fixture
def always_direct(monkeypatch):
    """Small images too are convolved directly, so that every law can be tried on them."""
    monkeypatch.setattr(extended, "DIRECT_LEAST", 0)
    monkeypatch.setattr(extended, "TAP_COST", 0.0)
    extended._grid.cache_clear()
    yield
    extended._grid.cache_clear()


@pytest.mark.parametrize(
    "case", [c for c in BLURS if "odd" not in c.name and "one sample" not in c.name], ids=lambda c: c.name
)
def test_laws_of_direct_blurs(case, always_direct):
    assert case.operator._method(case.shapes[0]).startswith(("direct", "separable"))
    check_physics(case.operator, case.shapes[:1], portable=True)


def test_laws_of_direct_stacks(always_direct):
    mixed = stack(blur("circular", 3, 4), blur("valid", 2, 3), blur("circular", 1, 3))
    for A in (CIRCULAR, mixed, 1j * mixed @ blur("reflect", 2, 2)):
        assert A.transform.method((9, 8)).endswith("multiply-adds a sample")
        check_physics(A, ((9, 8),), portable=True)


@pytest.mark.parametrize("padding", PADDINGS)
def test_direct_and_fft_agree_for_channels_and_volumes(padding, always_direct, rng):
    for shape, kernel, ndim in (
        ((2, 3, 9, 8), rng.standard_normal((3, 2, 3)), 2),
        ((2, 6, 7, 8), np.multiply.outer(np.outer([1.0, 2], [1.0, 2, 3]), [1.0, -1, 2, 0]), 3),
    ):
        A, x = Blur(kernel, padding, ndim=ndim), rng.standard_normal(shape)
        step = A.transform
        by_fft = replace(step, sensors=0)  # an FFT for nobody costs nothing
        assert (step.grid(shape, False).direct, by_fft.grid(shape, True).direct) == (True, False)
        with backend.count_transforms() as count:
            expected = A(x)
        assert count.total == 0
        strict = A(array_api_strict.asarray(x))
        np.testing.assert_allclose(np.from_dlpack(strict), expected, atol=1e-13)


# -- the choice ---------------------------------------------------------------------------------------------------


def test_the_choice_is_a_function_of_shape_and_kernels():
    A = Blur(gaussian_blur(2.0))
    assert A._method((3, 767, 512)) == A._method((767, 512)) == "FFT of 800×512, wrapped"
    assert A._method((512, 512)) == "FFT"
    step = pickle.loads(pickle.dumps(A.transform))
    assert step == A.transform
    assert hash(step) == hash(A.transform)
    assert step.grid((767, 512), False) == A.transform.grid((5, 767, 512), False)
    for threads in (1, 3):
        extended._grid.cache_clear()
        with backend.fft_threads(threads):
            assert A._method((767, 512)) == "FFT of 800×512, wrapped"


def test_small_kernels_are_direct_where_they_are_cheaper():
    small, large = Blur(np.outer([1.0, 2, 1], [1.0, 2, 1])), Blur(gaussian_blur(3.0))
    shape = (512, 512)
    assert small._method(shape) == "separable, 3 + 3"
    assert large._method(shape) == "FFT"
    assert stack(*[small] * 8)._method(shape) == "direct, 48 multiply-adds a sample"
    assert stack(small, large)._method(shape) == "FFT"  # the whole stack decides
    assert small.transform.grid(shape, gpu=True).direct is False
    assert small._method((64, 64)) == "FFT"
    separable = np.outer(np.ones(7), np.ones(7))
    assert Blur(separable)._method(shape).startswith("FFT") == (2 * backend.fft_cost(shape) < 14 * 8 * 518**2)


def test_mixed_stacks_say_what_each_sensor_does():
    S = stack(Blur(np.ones((3, 3))), Blur(gaussian_blur(2.0), "reflect"))
    assert S._method((512, 512)) == "sensor by sensor: separable, 3 + 3, FFT of 540×540, reflect"
    assert blur("circular", 3, 3).H._method((9, 9)) == "direct call"


STEPS = [
    blur("circular", 3, 4).transform,
    blur("circular", 5, 2).transform,
    blur("valid", 4, 4).transform,
    blur("reflect", 3, 3).transform,
    blur("reflect", 5, 2).transform,
    blur("replicate", 2, 2).transform,
    blur("circular", 1, 4, ndim=1).transform,
    RealFFT(2),
    Plain(),
    After(blur("circular", 2, 2), blur("circular", 3, 3).transform),
    After(blur("circular", 2, 2), blur("reflect", 3, 3).transform),
]


@given(st.lists(st.sampled_from(STEPS), min_size=2, max_size=6), st.data())
def test_join_does_not_depend_on_the_cut(steps, data):
    """Blocks are joined as their sensors are: facts of blocks give the transform of the whole stack."""
    whole = functools.reduce(lambda a, b: a.join(b), steps)
    cut = data.draw(st.integers(1, len(steps) - 1))
    left, right = (functools.reduce(lambda a, b: a.join(b), part) for part in (steps[:cut], steps[cut:]))
    assert left.join(right) == whole
    assert left.filled(whole.outline()) == whole or isinstance(whole, Plain)


def test_outlines_hold_no_operator():
    step = After(blur("circular", 21, 21), RealFFT(2))
    assert len(pickle.dumps(step.outline())) < 300 < len(pickle.dumps(step))


@pytest.mark.parametrize("shape", [(131, 127), (160, 150)])
def test_blocks_that_are_told_give_the_bits_of_the_whole(shape, rng):
    """At a prime size and where all kernels are small; a block alone would choose another size, or an FFT."""
    sides = (9, 5, 3, 4, 2) if shape[0] == 131 else (2, 3, 2, 1, 3)
    S = stack(*[Blur(rng.standard_normal((n, n))) for n in sides])
    x = rng.standard_normal((2, *shape)).astype(np.float32)
    y = S(x)
    expected = S.A_adjoint(y)
    for cuts in ([0, 1, 5], [0, 2, 4, 5], [0, 1, 2, 3, 4, 5]):
        parts = []
        for i, j in itertools.pairwise(cuts):
            made = forward_each(S[i:j], x, S.transform, i)
            assert [a.tobytes() for a in made] == [a.tobytes() for a in y[i:j]]
            parts.extend(adjoint_parts(S[i:j], y[i:j], x.shape, S.transform, i))
        assert S.transform.lower(PairwiseSum.join([parts]).total(), x.shape).tobytes() == expected.tobytes()


def test_pseudo_inverses_stay_exact_at_prime_sizes(rng):
    kernels = [np.pad([[1.0]], 2) + 0.02 * rng.standard_normal((5, 5)) for _ in range(3)]
    A, x = stack(*map(Blur, kernels)), rng.standard_normal((131, 127)).astype(np.float32)
    y = A(x)
    A.A_dagger(y)
    with backend.count_transforms() as count:
        back = A.A_dagger(y)
    assert (count.forward, count.inverse) == (3, 1)
    np.testing.assert_allclose(back, x, atol=3e-6)
    np.testing.assert_allclose(A[0].A_dagger(y[0]), x, atol=3e-6)


def test_results_are_never_views_of_buffers(rng):
    """The product buffer of a call is reused from sensor to sensor; results must not share it."""
    A = stack(*[Blur(rng.standard_normal((9, 9))) for _ in range(5)])
    for shape in ((512, 512), (131, 127), (1024,)):
        B = A if len(shape) == 2 else stack(*[Blur(rng.standard_normal(9), ndim=1) for _ in range(5)])
        y = B(rng.standard_normal(shape))
        kept = [a.copy() for a in y]
        B(rng.standard_normal(shape))
        for i, (a, b) in enumerate(zip(y, kept, strict=True)):
            np.testing.assert_array_equal(a, b)
            assert not any(np.shares_memory(a, other) for other in y[i + 1 :])


def test_extended_steps_are_of_one_kind():
    assert isinstance(CIRCULAR.transform, Extended)
    assert CIRCULAR.transform.reach == ((2, 2), (2, 2))


def test_large_images_have_the_bits_of_their_batch(rng):
    """NumPy puts a product with a large temporary into it, with other last bits, where shapes are alike alone."""
    A, x = Blur(rng.standard_normal((9, 9))), rng.random((2, 512, 512), dtype=np.float32)
    back = A.A_adjoint(x)
    assert A.A_adjoint(x[1]).tobytes() == back[1].tobytes()


_REACHES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=2).map(tuple)
_STEPS = st.one_of(
    st.just(Plain()),
    st.builds(RealFFT, st.integers(1, 2)),
    st.builds(Extended, st.sampled_from(PADDINGS), _REACHES, st.integers(1, 3), st.integers(1, 9)),
)
_TRANSFORMS = st.one_of(
    _STEPS, st.builds(After, st.sampled_from([Blur(np.ones((1, 1))), Blur(np.ones((2, 2)))]), _STEPS)
)


@given(_TRANSFORMS, _TRANSFORMS, _TRANSFORMS)
@example(RealFFT(2), Extended("circular", ((1, 1), (1, 1)), 1, 4), RealFFT(2))
@example(Extended("valid", ((0, 0),), 1, 4), RealFFT(1), Extended("reflect", ((1, 1),), 1, 4))
@example(After(Blur(np.ones((2, 2))), RealFFT(1)), Plain(), RealFFT(1))
def test_joining_is_commutative_and_associative(a, b, c):
    """Blocks of sensors are joined in whatever groups they lie: a result that depended on it would tell."""
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))


def test_a_multiplier_and_blurs_share_one_spectrum_in_any_order():
    B, F = Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)).normal((32, 32))
    assert stack(B, F).transform == stack(F, B).transform == RealFFT(2)
    x = np.random.default_rng(0).random((32, 32))
    y = stack(F, B)(x)
    np.testing.assert_allclose(y[0], F(x), rtol=1e-12)
    np.testing.assert_allclose(y[1], B(x), rtol=1e-12)
    check_physics(stack(F, B), [(32, 32)])
