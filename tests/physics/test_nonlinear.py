"""Sensors that are not linear: their gradients, stacks with linear ones, and what needs linearity."""

import dask.array as da
import numpy as np
import pytest
from cases import kernel, raises

from daskphys import optim
from daskphys.errors import (
    DtypeError,
    NotLinearError,
    ParameterError,
    ShapeError,
    UnsupportedArrayError,
)
from daskphys.physics import (
    Blur,
    Diagonal,
    GaussianNoise,
    Identity,
    LinearPhysics,
    MatrixOperator,
    NonlinearStack,
    PhaseRetrieval,
    Physics,
    PoissonNoise,
    StackedPhysics,
    stack,
    value,
)
from daskphys.testing import check_physics

RNG = np.random.default_rng(0)
M = RNG.standard_normal((7, 5)) + 1j * RNG.standard_normal((7, 5))
N = PhaseRetrieval(MatrixOperator(M))
CODES = np.exp(2j * np.pi * RNG.random((3, 6, 7)))
BLUR = Blur(kernel(3, 2))
S = stack(BLUR, *[PhaseRetrieval(Blur(kernel(2, 3), "valid") @ Diagonal(c)) for c in CODES], 2 * BLUR)


def complex_normal(*shape):
    return RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)


# -- phase retrieval against implementations that share nothing with it -----------------------------------------


def test_intensities_of_a_dense_matrix():
    x = complex_normal(3, 5)
    np.testing.assert_allclose(N(x), np.abs(x @ M.T) ** 2, rtol=1e-13)
    assert N(x).dtype == np.float64
    assert N(x.astype(np.complex64)).dtype == np.float32
    assert N.range_shape((3, 5)) == (3, 7)


@pytest.mark.parametrize("real", [True, False])
def test_the_gradient_is_that_of_torch(real):
    torch = pytest.importorskip("torch")
    x = RNG.standard_normal((2, 5)) if real else complex_normal(2, 5)
    v = RNG.standard_normal((2, 7))
    t = torch.tensor(x, requires_grad=True)
    ((t.to(torch.complex128) @ torch.tensor(M).T).abs() ** 2 * torch.tensor(v)).sum().backward()
    np.testing.assert_allclose(N.A_vjp(x, v), t.grad.numpy(), rtol=1e-12)
    assert N.A_vjp(x, v).dtype == x.dtype


def test_gradient_descent_finds_the_image_to_a_phase():
    A, x = PhaseRetrieval(MatrixOperator(complex_normal(40, 5))), complex_normal(5)
    y, z = A(x), x + 0.3 * complex_normal(5)
    for _ in range(1000):
        z = z - 2e-4 * A.A_vjp(z, A(z) - y)
    z *= np.exp(-1j * np.angle(np.vdot(x, z)))
    np.testing.assert_allclose(z, x, atol=1e-6)


# -- stacks and products ------------------------------------------------------------------------------------------


def test_a_stack_is_linear_where_all_sensors_are():
    assert isinstance(S, NonlinearStack)
    assert not isinstance(S, LinearPhysics)
    assert isinstance(S[:1], StackedPhysics)
    assert isinstance(S[1:], NonlinearStack)
    assert all(isinstance(A, Physics) for A in (S, S[0], S[1], S[:1]))
    assert stack(S[:1], S[1:]) == S
    assert [type(s).__name__ for s in S @ BLUR] == ["Composed", "Chained", "Chained", "Chained", "Composed"]
    assert repr(S[1]) == "PhaseRetrieval(Blur(2×3, valid) @ Diagonal(6×7))"


def test_the_gradient_of_a_stack_is_the_sum():
    x = complex_normal(2, 6, 7)
    v = [RNG.standard_normal(s) for s in S.range_shape(x)]
    expected = sum(A.A_vjp(x, own) for A, own in zip(S, v, strict=True))
    np.testing.assert_allclose(S.A_vjp(x, v), expected, rtol=1e-12)
    real = S.A_vjp(x.real.copy(), v)
    assert real.dtype == np.float64


def test_products_of_all_kinds():
    x = complex_normal(5)
    D = Diagonal(np.arange(1.0, 8))
    np.testing.assert_array_equal((D @ N)(x), D(N(x)))
    np.testing.assert_array_equal((N @ Diagonal(np.arange(5.0)))(x), N(np.arange(5.0) * x))
    twice = PhaseRetrieval(Identity()) @ N
    np.testing.assert_allclose(twice(x), N(x) ** 2)
    assert repr(D @ N) == "Diagonal(7) @ PhaseRetrieval(MatrixOperator(7×5))"
    np.testing.assert_array_equal(N @ x, N(x))
    check_physics(twice, [(5,), (2, 5)], portable=False)


def test_noise():
    A, x = N.with_noise(PoissonNoise(0.01)), complex_normal(2, 5)
    assert not np.array_equal(A(x), N(x))
    np.testing.assert_array_equal(A(x, seed=1), A(x, seed=1))
    np.testing.assert_array_equal(A.A(x), N(x))
    assert (A @ Identity()).noise_model == PoissonNoise(0.01)
    assert repr(A) == "PhaseRetrieval(MatrixOperator(7×5), noise_model=PoissonNoise(0.01))"
    B = S.with_noise(GaussianNoise(0.1))
    x = complex_normal(6, 7)
    with raises(DtypeError, "sensor 0", "expected real", "complex128"):  # the blur's measurement is complex
        B(x)
    assert len(B(x.real.copy(), seed=0)) == 5


# -- arrays of other kinds ----------------------------------------------------------------------------------------


