"""Sums over sensors have the same bits however the sensors are cut."""

import itertools
import operator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daskphys.pairwise import PairwiseSum, pairwise_sum


def terms(n, seed=0):
    """Numbers of very unlike sizes, whose sum depends on the order."""
    rng = np.random.default_rng(seed)
    return [
        rng.standard_normal(4).astype(np.float32) * np.float32(10.0) ** rng.integers(-6, 6) for _ in range(n)
    ]


def by_definition(values):
    """sum[0:n) = sum[0:p) + sum[p:n) with p the largest power of two below n."""
    if len(values) == 1:
        return values[0]
    p = 1
    while 2 * p < len(values):
        p *= 2
    return by_definition(values[:p]) + by_definition(values[p:])


def block(values, start, stop):
    total = PairwiseSum()
    for i in range(start, stop):
        total.append(i, values[i])
    return total.parts


def cuts(draw, n):
    return sorted({0, n, *draw(st.lists(st.integers(1, n), max_size=8))})


@given(st.integers(1, 200))
def test_the_order_is_the_one_of_the_definition(n):
    values = terms(n)
    assert pairwise_sum(values).tobytes() == by_definition(values).tobytes()


@given(st.data(), st.integers(1, 100))
def test_any_cut_has_the_same_bits(data, n):
    values = terms(n)
    blocks = [block(values, i, j) for i, j in itertools.pairwise(cuts(data.draw, n))]
    assert PairwiseSum.join(blocks).total().tobytes() == pairwise_sum(values).tobytes()


@given(st.data(), st.integers(2, 100))
def test_any_tree_over_any_cut_has_the_same_bits(data, n):
    values = terms(n)
    level = [block(values, i, j) for i, j in itertools.pairwise(cuts(data.draw, n))]
    while len(level) > 1:
        fan_in = data.draw(st.integers(2, 5))
        level = [PairwiseSum.join(level[i : i + fan_in]).parts for i in range(0, len(level), fan_in)]
    assert PairwiseSum.join(level).total().tobytes() == pairwise_sum(values).tobytes()


@given(st.integers(0, 60), st.integers(1, 60))
def test_a_block_has_few_parts_and_each_is_a_subtree(start, length):
    parts = block(terms(start + length), start, start + length)
    assert [p.start for p in parts] == [start, *(p.stop for p in parts[:-1])]
    assert parts[-1].stop == start + length
    for part in parts:
        size = part.stop - part.start
        assert size & (size - 1) == 0
        assert part.start % size == 0
    assert len(parts) <= 2 * int(np.ceil(np.log2(length + 1)))


def test_the_order_matters():
    """Else the tests above could not fail."""
    values = terms(50)
    assert sum(values[1:], start=values[0]).tobytes() != pairwise_sum(values).tobytes()


def test_terms_and_parts_stay_as_they_were():
    values = terms(9)
    before = [v.copy() for v in values]
    left, right = block(values, 0, 5), block(values, 5, 9)
    kept = [p.value.copy() for p in (*left, *right)]
    for _ in range(2):
        PairwiseSum.join([left, right]).total()
    total = PairwiseSum.join([left, right])
    total.total()
    assert total.total().tobytes() == pairwise_sum(values).tobytes()
    assert all(np.array_equal(a, b) for a, b in zip(values, before, strict=True))
    assert all(np.array_equal(p.value, b) for p, b in zip((*left, *right), kept, strict=True))


def test_total_may_be_asked_for_between_terms():
    values, total = terms(7), PairwiseSum()
    for i, v in enumerate(values):
        total.append(i, v)
        assert total.total().tobytes() == by_definition(values[: i + 1]).tobytes()


def test_few_terms_are_held_at_a_time():
    alive, most = 0, 0

    class Term:
        def __init__(self):
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __add__(self, other):
            return Term()

        def __del__(self):
            nonlocal alive
            alive -= 1

    pairwise_sum(Term() for _ in range(1000))
    assert most <= 2 + int(np.log2(1000)) + 2


def test_rounding_errors_grow_slowly():
    ones = [np.float32(0.1)] * 2**16
    exact = 0.1 * 2**16
    assert abs(float(pairwise_sum(ones)) - exact) < 1e-6 * exact
    assert abs(float(sum(ones, start=np.float32(0))) - exact) > 1e-5 * exact


def test_another_addition():
    assert pairwise_sum("abcde", operator.add) == "abcde"
    assert pairwise_sum([3, 1, 2], max) == 3
    left, right = PairwiseSum(max), PairwiseSum(max)
    left.append(0, 1), left.append(1, 5), right.append(2, 3)
    assert PairwiseSum.join([left.parts, right.parts], max).total() == 5


def test_real_and_complex_terms():
    """A sum of a real operator and an imaginary one has both."""
    values = [np.ones(2), np.ones(2), 1j * np.ones(2), np.ones(2), 1j * np.ones(2)]
    np.testing.assert_array_equal(pairwise_sum(values), np.full(2, 3 + 2j))
    np.testing.assert_array_equal(pairwise_sum(values[::-1]), np.full(2, 3 + 2j))
