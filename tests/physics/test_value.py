"""Operators are values: immutable, equal by content, the same in every process."""

import copy
import dataclasses
import html
import pickle
import subprocess
import sys

import numpy as np
import pytest
from cases import CASES, LINEAR
from dask.base import tokenize

from daskphys.errors import UnknownKeywordError
from daskphys.physics import Blur, FourierMultiplier, LinearPhysics, gaussian_blur, stack, value

K = np.arange(6.0).reshape(2, 3)


def test_equal_by_content():
    assert Blur(K) == Blur(K.copy()) == Blur(K[None, None]) == Blur(K.astype(np.float32)) == Blur(K.tolist())
    assert Blur(K) == Blur(K, ndim=2)
    for other in (Blur(K + 1e-12), Blur(K.T), Blur(K, "valid"), Blur(K[None, :, :1], ndim=2), stack(Blur(K))):
        assert Blur(K) != other
        assert tokenize(Blur(K)) != tokenize(other)
    assert Blur(K) != "Blur"
    assert len({Blur(K), Blur(K.copy()), Blur(K, "valid")}) == 2


def test_numbers_of_numpy_are_numbers():
    @value
    class Gain(LinearPhysics):
        factor: complex

        def _forward(self, x):
            return self.factor * x

        def _adjoint(self, y, shape):
            return self.factor * y

    for number in (np.float32(2.5), np.float64(2.5), np.complex64(2.5)):
        assert Gain(number) == Gain(2.5)
        assert hash(Gain(number)) == hash(Gain(2.5))


def test_derived_operators_are_equal_by_content():
    A, B = Blur(K), Blur(K.copy())
    for make in (
        lambda x: x.H,
        lambda x: 2 * x,
        lambda x: x @ x,
        lambda x: x + x,
        lambda x: stack(x, x),
        lambda x: x.normal((8, 9)),
        lambda x: (2j * x.H) @ x,
    ):
        assert make(A) == make(B)
        assert hash(make(A)) == hash(make(B))
        assert tokenize(make(A)) == tokenize(make(B))
        assert make(A) != A
    assert A @ Blur(K.T) != Blur(K.T) @ A
    assert 2 * A != 2.5 * A


def test_all_cases_differ():
    operators = [case.operator for case in CASES]
    assert len({tokenize(operator) for operator in operators}) == len(set(operators)) == len(operators)


def test_tokens_and_content_are_the_same_in_another_process():
    code = (
        "import numpy as np, sys, pickle; from dask.base import tokenize; from daskphys.physics import *\n"
        "A = pickle.load(sys.stdin.buffer)\n"
        "B = stack(Blur(np.arange(6.0).reshape(2, 3)), 2j * Blur(gaussian_blur(1.0), 'valid')).H\n"
        "print(tokenize(A), tokenize(B), A == B)"
    )
    A = stack(Blur(K), 2j * Blur(gaussian_blur(1.0), "valid")).H
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], input=pickle.dumps(A), capture_output=True, check=True
    )
    assert done.stdout.decode().split() == [tokenize(A), tokenize(A), "True"]


@pytest.mark.parametrize("case", LINEAR, ids=[case.name for case in LINEAR])
def test_copies_and_pickles_are_equal(case):
    A = case.operator
    assert hash(A.H) == hash(A.H)  # what is kept on it now does not travel
    for twin in (pickle.loads(pickle.dumps(A)), copy.copy(A), copy.deepcopy(A), dataclasses.replace(A)):
        assert twin == A
        assert hash(twin) == hash(A)
        assert repr(twin) == repr(A)


def test_what_is_derived_does_not_travel():
    A = Blur(gaussian_blur(1.0))
    before = len(pickle.dumps(A))
    A.A_adjoint_A(np.ones((64, 64)))
    assert A.H.H is A
    assert hash(A) == hash(A)
    assert len(pickle.dumps(A)) == before


