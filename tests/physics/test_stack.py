"""Stacks: one sensor axis, whatever they are made of, and sums in one order."""

import functools
import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest
from cases import CIRCULAR, IMAGES, MIXED, RAGGED, blur
from hypothesis import given
from hypothesis import strategies as st

from daskphys import backend
from daskphys.pairwise import PairwiseSum, pairwise_sum
from daskphys.physics import Blur, FourierMultiplier, LinearPhysics, NormalSum, StackedPhysics, stack, value
from daskphys.physics.base import Gram
from daskphys.physics.blockproducts import adjoint_parts, forward_each, gram_parts, normal_parts
from daskphys.physics.transform import Plain, RealFFT

A, B, C = blur("circular", 3, 3), blur("valid", 2, 3), blur("reflect", 1, 4)


def test_stacks_are_laid_flat():
    assert stack(stack(A, B), C) == stack(A, stack(B, C)) == stack(A, B, C)
    assert stack(A, B, C).physics_list == [A, B, C]
    assert stack(stack(stack(A))) == StackedPhysics((A,))


def test_it_is_a_sequence():
    S = stack(A, B, C)
    assert len(S) == 3
    assert list(S) == [A, B, C]
    assert S[0] is A
    assert S[-1] is C
    assert S[np.int64(1)] is B
    assert S[1:] == stack(B, C)
    assert S[::-1] == stack(C, B, A)
    assert isinstance(S[0:1], StackedPhysics)
    with pytest.raises(IndexError):
        S[3]


def test_algebra_goes_into_the_sensors():
    S = stack(A, B)
    assert stack(2 * A, 2 * B) == 2 * S
    assert stack(A @ C, B @ C) == S @ C
    assert stack(A + A, B + B) == S + S
    assert (S @ C).physics_list[1] == B @ C


@pytest.mark.parametrize("S", [CIRCULAR, RAGGED, MIXED], ids=["circular", "valid", "mixed"])
@pytest.mark.parametrize("shape", IMAGES)
def test_products_are_those_of_the_sensors(S, shape, rng):
    x = rng.standard_normal(shape)
    y = S(x)
    for own, sensor in zip(y, S, strict=True):
        np.testing.assert_array_equal(own, sensor(x))
    expected = sum(sensor.A_adjoint(own) for own, sensor in zip(y, S, strict=True))
    np.testing.assert_allclose(S.A_adjoint(y), expected, rtol=1e-13, atol=1e-13)


@given(st.data(), st.sampled_from([CIRCULAR, RAGGED, MIXED]), st.integers(1, 4))
def test_no_cut_changes_a_bit(data, S, copies):
    """A block gives partial sums; joined in the order of the sensors they are the whole sum, bit for bit."""
    S = stack(*[(1 + i) * S for i in range(copies)])
    n, shape = len(S), (6, 7)
    cuts = sorted({0, n, *data.draw(st.lists(st.integers(1, n), max_size=4))})
    blocks = [(S[i:j], i, j) for i, j in itertools.pairwise(cuts)]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    y = S(x)

    def joined(parts):
        return PairwiseSum.join(parts).total()

    made = [a for block, i, _ in blocks for a in forward_each(block, x, S.transform, i)]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(made, y, strict=True))
    z = joined(adjoint_parts(block, y[i:j], shape, S.transform, i) for block, i, j in blocks)
    assert S.transform.lower(z, shape).tobytes() == S.A_adjoint(y).tobytes()
    gram = joined(gram_parts(block, x, i) for block, i, _ in blocks)
    assert gram.tobytes() == pairwise_sum(s.A_adjoint_A(x) for s in S).tobytes()
    if S.normal_kind is not None:
        assert joined(normal_parts(block, shape, i) for block, i, _ in blocks) == S.normal(shape)


def test_one_family_shares_its_transform():
    for S in (CIRCULAR, RAGGED):
        assert S.transform == functools.reduce(lambda a, b: a.join(b), [s.transform for s in S])
        assert S.transform.sensors == len(S)
    assert MIXED.transform == Plain()
    assert stack(CIRCULAR[0], CIRCULAR.normal((8, 9))).transform == RealFFT(2)


def test_like_normal_operators_merge_and_unlike_ones_stand_side_by_side():
    assert isinstance(CIRCULAR.normal((8, 9)), FourierMultiplier)
    assert isinstance(MIXED.normal((8, 9)), Gram)
    assert isinstance(stack(A, blur("circular", 4, ndim=1)).normal((8, 9)), NormalSum)


def test_the_transform_before_a_stack_is_done_once(rng):
    first = blur("reflect", 2, 2)
    S, x = CIRCULAR @ first, rng.standard_normal((8, 9))
    y = S(x)
    S.A_adjoint(y)
    with backend.count_transforms() as count:
        S(x)
    assert count.total == 2 + 1 + 3  # the first blur, the shared transform, the sensors
    with backend.count_transforms() as count:
        S.A_adjoint(y)
    assert count.total == 3 + 1 + 2


def test_shapes():
    S = stack(A, B, C)
    assert S.range_shape((2, 8, 9)) == ((2, 8, 9), (2, 7, 7), (2, 8, 9))
    assert S.H.range_shape([(8, 9), (7, 7), (8, 9)]) == (8, 9)
    assert S.range_shape(np.ones((8, 9))) == ((8, 9), (7, 7), (8, 9))


def test_bytes_count_a_shared_parameter_once():
    kernel = Blur(np.ones((3, 3)))
    assert stack(kernel, kernel, 2 * kernel).nbytes == kernel.nbytes == 72
    assert stack(kernel, Blur(np.ones((3, 3)))).nbytes == 144


def test_repr_names_the_first_sensors():
    assert repr(stack(A, B)) == "StackedPhysics(2 sensors: Blur(3×3, circular), Blur(2×3, valid))"
    assert repr(stack(*[A] * 9)).endswith("circular), …)")
    assert stack(*[A] * 9)._repr_html_().count("<img") == 8


@pytest.mark.parametrize("product", ["A", "A_adjoint", "A_adjoint_A"])
def test_sensors_with_much_to_do_are_spread_over_threads_although_images_are_small(product):
    """Two at a time: each waits for the other."""
    together = threading.Barrier(2, timeout=20)

    @value
    class Meeting(LinearPhysics):
        name: str

        def _forward(self, x):
            together.wait()
            return 1.0 * x

        def _adjoint(self, y, shape):
            return self._forward(y)

        def _gram(self, x):
            return self._forward(x)

        def _step_cost(self, shape, dtype, transform):
            return replace(super()._step_cost(shape, dtype, transform), flops=1e9)

    S, x = stack(Meeting("one"), Meeting("the other")), np.ones((100, 100))
    with backend.fft_threads(2):
        getattr(S, product)([x, x] if product == "A_adjoint" else x)
