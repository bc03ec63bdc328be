"""Weights per sensor: Σ wᵢ AᵢᴴAᵢ."""

import numpy as np
import pytest
from cases import CIRCULAR, MIXED, RAGGED, blur, raises
from operators import matrix

from daskphys.errors import ParameterError, ShapeError, UnknownKeywordError
from daskphys.physics import Diagonal, FourierMultiplier, Identity, NormalSum, stack
from daskphys.physics.base import Gram
from daskphys.physics.weighted import WeightedGram

SHAPE = (6, 7)
UNLIKE = stack(blur("circular", 2, 3), Diagonal(np.arange(42.0).reshape(SHAPE) / 42), Identity(0.5))
STACKS = {"merging": CIRCULAR, "valid": RAGGED, "mixed": MIXED, "unlike": UNLIKE, "one": CIRCULAR[:1]}


@pytest.mark.parametrize("name", STACKS)
def test_it_is_the_weighted_gram_matrix(name, rng):
    A = STACKS[name]
    w = rng.uniform(0, 3, len(A))
    w[0] = 0.0 if len(A) > 1 else 2.0
    dense = sum(own * matrix(a, SHAPE).T @ matrix(a, SHAPE) for own, a in zip(w, A, strict=True))
    N = A.normal(SHAPE, weights=w)
    merged = {"merging": FourierMultiplier, "one": FourierMultiplier, "unlike": NormalSum}
    assert isinstance(N, merged.get(name, WeightedGram))
    np.testing.assert_allclose(matrix(N, SHAPE), dense, atol=1e-12)
    x = rng.standard_normal((2, *SHAPE)).astype(np.float32)
    assert N(x).dtype == np.float32
    np.testing.assert_allclose(N(x).reshape(2, -1), x.reshape(2, -1) @ dense, atol=2e-5)


@pytest.mark.parametrize("name", STACKS)
def test_weights_of_one_change_no_bit(name, rng):
    A, x = STACKS[name], rng.standard_normal(SHAPE).astype(np.float32)
    ones = np.ones(len(A))
    np.testing.assert_array_equal(A.normal(SHAPE, weights=ones)(x), A.normal(SHAPE)(x))
    np.testing.assert_array_equal(A.normal(SHAPE, list(map(int, ones)))(x), A.normal(SHAPE)(x))


def test_the_merged_one_has_its_closed_forms():
    w = [1.0, 0.25, 4.0]
    N = CIRCULAR.normal(SHAPE, weights=w)
    dense = matrix(N, SHAPE)
    np.testing.assert_allclose(matrix(N.inv(0.3), SHAPE), np.linalg.inv(dense + 0.3 * np.eye(42)), atol=1e-10)
    assert N.norm() == pytest.approx(np.linalg.norm(dense, 2), rel=1e-12)
    assert not RAGGED.normal(SHAPE, weights=w).closed_form


def test_weights_of_other_libraries(rng):
    torch = pytest.importorskip("torch")
    xp = pytest.importorskip("array_api_strict")
    w = rng.uniform(0, 1, 3)
    expected = CIRCULAR.normal(SHAPE, weights=w)
    for given in (torch.from_numpy(w), xp.asarray(w), tuple(w), Diagonal(w).entries):
        assert CIRCULAR.normal(SHAPE, weights=given) == expected


@pytest.mark.parametrize("A", [CIRCULAR, RAGGED], ids=["merging", "valid"])
def test_bad_weights(A):
    for wrong, got in (
        ([1, 2], "got 2 weights"),
        ([1, 2, 3, 4], "got 4 weights"),
        ([], "got 0 weights"),
        (1.0, "got an array of shape ()"),
        ([[1, 2, 3]], "got an array of shape (1, 3)"),
    ):
        with raises(ShapeError, "expected 3 weights, one a sensor", got):
            A.normal(SHAPE, weights=wrong)
    for wrong, got in (
        ([1, -2, 3], "got -2 for sensor 1"),
        ([1, 2, np.nan], "got nan for sensor 2"),
        ([np.inf, 2, 3], "got inf for sensor 0"),
        ([1j, 2, 3], "complex128"),
        (["a", "b", "c"], "got list"),
        ([None, 1, 2], "object"),
    ):
        with raises(ParameterError, "expected 3 weights, one a sensor, real and not negative", got):
            A.normal(SHAPE, weights=wrong)
    assert issubclass(ParameterError, ValueError)
    assert issubclass(ShapeError, ValueError)


def test_one_operator_has_no_weights():
    for A in (CIRCULAR[0], blur("valid", 2, 2), Gram(RAGGED), 2 * CIRCULAR[0]):
        with raises(ParameterError, repr(A), "normal got weights", "no sensor axis", "stack(A, B)"):
            A.normal(SHAPE, weights=[1.0])
    with raises(UnknownKeywordError, "no keyword 'weight'", "did you mean 'weights'?"):
        CIRCULAR.normal(SHAPE, weight=[1, 2, 3])
