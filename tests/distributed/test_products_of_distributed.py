"""Products and sums whose factors and terms are made of distributed operators themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskphys import optim
from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import FallbackWarning, ParameterError
from daskphys.physics import (
    Blur,
    ComplexGaussianNoise,
    Diagonal,
    Measurements,
    MultiCoilMRI,
    Physics,
    Tomography,
    block_diagonal,
    gaussian_blur,
    stack,
    value,
)
from daskphys.physics.mri import birdcage_maps

SHAPE = (16, 12)
_rng = np.random.default_rng(0)
X = (_rng.random((2, *SHAPE)) + 1j * _rng.random((2, *SHAPE))).astype(np.complex64)
COILS = MultiCoilMRI(birdcage_maps(3, SHAPE), np.ones(SHAPE))
BLURS = stack(*[Blur(gaussian_blur(0.6), padding=p) for p in ("circular", "reflect", "valid")])

#: Operators that the left one is applied after: `A` is the operator of the left, and `M` has coils.
RIGHT: dict[str, Callable[[Any, Any], Any]] = {
    "M.H": lambda A, M: M.H,
    "A.normal(shape)": lambda A, M: A.normal(SHAPE),
    "A.H @ A": lambda A, M: A.H @ A,
    "2 * M.H @ A @ …": lambda A, M: 2 * (M.H @ M) - M.normal(SHAPE),
}


@pytest.fixture(params=["threads", "processes"])
def ctx(request: pytest.FixtureRequest) -> DistributedContext:
    found: DistributedContext = request.getfixturevalue(request.param)
    return found


def same(got: Any, expected: Any) -> None:
    assert type(got) is type(expected)
    for a, b in zip(got, expected, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("right", RIGHT)
@pytest.mark.parametrize("left", [COILS, BLURS, 2 * COILS], ids=["coils", "stack", "multiple"])
def test_a_product_has_the_bits_of_the_plain_one(ctx: DistributedContext, left: Any, right: str) -> None:
    A, M = distribute(left, ctx), distribute(COILS, ctx)
    ours, theirs = A @ RIGHT[right](A, M), left @ RIGHT[right](left, COILS)
    x = COILS(X) if right == "M.H" else X
    y = theirs(x)
    same(ours(x), y)
    assert_array_equal(ours.A_adjoint(y), theirs.A_adjoint(y))
    assert_allclose(ours.A_adjoint_A(x), theirs.A_adjoint_A(x), rtol=1e-4, atol=1e-3)
    same((3 * ours)(x), (3 * theirs)(x))


def test_parallel_beams(ctx: DistributedContext) -> None:
    T = Tomography(np.linspace(0, 180, 5, endpoint=False), (16, 16))
    D, x = distribute(T, ctx), _rng.random((16, 16), dtype=np.float32)
    y = T(x)
    assert_array_equal((D @ D.H)(y), (T @ T.H)(y))
    assert len(D @ D.H) == len(T @ T.H) == 5


@pytest.mark.parametrize("plain", [COILS, BLURS], ids=["coils", "stack"])
def test_sums(ctx: DistributedContext, plain: Any) -> None:
    D = distribute(plain, ctx)
    there, here = D @ (D.H @ D), plain @ (plain.H @ plain)
    y = (plain + here)(X)
    sums = {
        "D + there": D + there,
        "there + D": there + D,
        "plain + there": plain + there,
        "D + what is here": D + plain @ (D.H @ D),
    }
    for name, ours in sums.items():
        assert isinstance(ours(X), Measurements) == isinstance(y, Measurements)
        for a, b in zip(ours(X), y, strict=True):
            assert_array_equal(a, b, err_msg=name)
        assert_allclose(ours.A_adjoint(y), (plain + here).A_adjoint(y), rtol=1e-4, err_msg=name)
    same((plain + D)(X), (plain + plain)(X))
    same((D + plain)(X), (plain + plain)(X))


def test_noise_is_that_of_the_left(threads: DistributedContext) -> None:
    for plain in (COILS, BLURS):
        A = plain.with_noise(ComplexGaussianNoise(0.1))
        D = distribute(A, threads)
        same((D @ (D.H @ D))(X, seed=3), (A @ (A.H @ A))(X, seed=3))
        same((D @ (D.H @ D)).with_noise(None)(X), (plain @ (plain.H @ plain))(X))


def test_noise_of_a_sum_is_refused(threads: DistributedContext) -> None:
    """Where it measures is known on the workers alone, term by term."""
    both = distribute(COILS, threads) + COILS @ distribute(COILS, threads).H @ COILS
    with pytest.raises(ParameterError, match="has no sensors of its own"):
        both.with_noise(ComplexGaussianNoise(0.1))(X, seed=3)
    same(both(X), (COILS + COILS @ COILS.H @ COILS)(X))


def test_lazy_images(threads: DistributedContext) -> None:
    lazy = da.from_array(X, chunks=(1, *SHAPE))
    with threads.client.as_current():
        D = distribute(COILS, threads)
        assert_array_equal((D @ (D.H @ D))(lazy).compute(), (COILS @ (COILS.H @ COILS))(X))
        E = distribute(BLURS, threads)
        made = (E @ (E.H @ E))(lazy)
        same(made.map(lambda a: a.compute()), (BLURS @ (BLURS.H @ BLURS))(X))


def test_solvers_say_that_each_iteration_is_a_call(threads: DistributedContext) -> None:
    for plain in (COILS, BLURS):
        D = distribute(plain, threads)
        ours = D @ (D.H @ D)
        with pytest.warns(FallbackWarning, match="at each iteration"):
            got = optim.cg(ours, ours(X), rtol=1e-2)
        assert got.shape == X.shape


def test_blocks_on_a_diagonal(threads: DistributedContext) -> None:
    B = block_diagonal(*[Diagonal(np.full(12, n)) for n in (1.0, 2.0)])
    D = distribute(BLURS[:2], threads)
    ours = distribute(B, threads) @ block_diagonal(*[D.H @ D] * 2)
    theirs = B @ block_diagonal(*[BLURS[:2].H @ BLURS[:2]] * 2)
    same(ours([X, X]), theirs([X, X]))


@value
class Square(Physics):
    """Not linear."""

    domain_ndim = 2

    def _forward(self, x: Any) -> Any:
        return x * x

    def _vjp(self, x: Any, v: Any) -> Any:
        return 2 * x * v


def test_what_is_not_linear(threads: DistributedContext) -> None:
    plain = stack(Square(), BLURS[0])
    x = X.real
    D, E = distribute(plain, threads), distribute(BLURS[:2], threads)
    ours, theirs = E @ (BLURS[:2].H @ D), BLURS[:2] @ (BLURS[:2].H @ plain)
    same(ours(x), theirs(x))
    assert_allclose(ours.A_vjp(x, theirs(x)), theirs.A_vjp(x, theirs(x)), rtol=1e-5)
    assert_array_equal((D @ (E.H @ E))(x)[0], (plain @ (BLURS[:2].H @ BLURS[:2]))(x)[0])


def test_what_is_made_of_distributed_operators_is_not_distributed(threads: DistributedContext) -> None:
    D = distribute(BLURS, threads)
    for given in (D, D.H, stack(D.H @ D), [D.H @ D, D.H @ D], distribute(COILS, threads) @ D.H):
        with pytest.raises(ParameterError, match="not distributed yet"):
            distribute(given, threads)
