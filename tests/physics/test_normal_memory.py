"""Set-up of the merged AᴴA: bounded memory, nothing kept that is used once, right to float32 rounding."""

import tracemalloc
import weakref

import numpy as np
import pytest
from cases import kernel

from daskphys import backend
from daskphys.physics import Blur, FourierMultiplier, stack
from daskphys.physics.cache import derived


def blurs(n, *channels):
    return stack(*[Blur(kernel(*channels, 3, 5, seed=i)) for i in range(n)])


@pytest.mark.parametrize("weights", [None, np.linspace(0, 1, 2000)], ids=["plain", "weighted"])
def test_two_thousand_kernels_merge_in_the_memory_of_a_few(weights):
    n, size = 2000, 64
    A = blurs(n)
    spectrum = size * (size // 2 + 1) * 8
    A.normal(
        (8, 8), weights=weights
    )  # CPython keeps small objects that are freed, some thousands, for the next ones
    before = derived.nbytes
    tracemalloc.start()
    N = A.normal((size, size), weights=weights)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(N, FourierMultiplier)
    assert derived.nbytes - before == (spectrum if weights is None else 0), "the merged one alone is kept"
    # log₂ 2000 ≈ 11 partial sums, the complex transform of one kernel, a few words a sensor: far below 2000.
    assert peak < 40 * spectrum


def test_how_many_spectra_live_at_once(monkeypatch):
    """Counted, not measured: of 256 terms, their partial sums and what is added at most log₂ 256 + 2 are alive."""
    made, most = [], 0

    def counted(method):
        def call(self, argument):
            nonlocal most
            result = method(self, argument)
            made.append(weakref.ref(result))
            most = max(most, sum(ref() is not None for ref in made))
            return result

        return call

    monkeypatch.setattr(Blur, "_make_normal", counted(Blur._make_normal))
    monkeypatch.setattr(FourierMultiplier, "_plus", counted(FourierMultiplier._plus))
    blurs(256).normal((16, 16))
    assert len(made) == 256 + 255
    assert most <= 8 + 2


def test_products_sensor_by_sensor_keep_their_terms(rng):
    """The tree needs them at every call: they are made once, unlike those of a merge."""
    A = stack(Blur(kernel(3, 4)), Blur(kernel(2, 2), padding="valid"))
    x = rng.standard_normal((16, 16))
    A.A_adjoint_A(x)
    with backend.count_transforms() as count:
        A.A_adjoint_A(x)
    assert count.total == 2 + 4


@pytest.mark.parametrize("n", [1, 8, 64])
@pytest.mark.parametrize("shape", [(64, 64), (65, 47), (3, 48, 81), (2, 3, 17, 30)])
def test_single_precision_is_that_of_the_image(n, shape, rng):
    """Within 1e-6 of the separate sum in double precision, whatever N."""
    A = blurs(n, *([3] if len(shape) > 2 else []))
    x = rng.standard_normal(shape).astype(np.float32)
    wide = x.astype(np.float64)
    exact = sum(a.A_adjoint(a(wide)) for a in A)
    got = A.A_adjoint_A(x)
    assert got.dtype == np.float32
    assert np.linalg.norm(got - exact) <= 1e-6 * np.linalg.norm(exact)


def test_once_for_each_shape_and_precision(rng):
    A = blurs(5)
    N = A.normal((3, 16, 16))
    assert A.normal((16, 16)) is N is A.normal((2, 7, 16, 16))
    assert A.normal((16, 17)) is not N
    assert 2 * A.normal((16, 16)) is not N
    for dtype in (np.float32, np.float64, np.complex64):
        x = rng.standard_normal((16, 16)).astype(dtype)
        A.A_adjoint_A(x)
        before = derived.nbytes
        with backend.count_transforms() as count:
            A.A_adjoint_A(x)
        assert count.total == 2
        assert derived.nbytes == before


def test_a_multiple_keeps_its_own(rng):
    A, x = 3 * Blur(kernel(3, 4)), rng.standard_normal((16, 16))
    assert A.normal((16, 16)) is A.normal((2, 16, 16))
    np.testing.assert_allclose(A.A_adjoint_A(x), 9 * A.parent.A_adjoint_A(x), rtol=1e-12)
