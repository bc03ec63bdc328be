"""Solvers on workers: the same bits as those of the plain operator, whatever the blocks."""

import numpy as np
import pytest

from daskphys import optim
from daskphys.distributed import distribute
from daskphys.errors import FallbackWarning
from daskphys.physics import Diagonal, Measurements, stack
from daskphys.physics.base import PseudoInverse

LAM = 0.05


def same(got, expected):
    many = isinstance(expected, Measurements)
    for a, b in zip(got if many else [got], expected if many else [expected], strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()


@pytest.fixture(params=["auto", 2], ids=["a block a sensor", "two sensors a block"])
def pair(request, threads, mixed):
    """A stack that does not merge, and itself on workers."""
    return mixed, distribute(mixed, threads, chunks=request.param)


@pytest.mark.parametrize("solve", [optim.cg, optim.lsqr, optim.lsmr])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_iterations_have_the_bits_of_the_plain_operator(solve, dtype, pair, image):
    A, D = pair
    x = image[:, :24, :20].astype(dtype)
    y, residuals = A(x), []
    expected = solve(A, y, lam=LAM, rtol=1e-3, x0=x / 2, callback=lambda i, r: residuals.append((i, r)))
    heard = []
    got = solve(D, y, lam=LAM, rtol=1e-3, x0=x / 2, callback=lambda i, r: heard.append((i, r)))
    assert heard == residuals
    assert len(heard) > 1
    same(got, expected)


def test_the_pseudo_inverse_and_the_norm_have_the_bits_of_the_plain_operator(pair, image):
    A, D = pair
    x = image[0, :24, :20]
    same(D.A_dagger(A(x), rtol=1e-3), A.A_dagger(A(x), rtol=1e-3))
    with pytest.warns(FallbackWarning, match="at each iteration"):
        got = PseudoInverse(D, 1e-3).A_adjoint(x)
    same(got, PseudoInverse(A, 1e-3).A_adjoint(x))
    assert D.compute_norm(x.shape, rtol=1e-3) == A.compute_norm(x.shape, rtol=1e-3)


@pytest.mark.parametrize("solve", [optim.cg, optim.lsmr])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_normal_operator_is_solved_on_the_workers(solve, weighted, pair, image):
    A, D = pair
    x, weights = image[:2, :24, :20], [0.5, 2, 0, 1, 3] if weighted else None
    G, H = A.normal(x.shape, weights=weights), D.normal(x.shape, weights=weights)
    for x0 in (None, x / 2):
        same(solve(H, G(x), lam=LAM, rtol=1e-3, x0=x0), solve(G, G(x), lam=LAM, rtol=1e-3, x0=x0))
        assert "of AᴴA" in D.report().method
        assert D.report().tasks == 1
    assert H.compute_norm((24, 20), rtol=1e-3) == G.compute_norm((24, 20), rtol=1e-3)
    assert "Lanczos of AᴴA" in D.report().method


def test_what_has_no_resident_solve_says_so_once(threads, mixed, image):
    A, D = mixed, distribute(mixed, threads)
    x = image[0, :24, :20]
    with pytest.warns(FallbackWarning, match="DistributedPhysics.*calls to the cluster at each iteration"):
        got = optim.cg(D.H, x, lam=LAM, rtol=1e-1)
    same(got, optim.cg(A.H, x, lam=LAM, rtol=1e-1))
    B = A[0]
    same(optim.cg(B @ D.H, x, lam=LAM, rtol=1e-1), optim.cg(B @ A.H, x, lam=LAM, rtol=1e-1))
    assert any("at each iteration" in note for note in D.report().notes)


def test_what_merges_sends_nothing_an_iteration(threads, blurs, image):
    """One call for Aᴴy; the merged operator iterates beside the image, or needs no iteration at all."""
    D = distribute(blurs, threads)
    y, iterations = blurs(image), []
    D.normal(image.shape)
    calls = []
    run = D.runner.run
    D.runner.run = lambda what, *rest, **how: calls.append(what) or run(what, *rest, **how)
    same(optim.cg(D, y, lam=LAM, callback=lambda i, r: iterations.append(i)), optim.cg(blurs, y, lam=LAM))
    assert len(iterations) > 3
    assert calls == ["A_adjoint"]
    same(optim.tikhonov(D, y, LAM), optim.tikhonov(blurs, y, LAM))
    assert calls == ["A_adjoint"] * 2


@pytest.mark.parametrize("lam", [0.0, LAM])
def test_tikhonov_iterates_where_what_merges_has_no_closed_inverse(lam, threads, blurs, image):
    A = stack(*blurs[:3], Diagonal(1 + image[0]))
    D, y = distribute(A, threads), A(image)
    same(optim.tikhonov(D, y, lam, rtol=1e-3), optim.tikhonov(A, y, lam, rtol=1e-3))


def test_processes(processes, mixed, image):
    D, x = distribute(mixed, processes), image[0, :24, :20]
    y = mixed(x)
    same(optim.lsmr(D, y, lam=LAM, rtol=1e-3), optim.lsmr(mixed, y, lam=LAM, rtol=1e-3))


def test_right_hand_sides_are_problems_of_their_own(threads, mixed, rng):
    D, x = distribute(mixed, threads), rng.standard_normal((3, 24, 20)).astype(np.float32)
    y = mixed(x)
    together = optim.cg(D, y, lam=LAM, rtol=1e-3)
    for i in range(3):
        same(together[i], optim.cg(mixed, y.map(lambda a, i=i: a[i]), lam=LAM, rtol=1e-3))
