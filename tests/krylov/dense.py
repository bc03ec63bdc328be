"""Small dense systems that count their products, and their exact solutions."""

from __future__ import annotations

import numpy as np

from daskphys import backend
from daskphys.krylov.vectors import inner, plus


class Dense:
    """The system of a matrix: images of shape (*lead, n), leading axes are right-hand sides."""

    def __init__(self, matrix, y):
        self.matrix, self.y, self.u = matrix, y, None
        self.starts = self.steps = self.normals = 0

    def _seen(self):
        shape = (*self.u.shape[:-1], 1)
        return inner(self.u, self.u, shape), self._times(self.u, self._conjugate())

    def _conjugate(self):
        xp = backend.namespace(self.matrix)
        return xp.conj(self.matrix) if backend.is_complex(self.matrix) else self.matrix

    @staticmethod
    def _times(x, matrix):
        """Row by row, so that the bits of a row are those of it alone (BLAS would not keep them)."""
        xp = backend.namespace(x)
        return xp.sum(x[..., None] * matrix, axis=-2)

    def forward(self, x):
        return self._times(x, backend.namespace(self.matrix).permute_dims(self.matrix, (1, 0)))

    def start(self, x0):
        self.starts += 1
        self.u = self.y if x0 is None else self.y - self.forward(x0)
        return self._seen()

    def step(self, v, scale):
        self.steps += 1
        self.u = plus(self.forward(v), -scale, self.u)
        return self._seen()

    def normal(self, p):
        self.normals += 1
        return self._times(self.forward(p), self._conjugate())


def random(rng, shape, dtype="float64"):
    made = rng.standard_normal(shape)
    if dtype.startswith("complex"):
        made = made + 1j * rng.standard_normal(shape)
    return made.astype(dtype)


def matrix(rng, m, n, rank=None, dtype="float64", condition=10.0):
    """A matrix whose singular values other than 0 lie between 1 and `condition`."""
    k = min(m, n) if rank is None else rank
    u = np.linalg.qr(random(rng, (m, m), dtype))[0][:, :k]
    v = np.linalg.qr(random(rng, (n, n), dtype))[0][:, :k]
    return ((u * np.geomspace(1, condition, k)) @ v.conj().T).astype(dtype)


def exact(A, y, lam=0.0):
    """min ‖A x − y‖² + lam ‖x‖² of smallest norm, row by row, in double precision."""
    wide = A.astype(np.result_type(A.dtype, np.float64))
    if lam == 0:
        inverse = np.linalg.pinv(wide, rtol=100 * np.finfo(A.dtype).eps)
    else:
        inverse = np.linalg.solve(wide.conj().T @ wide + lam * np.eye(wide.shape[1]), wide.conj().T)
    return y @ inverse.T