def test_lazily():
    x = complex_normal(4, 6, 7)
    v = [RNG.standard_normal(s) for s in S.range_shape(x)]
    lazy, parts = da.from_array(x, chunks=(3, 6, 7)), [da.from_array(a, chunks=(2, -1, -1)) for a in v]
    for got, expected in zip(S(lazy), S(x), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got.compute(), expected)
    made = S.A_vjp(lazy, parts)
    assert made.shape == x.shape
    assert made.dtype == x.dtype
    np.testing.assert_array_equal(made.compute(), S.A_vjp(x, v))
    with raises(ShapeError, "A_vjp", "expected one chunk along the last 2 axes"):
        S.A_vjp(da.from_array(x, chunks=(2, 3, 7)), parts)


def test_autograd():
    torch = pytest.importorskip("torch")
    x = torch.tensor(complex_normal(6, 7), requires_grad=True)
    y = S(x)
    v = [torch.tensor(complex_normal(*a.shape)) for a in y]
    sum((a * b.conj()).real.sum() for a, b in zip(y, v, strict=True)).backward()
    own = [b if a.is_complex() else b.real for a, b in zip(y, v, strict=True)]
    expected = S.A_vjp(x.detach().numpy(), [b.numpy() for b in own])
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12)
    assert torch.autograd.gradcheck(N, (torch.tensor(RNG.standard_normal(5), requires_grad=True),))
    noisy = N.with_noise(GaussianNoise(0.1, seed=0))
    assert torch.autograd.gradcheck(noisy, (torch.tensor(complex_normal(5), requires_grad=True),))


def test_a_gradient_has_no_gradient():
    torch = pytest.importorskip("torch")
    x = torch.tensor(RNG.standard_normal(5), requires_grad=True)
    (g,) = torch.autograd.grad((N(x) ** 2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()
    with raises(NotLinearError, "A_vjp has no gradient"):
        N.A_vjp(x, torch.ones(7, dtype=torch.float64)).sum().backward()


# -- the laws find what is wrong ----------------------------------------------------------------------------------


@value
class Cubes(Physics):
    """x³, with a gradient that can be wrong."""

    factor: float = 3.0

    def _forward(self, x):
        return x**3

    def _vjp(self, x, v):
        return self.factor * (x**2).conj() * v if np.iscomplexobj(x) else self.factor * x**2 * v


def test_the_laws_hold():
    check_physics(Cubes(), [(4,), (2, 3)], portable=False)


def test_a_wrong_gradient():
    with pytest.raises(AssertionError, match=r"Cubes\(2.0\) breaks “Re ⟨A_vjp\(x, v\), d⟩ is the derivative"):
        check_physics(Cubes(2.0), [(4,)], portable=False)


def test_a_gradient_of_another_dtype():
    @value
    class Wide(Cubes):
        def _vjp(self, x, v):
            return super()._vjp(x, v) + 0j

    with pytest.raises(AssertionError, match="the dtype of x” on float32"):
        check_physics(Wide(), [(4,)], portable=False)


def test_an_operator_whose_bits_depend_on_the_batch():
    @value
    class Centred(Cubes):
        def _forward(self, x):
            return (x - x.mean()) ** 3

    with pytest.raises(AssertionError, match="a batch gives the same bits"):
        check_physics(Centred(), [(4,)], portable=False)


# -- what needs linearity, and bad input ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("A_adjoint", lambda A, x: A.A_adjoint(x)),
        ("A_adjoint_A", lambda A, x: A.A_adjoint_A(x)),
        ("A_A_adjoint", lambda A, x: A.A_A_adjoint(x)),
        ("A_dagger", lambda A, x: A.A_dagger(x)),
        ("compute_norm", lambda A, x: A.compute_norm((5,))),
        ("compute_sqnorm", lambda A, x: A.compute_sqnorm((5,))),
        ("normal", lambda A, x: A.normal((5,))),
        ("H", lambda A, x: A.H),
        ("multiple", lambda A, x: 2 * A),
        ("multiple", lambda A, x: -A),
        ("multiple", lambda A, x: A / 2),
        ("sum", lambda A, x: A + A),
        ("sum", lambda A, x: MatrixOperator(M) + A),
        ("difference", lambda A, x: A - A),
    ],
)
def test_what_needs_linearity_says_so(name, ask):
    for A in (N, stack(N, MatrixOperator(M))):
        with raises(NotLinearError, repr(A), f"is not linear and has no {name}", "A_vjp"):
            ask(A, complex_normal(5))


@pytest.mark.parametrize("solve", [optim.cg, optim.lsqr, optim.lsmr])
def test_solvers_want_linear_operators(solve):
    with raises(UnsupportedArrayError, f"optim.{solve.__name__} expected a linear operator", repr(N)):
        solve(N, np.ones(7))


def test_bad_input():
    x = complex_normal(5)
    with raises(ParameterError, "PhaseRetrieval", "linear operator", "NonlinearStack"):
        PhaseRetrieval(S)
    with raises(ParameterError, "PhaseRetrieval", "one a sensor", "stack(*["):
        PhaseRetrieval(stack(BLUR, BLUR))
    with raises(ShapeError, f"{N!r}.A_vjp", "expected v of shape (7,)", "got (5,)"):
        N.A_vjp(x, np.ones(5))
    with raises(ShapeError, repr(S), "5 sensors", "got one"):
        S.A_vjp(complex_normal(6, 7), np.ones(5))
    with raises(DtypeError, f"{N!r}.A_vjp", "real v", "complex128"):
        N.A_vjp(x, np.ones(7) + 0j)
    with raises(DtypeError, f"{N!r}.A_vjp", "one precision", "float32"):
        N.A_vjp(x, np.ones(7, np.float32))
    with raises(ShapeError, "does not take what the right one gives"):
        N @ S
    assert sum([MatrixOperator(M)] * 2, start=MatrixOperator(M)) is not None
    with pytest.raises(TypeError, match="unsupported operand"):
        1 + BLUR
