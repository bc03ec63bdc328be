"""Benchmarks of matrices and block-diagonal operators, against NumPy and SciPy by hand and PyLops."""

from __future__ import annotations

from functools import partial

import numpy as np
import scipy.sparse

from benchmarks.family_rivals import compare
from benchmarks.timing import TIMES, Bench, Case
from daskphys.physics import MatrixOperator, block_diagonal

_BLOCKS = 4


def matrix_dense(bench: Bench) -> Case:
    """One image, where memory is the limit, and many at once, where a BLAS has its matrix product."""
    case = Case("matrix_dense", f"A and Aᵀ of a dense matrix, float32 ({TIMES})")
    rng = np.random.default_rng(0)
    for n, images in ((1024, 1),) if bench.quick else ((1024, 1), (4096, 1), (4096, 16)):
        matrix = rng.standard_normal((n, n), dtype=np.float32)
        x = rng.standard_normal((images, n), dtype=np.float32)
        A = MatrixOperator(matrix)
        products = {
            "A": {"daskphys": partial(A, x), "NumPy by hand": lambda m=matrix, x=x: x @ m.T},
            "Aᵀ": {"daskphys": partial(A.A_adjoint, x), "NumPy by hand": lambda m=matrix, x=x: x @ m},
        }
        label = f"{n}×{n}, {images} at once"
        compare(
            bench,
            case,
            "generic",
            {"matrix": matrix, "x": x},
            products,
            label=label,
            options={"kind": "dense"},
        )
    return case


def matrix_sparse(bench: Bench) -> Case:
    """Ten entries a row, as an interpolation or a projector has."""
    case = Case("matrix_sparse", f"A and Aᵀ of a sparse matrix, float32 ({TIMES})")
    rng = np.random.default_rng(0)
    for rows in (1 << 16,) if bench.quick else (1 << 16, 1 << 19):
        matrix = scipy.sparse.random_array(
            (rows, rows), density=10 / rows, rng=rng, dtype=np.float32, format="csr"
        )
        x = rng.standard_normal(rows, dtype=np.float32)
        A = MatrixOperator(matrix)
        products = {
            "A": {"daskphys": partial(A, x), "SciPy by hand": lambda m=matrix, x=x: m @ x},
            "Aᵀ": {"daskphys": partial(A.A_adjoint, x), "SciPy by hand": lambda m=matrix, x=x: m.T @ x},
        }
        arrays = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "x": x}
        label = f"{rows} rows, {matrix.nnz} entries"
        compare(bench, case, "generic", arrays, products, label=label, options={"kind": "sparse"})
    return case


def blocks(bench: Bench) -> Case:
    """Dense blocks, each with its own array."""
    case = Case("blocks", f"A and Aᵀ of {_BLOCKS} dense blocks on a diagonal, float32 ({TIMES})")
    n = 512 if bench.quick else 2048
    rng = np.random.default_rng(0)
    matrices = rng.standard_normal((_BLOCKS, n, n), dtype=np.float32)
    x = rng.standard_normal((_BLOCKS, n), dtype=np.float32)
    A = block_diagonal(*map(MatrixOperator, matrices))
    products = {
        "A": {"daskphys": partial(A, list(x))},
        "Aᵀ": {"daskphys": partial(A.A_adjoint, list(x))},
    }
    compare(
        bench,
        case,
        "generic",
        {"matrices": matrices, "x": x},
        products,
        label=f"{n}×{n} each",
        options={"kind": "blocks"},
    )
    return case


CASES = (matrix_dense, matrix_sparse, blocks)
