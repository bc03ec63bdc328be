"""Projections at several angles, evaluated together: a part of `Tomography`."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Self

import numpy as np

from daskphys import backend
from daskphys.markup import counted
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cache import derived
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.matrix import SparseRows
from daskphys.physics.tomography.scan import Scan
from daskphys.physics.value import value


@value
class Projections(LinearPhysics):
    """The projections of an image at `angles` (degrees), by a matrix or by ASTRA's own loops."""

    angles: np.ndarray
    scan: Scan
    stored: bool
    divided: bool = False  # entries by the depths of their pixels, for filtered back-projection of fan beams

    domain_ndim = 2

    def _range_shape(self, shape: Any) -> Any:
        return self.scan.range_shape(self, len(self.angles), shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self.scan.domain_shape(self, len(self.angles), shape)

    def _forward(self, x: Any) -> Any:
        return self._product(x, back=False)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._product(y, back=True)

    def _product(self, x: Any, back: bool) -> Any:
        xp = backend.namespace(x)
        if not self._by_matrix(backend.dtype_name(x)) and not backend.on_gpu(x):
            if backend.is_complex(x):
                parts = (self._product(part, back) for part in (xp.real(x), xp.imag(x)))
                return backend.complex_of(*parts)
            made = self.scan.project(self.angles, backend.to_numpy(x), back)
            return made if xp is np else backend.like(made, x)
        matrix = self._matrix(backend.real_name(backend.dtype_name(x)), backend.device_of(x))
        times = backend.csr_adjoint_times if back else backend.csr_times
        vectors = x if backend.on_gpu(x) else backend.to_numpy(x)
        vectors = vectors.reshape(backend.size(x.shape[:-2]), -1)
        made = times(matrix.data, matrix.indices, matrix.indptr, matrix.shape, vectors)
        shape = self._domain_shape(x.shape) if back else self._range_shape(x.shape)
        return xp.reshape(backend.like(made, x), shape)

    def _by_matrix(self, dtype: str) -> bool:
        """Whether a product is that of a matrix: ASTRA's own loops know single precision alone."""
        return self.stored or self.divided or backend.real_name(dtype) == "float64"

    def _matrix(self, dtype: str, device: str = "cpu") -> SparseRows:
        """The matrix in this precision, on a GPU if `device` is one; kept if it is to be."""
        if device.startswith("cuda"):
            return self._kept(("matrix", dtype, device), lambda: self._matrix(dtype).to(device))
        if dtype == "float32":
            return self._kept("matrix", self._made)
        return self._kept(("matrix", dtype), lambda: _in_precision(self._matrix("float32"), dtype))

    def _kept(self, key: Hashable, make: Callable[[], SparseRows]) -> SparseRows:
        return derived.get(self, key, make) if self.stored else make()

    def _made(self) -> SparseRows:
        matrix = self.scan.matrix(self.angles)
        if not self.divided:
            return matrix
        angle = np.repeat(np.arange(len(self.angles)), np.diff(matrix.indptr[:: self.scan.detectors]))
        depths = self.scan.depths(self.angles).astype(np.float32)
        data = backend.lock(matrix.data / depths[angle, matrix.indices])
        return SparseRows(data, matrix.indices, matrix.indptr, matrix.columns)

    # -- what it costs ---------------------------------------------------------------------------------------

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return self._product_cost(shape, dtype, self._range_shape(shape))

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        return self._product_cost(shape, dtype, shape)

    def _product_cost(self, shape: Any, dtype: str, result: Any) -> Cost:
        entries = self.scan.entries(self.angles)
        images = backend.size(shape[:-2]) * (2 if dtype.startswith("complex") else 1)
        given, made = nbytes(shape, dtype), nbytes(result, dtype)
        if not self._by_matrix(dtype):
            return Cost(0, _FLOPS_OF_ASTRA * entries * images, self.nbytes, 0, given + made, made)
        # In double precision the entries are there twice, and where they are once.
        kept = (16 if backend.real_name(dtype) == "float64" else 8) * entries if self.stored else 0
        making = 24 * entries  # measured: ASTRA's own matrix, and the copy in 64 bits that it gives
        return Cost(0, 2.0 * entries * images, self.nbytes, kept, max(making, given + made), made)

    def _method(self, shape: Any) -> str:
        kind = f"ASTRA's projector {self.scan.projector!r}"
        if self.stored:
            return f"{kind} as a sparse matrix"
        if self.divided:
            return f"{kind} as a sparse matrix that is made at each product"
        return f"{kind} run at each product (in double precision by a matrix that is made anew)"

    def to(self, device: Any) -> Self:
        """Itself: the matrix goes where the image is."""
        backend.parse_device(device)
        return self

    def _summary(self) -> str:
        sizes = "×".join(map(str, self.scan.image_shape))
        return f"{counted(len(self.angles), 'angle')}, {sizes}, {self.scan.geometry}"


def _in_precision(matrix: SparseRows, dtype: str) -> SparseRows:
    """The matrix with its entries in this precision; where they are, is shared."""
    data = backend.lock(backend.astype(matrix.data, dtype))
    return SparseRows(data, matrix.indices, matrix.indptr, matrix.columns)


#: Operations of ASTRA's loops for each pixel that a ray meets, in units of those of a matrix product (measured: 5 ns
#: against 0.5 to 1).
_FLOPS_OF_ASTRA = 15.0
