"""`FunctionOperator`: two functions become an operator, and what they do wrong is said."""

import functools
import operator
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from dask.base import tokenize

from daskphys.errors import DtypeError, ParameterError, ShapeError, UnsupportedArrayError
from daskphys.physics import FunctionOperator, GaussianNoise, stack
from daskphys.testing import check_physics
from tests.cases import raises


def slopes(x):
    return x[1:] - x[:-1]


def slopes_adjoint(y):
    return -np.diff(y, prepend=y.dtype.type(0), append=y.dtype.type(0))


A = FunctionOperator(slopes, slopes_adjoint, 5, 4)


def test_the_numbers_are_the_functions(rng):
    x, y = rng.standard_normal((2, 3, 5)), rng.standard_normal((2, 3, 4))
    M = np.diff(np.eye(5), axis=0)
    np.testing.assert_allclose(A(x), x @ M.T)
    np.testing.assert_allclose(A.A_adjoint(y), y @ M, atol=1e-15)
    assert A(x.astype(np.float32)).dtype == np.float32
    np.testing.assert_array_equal(A(torch.tensor(x)).numpy(), A(x))
    np.testing.assert_allclose(stack(A, 2 * A).A_adjoint_A(x), 5 * x @ M.T @ M)


def test_with_noise(rng):
    noisy = FunctionOperator(slopes, slopes_adjoint, 5, 4, noise_model=GaussianNoise(0.1))
    x = rng.standard_normal(5)
    assert noisy == A.with_noise(GaussianNoise(0.1)) != A
    np.testing.assert_array_equal(noisy(x, seed=1), A.with_noise(GaussianNoise(0.1))(x, seed=1))
    np.testing.assert_array_equal(noisy.A(x), A(x))


def test_functions_get_one_image_at_a_time_but_where_they_take_a_batch():
    seen = []

    def flat(x):
        seen.append(x.shape)
        return x.reshape(*x.shape[:-2], 6)

    def folded(y):
        return y.reshape(*y.shape[:-1], 2, 3)

    for batched, shapes in ((False, [(2, 3)] * 4), (True, [(4, 2, 3)])):
        seen.clear()
        made = FunctionOperator(flat, folded, (2, 3), 6, batched=batched)
        assert made(np.ones((4, 2, 3))).shape == (4, 6)
        assert seen == shapes


def test_check_physics_finds_what_is_no_adjoint():
    wrong = FunctionOperator(slopes, lambda y: -slopes_adjoint(y), 5, 4)
    with pytest.raises(AssertionError, match="⟨A x, y⟩"):
        check_physics(wrong, [(5,)], portable=False)


# -- as a value ---------------------------------------------------------------------------------------------


def test_equal_where_the_code_and_what_it_refers_to_are():
    def scaled(factor):
        return FunctionOperator(lambda x: factor * x, lambda y: factor * y, 3, 3)

    assert scaled(2.0) == scaled(2.0)
    assert tokenize(scaled(2.0)) == tokenize(scaled(2.0))
    assert scaled(2.0) != scaled(3.0)
    assert scaled(np.arange(3.0)) != scaled(np.arange(3.0)[::-1])
    assert FunctionOperator(slopes, slopes_adjoint, (5,), (4,)) == A
    assert FunctionOperator(slopes, slopes_adjoint, 6, 5) != A
    half = functools.partial(operator.mul, 0.5)
    assert repr(FunctionOperator(half, half, (2, 3), 6)) == "FunctionOperator(mul, 2×3 → 6)"


def test_pickled_by_value_and_still_equal():
    made = FunctionOperator(lambda x: 2 * x, lambda y: 2 * y, 3, 3)
    twin = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(made))))
    assert twin == made
    assert hash(twin) == hash(made)
    np.testing.assert_array_equal(twin(np.ones(3)), 2 * np.ones(3))


def test_of_a_script_it_is_the_same_in_every_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, pickle\nfrom dask.base import tokenize\nfrom daskphys.physics import FunctionOperator\n"
        "factor = 2.5\ndef times(x):\n    return factor * x\n"
        "A = FunctionOperator(times, lambda y: times(y), 3, 3)\n"
        "print(tokenize(A))\nsys.stdout.flush()\nsys.stdout.buffer.write(pickle.dumps(A))\n",
        "utf-8",
    )
    first, second = (
        subprocess.run([sys.executable, str(script)], capture_output=True, check=True).stdout
        for _ in range(2)
    )
    token, _, pickled = first.partition(b"\n")
    assert token == second.partition(b"\n")[0]
    made = pickle.loads(pickled)
    assert tokenize(made) == token.decode()
    np.testing.assert_array_equal(made(np.ones(3)), 2.5 * np.ones(3))


def test_what_cannot_travel_says_so():
    lock = threading.Lock()

    def locked(x):
        with lock:
            return 2 * x

    made = FunctionOperator(locked, locked, 3, 3)
    np.testing.assert_array_equal(made(np.ones(3)), 2 * np.ones(3))
    with raises(ParameterError, "FunctionOperator expected functions", "cloudpickle", "locked", "lock"):
        pickle.dumps(made)


# -- what goes wrong ----------------------------------------------------------------------------------------


def writes(x):
    x[:] = 0
    return x


@pytest.mark.parametrize(
    ("forward", "error", "parts"),
    [
        (lambda x: x[1:], ShapeError, ("forward", "(3,)", "(2,)")),
        (lambda x: x.astype("float64"), DtypeError, ("float32", "float64", ".astype('float32')")),
        (lambda x: x * np.complex64(1j), DtypeError, ("complex64", "makes_complex=True")),
        (lambda x: list(x), UnsupportedArrayError, ("forward expected to return an array", "list")),
        (lambda x: None, UnsupportedArrayError, ("<lambda>, 3 → 3", "NoneType")),
        (lambda x: x.sum(), ShapeError, ("(3,)", "got ()")),
        (writes, ValueError, ("read-only",)),
    ],
)
def test_what_a_function_gives_is_looked_at(forward, error, parts):
    x = np.ones(3, np.float32)
    with raises(error, *parts):
        FunctionOperator(forward, lambda y: y, 3, 3)(x)
    with raises(error, *(part.replace("forward", "adjoint") for part in parts if "lambda" not in part)):
        FunctionOperator(lambda x: x, forward, 3, 3).A_adjoint(x)
    np.testing.assert_array_equal(x, 1)


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: FunctionOperator(1, len, 3, 3), ParameterError, ("forward as a function", "int")),
        (lambda: FunctionOperator(len, None, 3, 3), ParameterError, ("adjoint as a function", "NoneType")),
        (lambda: FunctionOperator(len, len, 3), ParameterError, ("the shape range", "say range=")),
        (lambda: FunctionOperator(len, len, (), 3), ShapeError, ("domain", "()")),
        (lambda: FunctionOperator(len, len, 3, (3, 0)), ShapeError, ("range", "(3, 0)")),
        (lambda: FunctionOperator(len, len, 3, 2.5), ShapeError, ("range", "2.5")),
        (lambda: FunctionOperator(len, len, 3, 3, batch=True), TypeError, ("batch", "batched")),
        (lambda: A(np.ones(4)), ShapeError, ("FunctionOperator(slopes, 5 → 4)", "(5,)", "(4,)")),
    ],
)
def test_bad_input(make, error, parts):
    with raises(error, *parts):
        make()
