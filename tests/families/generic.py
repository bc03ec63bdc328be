"""Matrices, functions, block-diagonal operators and their kin."""

import numpy as np
import scipy.sparse
from case import Case

from daskphys.physics import MatrixOperator
from daskphys.physics.matrix import Rows

_rng = np.random.default_rng(5)
_TALL, _WIDE = (
    _rng.standard_normal((9, 6)),
    _rng.standard_normal((4, 12)) + 1j * _rng.standard_normal((4, 12)),
)
_SPARSE = scipy.sparse.random_array((7, 12), density=0.4, rng=1)

CASES = [
    Case("matrix", MatrixOperator(_TALL), ((6,), (2, 3, 6))),
    Case("matrix, complex, wide", MatrixOperator(_WIDE, (3, 4)), ((3, 4), (2, 3, 4))),
    Case("matrix, single precision", MatrixOperator(_TALL.astype(np.float32)), ((5, 6),)),
    # Its rows are SciPy's.
    Case("matrix, sparse", MatrixOperator(_SPARSE, (3, 4)), ((3, 4), (2, 3, 4)), portable=False),
    Case("matrix, sparse, complex", MatrixOperator((1 + 2j) * _SPARSE), ((12,), (2, 12)), portable=False),
    Case("matrix, one row", MatrixOperator(_TALL[:1]), ((6,), (2, 6))),
    Case("rows of a matrix", Rows(_TALL, (2, 3)), ((2, 3), (4, 2, 3))),
]
