"""Blur that changes over the field, against the sum that it is, pixel by pixel."""

import numpy as np
import pytest
from cases import PADDINGS, kernel, raises

from daskphys import backend
from daskphys.errors import ParameterError, ShapeError
from daskphys.physics import Blur, Diagonal, SpaceVaryingBlur, gaussian_blur
from daskphys.testing import check_physics

FILTERS = np.stack([kernel(3, 4, seed=i) for i in range(3)])
WEIGHTS = np.random.default_rng(0).uniform(0, 1, (3, 9, 8))


def dense(A, shape):
    eye = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    return A(eye).reshape(len(eye), -1).T


@pytest.mark.parametrize("padding", PADDINGS)
def test_laws(padding):
    check_physics(SpaceVaryingBlur(FILTERS, WEIGHTS, padding), ((9, 8), (2, 9, 8)))


def test_laws_of_channels_and_volumes():
    colour = np.stack([FILTERS, FILTERS[::-1]])
    check_physics(SpaceVaryingBlur(colour, WEIGHTS), ((2, 9, 8), (3, 2, 9, 8)))
    volume = np.stack([kernel(2, 3, 2, seed=i) for i in range(2)])
    weights = np.random.default_rng(1).uniform(0, 1, (2, 4, 5, 6))
    check_physics(SpaceVaryingBlur(volume, weights, "valid", ndim=3), ((4, 5, 6),))


def test_reference(reference):
    case = reference("space_varying_blur")
    A = SpaceVaryingBlur(case["filters"], case["multipliers"], case.op["padding"])
    for got, expected in (
        (A(case["x"]), case["y"]),
        (A.A_adjoint(case["v"]), case["Atv"]),
        (A.A_adjoint_A(case["x"]), case["AtAx"]),
    ):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


def test_each_pixel_spreads_by_the_kernels_of_its_place():
    """A column of the matrix is Σₖ wₖ hₖ, moved to the pixel."""
    M = dense(SpaceVaryingBlur(FILTERS, WEIGHTS), (9, 8)).reshape(9, 8, 9, 8)
    for i, j in ((0, 0), (4, 3), (8, 7)):
        own = np.tensordot(WEIGHTS[:, i, j], FILTERS, 1)
        placed = np.zeros((9, 8))
        placed[:3, :4] = own
        np.testing.assert_allclose(M[:, :, i, j], np.roll(placed, (i - 1, j - 2), (0, 1)), atol=1e-12)


def test_a_grid_of_equal_kernels_is_one_blur(rng):
    k = gaussian_blur(1.0)
    A = SpaceVaryingBlur.from_grid(np.broadcast_to(k[0], (3, 2, 9, 9)), (31, 24), "reflect")
    x = rng.random((2, 31, 24))
    np.testing.assert_allclose(A(x), Blur(k, "reflect")(x), atol=1e-12)
    np.testing.assert_allclose(A.multipliers.sum(0), 1.0)


def test_the_middle_of_a_cell_has_its_own_kernel():
    psfs = np.random.default_rng(0).random((3, 2, 3, 3))
    A = SpaceVaryingBlur.from_grid(psfs, (15, 10))
    x = np.zeros((15, 10))
    x[7, 2] = 1.0
    np.testing.assert_allclose(A(x)[6:9, 1:4], psfs[1, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (
            lambda: SpaceVaryingBlur(FILTERS[:2], WEIGHTS),
            ShapeError,
            ["as many kernels", "(2, 3, 4)", "(3, 9, 8)"],
        ),
        (
            lambda: SpaceVaryingBlur(FILTERS[0], WEIGHTS),
            ShapeError,
            ["filters", "(…, K, h, w)", "filters[None]"],
        ),
        (
            lambda: SpaceVaryingBlur(np.stack([FILTERS] * 3), np.stack([WEIGHTS] * 2)),
            ShapeError,
            ["as many channels", "(3, 3, 3, 4)", "(2, 3, 9, 8)"],
        ),
        (lambda: SpaceVaryingBlur(FILTERS, WEIGHTS * 1j), ParameterError, ["real multipliers"]),
        (lambda: SpaceVaryingBlur(FILTERS, WEIGHTS * np.nan), ParameterError, ["NaN"]),
        (lambda: SpaceVaryingBlur(FILTERS, WEIGHTS, "zero"), ParameterError, ["zero"]),
        (lambda: SpaceVaryingBlur(FILTERS, WEIGHTS, ndim=1), ParameterError, ["ndim 2 or 3"]),
        (
            lambda: SpaceVaryingBlur(FILTERS, WEIGHTS)(np.ones((9, 9))),
            ShapeError,
            ["(9, 8)", "(9, 9)", "multipliers"],
        ),
        (lambda: SpaceVaryingBlur.from_grid(FILTERS[None], 9), ShapeError, ["(height, width)", "got 9"]),
        (lambda: SpaceVaryingBlur.from_grid(FILTERS[None], (9.5, 8)), ShapeError, ["from_grid", "(9.5, 8)"]),
        (lambda: SpaceVaryingBlur.from_grid(FILTERS, (9, 8)), ShapeError, ["(rows, columns, h, w)"]),
        (
            lambda: SpaceVaryingBlur.from_grid(FILTERS[None], (9, 2)),
            ShapeError,
            ["one pixel a cell", "(1, 3)"],
        ),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [3, 17])
def test_sums_are_taken_before_the_last_transform(padding, size, rng):
    """K + 1 transforms, and none where the kernels are small."""
    profiles, weights = rng.random((4, size)), rng.random((4, 160, 150))
    filters = profiles[:, :, None] * profiles[:, None, :]  # separable: small ones are convolved directly
    A, x = SpaceVaryingBlur(filters, weights, padding), rng.random((2, 160, 150))
    y = A(x)
    with backend.count_transforms() as count:
        A(x)
        assert count.total == A._cost(x.shape, "float64").transforms
        A.A_adjoint(y)
    assert (count.forward, count.inverse) == ((0, 0) if size == 3 else (5, 5))
    terms = [Blur(h, padding) @ Diagonal(w) for h, w in zip(filters, weights, strict=True)]
    np.testing.assert_allclose(y, sum(t(x) for t in terms), rtol=1e-12)
    np.testing.assert_allclose(A.A_adjoint(y), sum(t.A_adjoint(y) for t in terms), rtol=1e-11)
