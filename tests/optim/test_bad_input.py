"""What a solver is given that it cannot use: errors that say what was expected, what came, how to mend it."""

import dask.array as da
import numpy as np
import pytest
import torch
from cases import CIRCULAR, RAGGED, blur, raises

from daskphys import optim
from daskphys.errors import (
    DtypeError,
    NotClosedFormError,
    ParameterError,
    ShapeError,
    UnknownKeywordError,
    UnsupportedArrayError,
)
from daskphys.physics import Measurements

A, Y, SHAPE = RAGGED, RAGGED(np.ones((8, 9))), (8, 9)


def tikhonov(A, y, lam=0.1, **others):
    return optim.tikhonov(A, y, lam, **others)


solvers = pytest.mark.parametrize("solve", [optim.cg, optim.lsqr, optim.lsmr, tikhonov])


@solvers
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"lam": -0.1}, "lam >= 0, got -0.1"),
        ({"lam": float("nan")}, "lam >= 0, got nan"),
        ({"lam": 1j}, "lam >= 0, got 1j"),
        ({"rtol": -1e-3}, "0 <= rtol < 1, got -0.001"),
        ({"rtol": 1.0}, "0 <= rtol < 1, got 1.0"),
        ({"rtol": "small"}, "0 <= rtol < 1, got 'small'"),
        ({"max_iter": 0}, "max_iter >= 1, got 0"),
        ({"max_iter": 2.5}, "max_iter >= 1, got 2.5"),
        ({"lam": True}, "lam >= 0, got True"),
        ({"rtol": False}, "0 <= rtol < 1, got False"),
        ({"max_iter": True}, "max_iter >= 1, got True"),
        ({"progress": "yes"}, "progress True or False, got 'yes'"),
        ({"callback": 3}, "callback(iteration, residual) or None, got int"),
    ],
)
def test_parameters(solve, bad, said):
    with raises(ParameterError, f"optim.{solve.__name__}(StackedPhysics", said):
        solve(A, Y, **bad)


@solvers
def test_no_operator(solve):
    with raises(
        UnsupportedArrayError, f"optim.{solve.__name__} expected a linear operator, got numpy.ndarray"
    ):
        solve(np.eye(3), np.ones(3))


def test_unknown_keywords():
    with raises(UnknownKeywordError, "maxiter", "did you mean 'max_iter'?"):
        optim.cg(A, Y, maxiter=3)


@solvers
def test_measurements(solve):
    name = f"optim.{solve.__name__}("
    with raises(ShapeError, name, "expected measurements of 3 sensors", "got one numpy.ndarray"):
        solve(A, np.ones(SHAPE))
    with raises(ShapeError, name, "expected measurements of 3 sensors, got 2"):
        solve(A, Y[:2])
    with raises(ShapeError, "sensor 0", "of shape (8, 9)", "sensor 2", "(4, 5)"):
        solve(A, Measurements([*Y[:2], np.ones((4, 4))]))
    with raises(DtypeError, "Blur(3×4, valid)", "int64"):
        solve(A, Y.map(lambda a: a.astype(int)))
    with raises(ShapeError, name, "expected an array with 2 or more axes", "(5,)"):
        solve(blur("reflect", 3, 3), np.ones(5))
    with raises(UnsupportedArrayError, name, "got str"):
        solve(blur("reflect", 3, 3), "image")


@solvers
def test_starts(solve):
    name = f"optim.{solve.__name__}("
    with raises(ShapeError, name, "x0 of shape (8, 9)", "got (3, 8, 9)"):
        solve(A, Y, x0=np.ones((3, 8, 9)))
    with raises(ShapeError, name, "x0", "one array, got"):
        solve(A, Y, x0=Y)
    for bad, said in (("a", "got str"), (3.0, "got float"), (da.ones(SHAPE), "got dask")):
        with raises(UnsupportedArrayError, name, "x0 as an array in memory", said):
            solve(A, Y, x0=bad)
    with raises(UnsupportedArrayError, name, "x0 as an array in memory", "got str"):
        solve(A.H, np.ones(SHAPE), x0=[*Y[:2], "a"])
    with raises(DtypeError, name, "expected a real x0", "complex128"):
        solve(A, Y, x0=np.ones(SHAPE, complex))
    with raises(DtypeError, name, "x0", "int64"):
        solve(A, Y, x0=np.ones(SHAPE, int))
    with raises(ShapeError, "optim", "x0 of shape (8, 9)"):
        solve(CIRCULAR, CIRCULAR(np.ones(SHAPE)), x0=np.ones((9, 8)))


@solvers
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite(solve, bad):
    name = f"optim.{solve.__name__}(StackedPhysics"
    broken = Measurements([*Y[:2], Y[2].copy()])
    broken[2][1, 1] = bad
    with raises(ParameterError, name, "y of finite numbers", "sensor 2"):
        solve(A, broken)
    with raises(ParameterError, name, "x0 of finite numbers"):
        solve(A, Y, x0=np.full(SHAPE, bad))
    with raises(ParameterError, repr(A), "a measurement of finite numbers", "sensor 2"):
        A.A_dagger(broken)
    with raises(ParameterError, "y of finite numbers"):
        solve(CIRCULAR, CIRCULAR(np.full(SHAPE, np.nan)))


@solvers
def test_dask_arrays(solve):
    lazy = Measurements(map(da.from_array, Y))
    with raises(UnsupportedArrayError, f"optim.{solve.__name__}(A, y.compute())", "dask.array"):
        solve(A, lazy)
    with raises(UnsupportedArrayError, "y.compute()"):
        solve(blur("reflect", 3, 3), da.ones(SHAPE))


@solvers
def test_no_gradient_goes_through(solve):
    y = torch.ones(SHAPE, dtype=torch.float64, requires_grad=True)
    x = solve(blur("reflect", 3, 3), y)
    with raises(NotClosedFormError, "no gradient", "y.detach()"):
        x.sum().backward()
