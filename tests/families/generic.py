"""Matrices, functions, block-diagonal operators and their kin."""

import numpy as np
import scipy.sparse
from case import Case, blur

from daskphys.physics import Diagonal, FunctionOperator, MatrixOperator, block_diagonal, hstack, stack
from daskphys.physics.matrix import Rows

_rng = np.random.default_rng(5)
_TALL, _WIDE = (
    _rng.standard_normal((9, 6)),
    _rng.standard_normal((4, 12)) + 1j * _rng.standard_normal((4, 12)),
)
_SPARSE = scipy.sparse.coo_array(_rng.standard_normal((7, 12)) * (_rng.random((7, 12)) < 0.4))


def _halved(x):  # in a batch too
    return x[..., ::2] * 2 - x[..., 1::2]


def _halved_adjoint(y):
    xp = y.__array_namespace__()
    return xp.reshape(xp.stack([2 * y, -y], axis=-1), (*y.shape[:-1], 2 * y.shape[-1]))


_BLOCKS = block_diagonal(blur("circular", 3, 2), MatrixOperator(_TALL), 2 * blur("valid", 2, 3))

CASES = [
    Case("block-diagonal", _BLOCKS, (((5, 6), (6,), (6, 7)), ((2, 5, 6), (2, 6), (2, 6, 7)))),
    Case("block-diagonal, adjoint", _BLOCKS.H, (((5, 6), (9,), (5, 5)),)),
    Case(
        "block-diagonal, of closed form",
        block_diagonal(blur("circular", 2, 3), Diagonal(2.5)),
        (((6, 5), (3,)),),
    ),
    Case(
        "block-diagonal, real and complex",
        block_diagonal(1j * Diagonal(2.5), MatrixOperator(_TALL)),
        (((4,), (6,)),),
    ),
    Case(
        "block-diagonal, after a stack",
        _BLOCKS[::2] @ stack(blur("reflect", 2, 2), blur("circular", 2, 3)),
        ((6, 7),),
    ),
    Case(
        "hstack",
        hstack(MatrixOperator(_TALL), MatrixOperator(_TALL[:, :2])),
        (((6,), (2,)), ((3, 6), (3, 2))),
    ),
    Case(
        "functions",
        FunctionOperator(lambda x: x[::-1, :], lambda y: y[::-1, :], (3, 4), (3, 4)),
        ((3, 4), (2, 3, 4)),
    ),
    Case(
        "functions, of a batch",
        FunctionOperator(_halved, _halved_adjoint, (6,), 3, batched=True),
        ((6,), (2, 5, 6)),
    ),
    Case(
        "functions, complex",
        FunctionOperator(lambda x: x * (1 + 2j), lambda y: y * (1 - 2j), 4, 4, makes_complex=True),
        ((4,), (2, 4)),
        portable=False,  # whose numbers do not mix
    ),
    Case("matrix", MatrixOperator(_TALL), ((6,), (2, 3, 6))),
    Case("matrix, complex, wide", MatrixOperator(_WIDE, (3, 4)), ((3, 4), (2, 3, 4))),
    Case("matrix, single precision", MatrixOperator(_TALL.astype(np.float32)), ((5, 6),)),
    # Its rows are SciPy's.
    Case("matrix, sparse", MatrixOperator(_SPARSE, (3, 4)), ((3, 4), (2, 3, 4)), portable=False),
    Case("matrix, sparse, complex", MatrixOperator((1 + 2j) * _SPARSE), ((12,), (2, 12)), portable=False),
    Case("matrix, one row", MatrixOperator(_TALL[:1]), ((6,), (2, 6))),
    Case("rows of a matrix", Rows(_TALL, (2, 3)), ((2, 3), (4, 2, 3))),
]