def test_nothing_can_be_set():
    A = Blur(K)
    for name in ("padding", "filter", "new"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(A, name, "valid")
    with pytest.raises(dataclasses.FrozenInstanceError):
        del A.padding


def test_parameters_cannot_be_written_to():
    mine = K.copy()
    A = Blur(mine)
    token, y = tokenize(A), A(np.eye(5))
    mine[:] = 0
    np.testing.assert_array_equal(A(np.eye(5)), y)
    with pytest.raises(ValueError, match="read-only"):
        A.filter[0, 0] = 1.0
    assert tokenize(Blur(K)) == token


def test_parameters_cannot_be_written_to_after_pickling():
    for twin in (pickle.loads(pickle.dumps(Blur(K))), copy.deepcopy(Blur(K))):
        with pytest.raises(ValueError, match="read-only"):
            twin.filter[0, 0] = 1.0


def test_a_multiplier_cannot_be_written_to():
    mine = np.ones((8, 5))
    N = FourierMultiplier(mine, (8, 8))
    x = np.random.default_rng(0).standard_normal((8, 8))
    mine[:] = 7.0
    np.testing.assert_allclose(N(x), x)
    with pytest.raises(ValueError, match="read-only"):
        N.multiplier[0, 0] = 1.0


def test_adjoint_of_a_pickled_adjoint():
    twin = pickle.loads(pickle.dumps(Blur(K).H))
    assert twin.H.H is twin


def test_bytes():
    A = Blur(K)
    assert A.nbytes == K.nbytes
    assert A.H.nbytes == (2 * A).nbytes == (A @ A).nbytes == K.nbytes
    assert (A @ Blur(K.T)).nbytes == 2 * K.nbytes


def test_to_the_same_device_is_the_same_object():
    for operator in (Blur(K), stack(Blur(K), 2 * Blur(K).H @ Blur(K))):
        assert operator.to("cpu") is operator
        assert operator.to(None) is operator


def test_to_another_library_and_back():
    import array_api_strict

    A = Blur(array_api_strict.asarray(K))
    moved = stack(A, 2 * A.H).to("cpu")
    assert moved == stack(Blur(K), 2 * Blur(K).H)
    assert isinstance(moved[0].filter, np.ndarray)


# -- what an author writes ---------------------------------------------------------------------------------------


@value
class Shift(LinearPhysics):
    """Moves an image along its last axis."""

    by: int
    note: str = ""

    def _forward(self, x):
        return np.roll(x, self.by, axis=-1)

    def _adjoint(self, y, shape):
        return np.roll(y, -self.by, axis=-1)


def test_an_authors_operator_is_a_value():
    assert Shift(2) == Shift(by=2)
    assert Shift(2) != Shift(3)
    assert hash(Shift(2)) == hash(Shift(2))
    assert repr(Shift(2, "a")) == "Shift(2, a)"
    with pytest.raises(UnknownKeywordError, match=r"Shift\(\) has no keyword 'bi': did you mean 'by'\?"):
        Shift(bi=2)
    with pytest.raises(TypeError):
        Shift()


def test_html_is_escaped():
    text = "<script>alert('x')</script> & \"quotes\""
    page = Shift(1, text)._repr_html_()
    assert "<script>" not in page
    assert html.escape(text) in page
    assert "<script>" not in stack(Shift(1, text), Shift(2)).H._repr_html_()


def test_html_shows_kernels_and_sizes():
    page = Blur(gaussian_blur(1.0))._repr_html_()
    assert page.count("data:image/png;base64,") == 1
    assert "648 B" in page
    assert "2 axes" in page
    assert Blur(np.ones((3, 5, 5)), ndim=2)._repr_html_().count("<img") == 3
    assert Blur(np.ones((3, 5, 5)), ndim=3)._repr_html_().count("<img") == 1


@pytest.mark.parametrize(
    "make", [lambda A: A.H, lambda A: 2 * A, lambda A: A @ A, lambda A: A + A], ids="H2@+"
)
def test_html_of_derived_operators_tells_the_axes(make):
    assert "the last 2 axes" in make(Blur(K))._repr_html_()
