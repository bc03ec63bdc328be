"""Cutting the sensor axis: every sensor once, by a rule that knows nothing of workers."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daskphys.errors import ParameterError
from daskphys.graph.blocks import MAX_BLOCKS, cut


def covers(bounds, n):
    return [i for start, stop in bounds for i in range(start, stop)] == list(range(n))


@given(st.integers(1, 5000))
@example(MAX_BLOCKS)
@example(MAX_BLOCKS + 1)
@example(8 * MAX_BLOCKS)
def test_auto_makes_few_blocks_of_whole_subtrees(n):
    bounds = cut(n)
    assert covers(bounds, n)
    assert len(bounds) <= MAX_BLOCKS
    size = bounds[0][1]
    assert size & (size - 1) == 0
    assert all(stop - start == size for start, stop in bounds[:-1])
    assert size == 1 or n > size // 2 * MAX_BLOCKS  # the smallest that is allowed


@given(st.integers(1, 300), st.integers(1, 400))
def test_a_number_of_sensors_a_block(n, size):
    bounds = cut(n, size)
    assert covers(bounds, n)
    assert all(stop - start == size for start, stop in bounds[:-1])
    assert 0 < bounds[-1][1] - bounds[-1][0] <= size


@given(st.lists(st.integers(1, 20), min_size=1, max_size=20))
def test_given_sizes(sizes):
    for given_as in (sizes, tuple(sizes)):
        bounds = cut(sum(sizes), given_as)
        assert [stop - start for start, stop in bounds] == sizes
        assert all(a[1] == b[0] for a, b in itertools.pairwise(bounds))


def test_three_sensors_can_use_three_workers():
    assert cut(3) == ((0, 1), (1, 2), (2, 3))


@pytest.mark.parametrize("chunks", [0, -1, 1.5, "all", "3", None, {2}])
def test_bad_chunks(chunks):
    with pytest.raises(
        ParameterError, match=r"expected chunks as 'auto', a positive number .*, got "
    ) as caught:
        cut(4, chunks)
    assert str(caught.value).endswith(repr(chunks))


@pytest.mark.parametrize("chunks", [[], [1, 2], (5,), [2, 0, 2], [5, -1], [2.0, 2.0], ["2", "2"]])
def test_sizes_that_do_not_add_up(chunks):
    with pytest.raises(ParameterError, match="expected chunks that add up to 4 sensors, got"):
        cut(4, chunks)
