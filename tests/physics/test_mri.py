"""Coils and Fourier encoding, against einsum, direct sums and reference vectors."""

import numpy as np
import pytest
from cases import raises

from daskphys.errors import ParameterError, ShapeError
from daskphys.physics import CoilMaps, Diagonal


def random(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


# -- coils -----------------------------------------------------------------------------------------------------


def test_coils_multiply(rng):
    maps, x = random(rng, 3, 4, 6, 5), random(rng, 2, 3, 6, 5)
    S = CoilMaps(maps)
    y = random(rng, 2, 3, 4, 6, 5)
    np.testing.assert_allclose(S(x), np.einsum("tchw,bthw->btchw", maps, x))
    np.testing.assert_allclose(S.A_adjoint(y), np.einsum("tchw,btchw->bthw", maps.conj(), y))


def test_coils_merge_into_a_diagonal(rng):
    maps = random(rng, 5, 3, 4, 6)
    N = CoilMaps(maps, ndim=3).normal((3, 4, 6))
    assert isinstance(N, Diagonal)
    np.testing.assert_allclose(N.diagonal(), (abs(maps) ** 2).sum(0))


def test_maps_stay_in_single_precision(rng):
    given = random(rng, 2, 4, 4).astype(np.complex64)
    S = CoilMaps(given)
    assert S.nbytes == given.nbytes
    assert S(np.ones((4, 4), np.float32)).dtype == np.complex64
    assert S(np.ones((4, 4))).dtype == np.complex128
    swapped = CoilMaps(given.astype(">c8"))
    assert swapped == S


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: CoilMaps(np.ones((4, 5))), ShapeError, ["CoilMaps", "(…, coil, H, W)", "(4, 5)", "[None]"]),
        (lambda: CoilMaps(np.ones((4, 4, 5)), ndim=3), ShapeError, ["(…, coil, D, H, W)", "(4, 4, 5)"]),
        (lambda: CoilMaps(np.ones((4, 4, 5)), ndim=1), ParameterError, ["ndim 2 or 3", "1"]),
        (lambda: CoilMaps(np.full((2, 4, 5), np.nan)), ParameterError, ["finite", "NaN"]),
        (lambda: CoilMaps(np.zeros((2, 4, 5))), ParameterError, ["zeros", "coil 0", "leave it out"]),
        (
            lambda: CoilMaps(np.arange(3.0)[::-1, None, None] * np.ones((3, 4, 5))),
            ParameterError,
            ["zeros", "coil 2"],
        ),
        (lambda: CoilMaps(np.ones((2, 4, 5)))(np.ones((5, 4))), ShapeError, ["(4, 5)", "(5, 4)"]),
        (
            lambda: CoilMaps(np.ones((3, 2, 4, 5)))(np.ones((2, 4, 5))),
            ShapeError,
            ["3 channels", "(2, 4, 5)"],
        ),
        (
            lambda: CoilMaps(np.ones((2, 4, 5))).A_adjoint(np.ones((3, 4, 5))),
            ShapeError,
            ["2 coils", "axis -3", "(3, 4, 5)"],
        ),
    ],
)
def test_bad_coils(make, error, parts):
    with raises(error, *parts):
        make()
