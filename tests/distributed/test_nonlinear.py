"""Sensors that are not linear on a cluster: the bits of the plain ones, for gradients too."""

import dask.array as da
import numpy as np
import pytest
from cases import kernel, raises

from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import NotLinearError, ParameterError
from daskphys.physics import Blur, Diagonal, GaussianNoise, PhaseRetrieval, PoissonNoise, stack

RNG = np.random.default_rng(0)
CODES = np.exp(2j * np.pi * RNG.random((5, 12, 10)))


def intensity(index):
    return PhaseRetrieval(Blur(kernel(2, 3), "valid") @ Diagonal(CODES[index]))


A = stack(Blur(kernel(3, 2)), *map(intensity, range(5)), 2 * Blur(kernel(3, 3), "reflect"))
X = (RNG.standard_normal((2, 12, 10)) + 1j * RNG.standard_normal((2, 12, 10))).astype(np.complex64)
V = [RNG.standard_normal(s).astype(np.float32) for s in A.range_shape(X)]


def same(got, expected):
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_bits_of_the_plain_operator(workers):
    y, g = A(X), A.A_vjp(X, V)
    with DistributedContext(n_workers=workers) as ctx:
        for chunks in ("auto", 1, 7):
            D = distribute(A, ctx, chunks=chunks)
            same(D(X), y)
            same([D.A_vjp(X, V)], [g])
        assert D.report().method == "A_vjp"
        same((D @ Blur(kernel(2, 2))).A(X), (A @ Blur(kernel(2, 2))).A(X))
        assert type(D[1:4]).__name__ == "DistributedNonlinear"
        assert type(D[-1:]).__name__ == "DistributedPhysics"
        same(D[1:4](X), A[1:4](X))


def test_in_processes_lazily_and_with_noise(processes):
    B = stack(*[a.with_noise(PoissonNoise(0.1)) for a in A[1:6]], A[0].with_noise(GaussianNoise(0.1)))
    x = X.real.copy()
    D = distribute(B, processes)
    same(D(x, seed=3), B(x, seed=3))
    v = [*V[1:6], V[0]]
    lazy, parts = da.from_array(x, chunks=(1, 12, 10)), [da.from_array(a, chunks=(1, -1, -1)) for a in v]
    with processes.client.as_current():
        same(D(lazy, seed=3).compute(), B(x, seed=3))
        same([D.A_vjp(lazy, parts).compute()], [B.A_vjp(x, v)])


def test_a_factory(threads):
    D, plain = distribute(intensity, threads, num_operators=5), stack(*map(intensity, range(5)))
    same(D(X), plain(X))
    same([D.A_vjp(X, V[1:6])], [plain.A_vjp(X, V[1:6])])
    mixed = lambda index: Blur(kernel(2, 3), "valid") if index < 2 else intensity(index)  # noqa: E731
    with raises(ParameterError, "all linear, as sensor 0", "the first"):
        distribute(mixed, threads, num_operators=4)


def test_autograd(threads):
    torch = pytest.importorskip("torch")
    D = distribute(A, threads)
    x = torch.tensor(X, requires_grad=True)
    sum((a * torch.tensor(v)).real.sum() for a, v in zip(D(x), V, strict=True)).backward()
    np.testing.assert_array_equal(x.grad.numpy(), A.A_vjp(X, V))


def test_what_needs_linearity_says_so(threads):
    D = distribute(A, threads)
    assert D.plan(X, calibrate=False).returned >= sum(a.nbytes for a in A(X))  # those of complex ones
    for _ in range(2):  # the first makes spectra
        D.A_vjp(X, V)
    plan, done = D.plan(X, "A_vjp", calibrate=False), D.report()
    assert (plan.returned, plan.tasks, plan.transforms) == (X.nbytes, done.tasks, done.transforms)
    for ask in (
        lambda: D.H,
        lambda: D.A_adjoint(V),
        lambda: 2 * D,
        lambda: D.plan(X, "A_adjoint"),
        lambda: D.visualize("normal", None),
    ):
        with raises(NotLinearError, "DistributedNonlinear(7 sensors", "is not linear"):
            ask()
