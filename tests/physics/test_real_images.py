"""Operators with complex measurements on real images."""

import dask.array as da
import numpy as np
import pytest
from cases import raises
from operators import NonUniformFourier, matrix, points
from sensors import Coils, PhasedCoils

from daskphys import optim
from daskphys.errors import DtypeError
from daskphys.physics import (
    Blur,
    Diagonal,
    Measurements,
    OfRealImages,
    block_diagonal,
    gaussian_blur,
    hstack,
    stack,
)
from daskphys.testing import check_physics

SIZES = (5, 4)
FOURIER = OfRealImages(NonUniformFourier(points(30, 2), SIZES))


def split(y):
    return np.concatenate([np.ravel(y.real), np.ravel(y.imag)])


def test_least_squares_are_those_of_the_real_and_imaginary_rows(rng):
    """Against NumPy, with each complex measurement as two real ones."""
    dense = matrix(FOURIER, SIZES)
    rows = np.concatenate([dense.real, dense.imag])
    y = rng.standard_normal(30) + 1j * rng.standard_normal(30)
    expected = np.linalg.lstsq(rows, split(y), rcond=None)[0].reshape(SIZES)
    for solve in (FOURIER.A_dagger, *(lambda y, f=f: f(FOURIER, y, rtol=1e-12) for f in SOLVERS)):
        got = solve(y)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected, atol=1e-9)
    assert FOURIER.compute_norm(SIZES) == pytest.approx(np.linalg.norm(rows, 2))


SOLVERS = (optim.cg, optim.lsqr, optim.lsmr)


@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_start_from_a_real_image(solver, rng):
    x = rng.random(SIZES, dtype=np.float32)
    got = solver(FOURIER, FOURIER(x), x0=x, max_iter=5)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, x, atol=1e-5)
    with raises(DtypeError, "x0", "expected a real image", "complex64"):
        solver(FOURIER, FOURIER(x), x0=x + 0j)


def test_the_adjoint_as_an_operator_takes_the_real_part(rng):
    """Aᴴ is linear over the reals alone, and so are its products with complex operators."""
    B = 1j * FOURIER.H
    x = rng.standard_normal(SIZES) + 1j * rng.standard_normal(SIZES)
    y = rng.standard_normal(30) + 1j * rng.standard_normal(30)
    assert np.vdot(B(y), x).real == pytest.approx(np.vdot(y, B.A_adjoint(x)).real)
    C = (2j * Diagonal(np.ones(SIZES))) @ FOURIER.H
    assert np.vdot(C(y), x).real == pytest.approx(np.vdot(y, C.A_adjoint(x)).real)


def test_norms_of_what_takes_a_real_part(rng):
    """Against the largest singular value of the real matrix between real and imaginary parts."""
    weights = rng.standard_normal(4) * np.array([1, 1, 1j, 5j])  # the largest one is of an imaginary image
    A = OfRealImages(Diagonal(weights))
    for B in (A.H, stack(A.H, 2 * A.H), stack(A.H, Diagonal(np.ones(4))), A.H @ Diagonal(weights)):
        rows = []
        for x in (*np.eye(4), *(1j * np.eye(4))):
            y = B(x.astype(complex))
            rows.append(split(np.concatenate([*y]) if isinstance(y, Measurements) else y))
        assert B.compute_norm((4,)) == pytest.approx(np.linalg.norm(rows, 2))
        x = rng.standard_normal(4)
        made = B.A_adjoint_A(da.from_array(x))
        assert made.dtype == made.compute().dtype == B.A_adjoint_A(x).dtype == np.complex128


def test_norms_where_one_of_the_images_is_real(rng):
    c = rng.standard_normal(3) + 1j * rng.standard_normal(3)
    blocks = block_diagonal(OfRealImages(Diagonal(c)), Diagonal(np.ones(3)))
    B = hstack(Diagonal(np.array([1, 5j, 2])), Diagonal(np.ones(3))) @ blocks
    zero = np.zeros(3)
    images = [[x, zero + 0j] for x in np.eye(3)] + [[zero, f * x] for f in (1 + 0j, 1j) for x in np.eye(3)]
    assert B.compute_norm(((3,), (3,))) == pytest.approx(np.linalg.norm([split(B(x)) for x in images], 2))


def test_beside_complex_images_real_ones_stay_real(rng):
    B = block_diagonal(OfRealImages(Diagonal(np.array([1j, 2]))), Diagonal(np.ones(3)))
    x = [rng.random(2), rng.random(3) + 1j]
    assert [a.dtype for a in B.A_adjoint_A(x)] == [np.float64, np.complex128]
    assert [a.dtype for a in B.A_adjoint_A([da.from_array(a) for a in x])] == [np.float64, np.complex128]


def test_real_and_complex_images_do_not_mix():
    blur = Blur(gaussian_blur(0.5))
    for make in (stack, lambda a, b: a + b):
        with raises(DtypeError, repr(OfRealImages(blur)), "real images alone", repr(blur), "OfRealImages(A)"):
            make(OfRealImages(blur), blur)
    with raises(DtypeError, "expected real images", "got complex ones"):
        FOURIER @ (1j * blur)


def test_a_sensor_axis(rng):
    maps = np.exp(1j * rng.random((7, *SIZES)))
    A = PhasedCoils(maps)
    check_physics(A, [SIZES, (2, *SIZES)])
    x, y = rng.random((2, *SIZES)), rng.random((2, 7, *SIZES)) + 1j
    np.testing.assert_array_equal(A(x), Coils(maps)(x))
    np.testing.assert_allclose(A.A_adjoint(y), Coils(maps).A_adjoint(y).real, atol=1e-14)


def test_gradients_reach_real_tensors():
    torch = pytest.importorskip("torch")
    x = torch.ones(SIZES, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(FOURIER.A, x)
    y = torch.ones(30, dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(FOURIER.A_adjoint, y)
