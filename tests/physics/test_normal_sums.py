"""Stacks of unlike operators: AᴴA with one term a kind, in an order that no cut into blocks changes."""

import itertools

import numpy as np
import pytest
from cases import CIRCULAR, RAGGED, blur, entries, lags, raises
from hypothesis import given
from hypothesis import strategies as st
from operators import Mask, NonUniformFourier, matrix, points

from daskphys import backend
from daskphys.errors import NotClosedFormError, ParameterError
from daskphys.pairwise import PairwiseSum
from daskphys.physics import Diagonal, FourierMultiplier, Identity, NormalSum, Toeplitz, stack
from daskphys.physics.base import Gram, Sum
from daskphys.physics.blockproducts import normal_parts
from daskphys.physics.normal_kind import DIAGONAL, IDENTITY, fourier, joined, toeplitz

SHAPE = (6, 7)

TERMS = {
    "diagonal": Diagonal(entries(*SHAPE)),
    "fourier": blur("circular", 3, 4).normal(SHAPE),
    "rows": blur("circular", 3, ndim=1).normal(SHAPE),
    "toeplitz": Toeplitz.from_kernel(lags(*SHAPE)),
    "complex toeplitz": Toeplitz.from_kernel(lags(*SHAPE, phase=1)),
    "identity": Identity(0.75),
}


def unlike(n=7):
    """Masks and blurs by turns, of which some are scaled."""
    rng = np.random.default_rng(0)
    return stack(
        *[
            (1 + i / 3) * (Mask(rng.random(SHAPE) < 0.7) if i % 2 else blur("circular", 2, 3, seed=i))
            for i in range(n)
        ]
    )


@given(st.lists(st.sampled_from(sorted(TERMS)), min_size=1, max_size=6))
def test_any_sum_has_one_term_a_kind_and_is_the_sum(names):
    values = [TERMS[name] for name in names]
    total = values[0]
    for term in values[1:]:
        total = total + term
    assert total.kind == joined(term.kind for term in values)
    kinds = [term.kind.terms for term in total.parts]
    assert kinds == sorted(set(kinds))
    assert total.closed_form == (len(kinds) == 1 and "toeplitz 2" not in kinds[0])
    np.testing.assert_allclose(matrix(total, SHAPE), sum(matrix(term, SHAPE) for term in values), atol=1e-13)
    np.testing.assert_allclose(
        np.broadcast_to(total.diagonal(), SHAPE).ravel(), np.diag(matrix(total, SHAPE)), atol=1e-13
    )


def test_a_stack_of_unlike_operators(rng):
    A = unlike()
    N, dense = A.normal(SHAPE), np.concatenate([matrix(a, SHAPE) for a in A])
    assert A.normal_kind == DIAGONAL | fourier(2)
    assert isinstance(N, NormalSum)
    assert [type(t) for t in N.terms] == [Diagonal, FourierMultiplier]
    np.testing.assert_allclose(matrix(N, SHAPE), dense.T @ dense, atol=1e-12)
    assert A.compute_norm(SHAPE) == pytest.approx(np.linalg.norm(dense, 2), rel=1e-9)
    y = A(rng.standard_normal(SHAPE))
    expected = np.linalg.lstsq(dense, np.concatenate([a.ravel() for a in y]), rcond=None)[0]
    np.testing.assert_allclose(A.A_dagger(y).ravel(), expected, atol=1e-10)
    with backend.count_transforms() as count:
        A.A_adjoint_A(rng.standard_normal(SHAPE))
    assert count.total == 2, "one FFT pair for seven sensors"


def test_the_norm_iterates_with_the_merged_value(rng):
    A = unlike(50)
    A.normal(SHAPE)
    with backend.count_transforms() as count:
        A.compute_norm(SHAPE)
    # A pair an iteration; sensor by sensor it would be 50 transforms, and as many as this in three iterations.
    assert 0 < count.total <= 3 * 50


def test_all_of_it_at_once(rng):
    A = stack(
        Mask(rng.random(SHAPE) < 0.5),
        NonUniformFourier(points(20, 2), SHAPE),
        blur("circular", 3, 3),
        Identity(0.5),
        blur("circular", 4, ndim=1),
        2j * NonUniformFourier(points(9, 2, seed=1), SHAPE),
    )
    N, dense = A.normal(SHAPE), np.concatenate([matrix(a, SHAPE) for a in A])
    assert N.kind.terms == ("diagonal", "fourier 1", "fourier 2", "toeplitz 2")
    np.testing.assert_allclose(matrix(N, SHAPE), dense.conj().T @ dense, atol=1e-12)
    assert A.compute_norm(SHAPE) == pytest.approx(np.linalg.norm(dense, 2), rel=1e-9)
    assert A.A_adjoint_A(np.ones(SHAPE, np.float32)).dtype == np.complex64


@pytest.mark.parametrize("n", [3, 7, 8, 11])
def test_the_bits_do_not_depend_on_the_cut(n):
    A = unlike(n)
    expected = A.normal(SHAPE)
    for cuts in ([0, 1, n], [0, n // 2, n], [*range(n + 1)], [0, n - 1, n]):
        parts = [normal_parts(A[i:j], SHAPE, start=i) for i, j in itertools.pairwise(cuts)]
        assert PairwiseSum.join(parts).total() == expected, "equality is of every bit"


@given(
    st.lists(
        st.sampled_from([IDENTITY, DIAGONAL, fourier(1), fourier(2), toeplitz(2, True), None]), min_size=1
    )
)
def test_kinds_of_blocks_are_the_kind_of_the_whole(kinds):
    whole = joined(kinds)
    for cut in range(1, len(kinds)):
        assert joined((joined(kinds[:cut]), joined(kinds[cut:]))) == whole
    assert (whole is None) == (None in kinds)


def test_one_operator_that_does_not_merge_keeps_the_stack_from_it():
    A = stack(Mask(np.ones(SHAPE)), blur("valid", 2, 2))
    assert A.normal_kind is None
    assert isinstance(A.normal(SHAPE), Gram)
    assert not A.normal(SHAPE).closed_form


def test_multiples_of_sums(rng):
    N = unlike().normal(SHAPE)
    assert isinstance(-0.5 * N, NormalSum)
    np.testing.assert_allclose(matrix(-0.5 * N, SHAPE), -0.5 * matrix(N, SHAPE), atol=1e-14)
    x = rng.standard_normal(SHAPE)
    np.testing.assert_allclose((2j * N)(x), 2j * N(x), atol=1e-13)
    assert isinstance(N + CIRCULAR, Sum)
    assert isinstance(N + CIRCULAR.normal((8, 9)), Sum)


def test_where_there_is_no_closed_form_it_says_so():
    N = unlike().normal(SHAPE)
    for ask in (lambda: N.inv(0.1), lambda: N.pinv(), lambda: N.norm()):
        with pytest.raises(
            NotClosedFormError, match=r"\(Diagonal\(6×7\) \+ Fourier.* no closed form of .* 2 terms"
        ):
            ask()


def test_bad_parameters():
    D, F = TERMS["diagonal"], TERMS["fourier"]
    for terms in ((D,), (F, D), (D, D), (D, Identity()), (D, Diagonal(1j * entries(*SHAPE))), ()):
        with raises(ParameterError, "expected two or more self-adjoint terms of unlike kinds"):
            NormalSum(terms)
    for terms in ((D, RAGGED), (D, D + F)):
        with raises(ParameterError, "expected normal values", "add them with +"):
            NormalSum(terms)
