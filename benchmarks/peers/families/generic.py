"""PyLops's operators of matrices, dense and sparse, and block-diagonal ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np


def pylops(arrays: Mapping[str, np.ndarray], *, kind: str) -> dict[str, Callable[[], Any]]:
    """Products of flat vectors; of several at once by ``matmat``, with the vectors in columns."""
    import pylops
    import scipy.sparse

    x = arrays["x"]
    if kind == "dense":
        A, columns = pylops.MatrixMult(arrays["matrix"], dtype="float32"), np.ascontiguousarray(x.T)
        if len(x) > 1:
            return {"A": lambda: A.matmat(columns).T, "Aᵀ": lambda: A.rmatmat(columns).T}
        return {"A": partial(A.matvec, x[0]), "Aᵀ": partial(A.rmatvec, x[0])}
    if kind == "sparse":
        rows = scipy.sparse.csr_array(
            (arrays["data"], arrays["indices"], arrays["indptr"]), shape=(len(x),) * 2
        )
        A = pylops.MatrixMult(rows, dtype="float32")
    else:
        A = pylops.BlockDiag(
            [pylops.MatrixMult(m, dtype="float32") for m in arrays["matrices"]], dtype="float32"
        )
    return {"A": partial(A.matvec, x.ravel()), "Aᵀ": partial(A.rmatvec, x.ravel())}


PEERS = {"pylops": pylops}
