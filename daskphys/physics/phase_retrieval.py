"""Intensities: what a detector sees of a wave, whose phase it loses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from daskphys import backend
from daskphys.errors import ParameterError, describe
from daskphys.physics.base import LinearPhysics
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.physics import Physics
from daskphys.physics.spaces import Images, Sensors, real_part
from daskphys.physics.value import value


@value
class PhaseRetrieval(Physics):
    """``A(x) = |B x|²``, entry by entry, for a linear B; real, also of a complex x.

    Parameters
    ----------
    B : LinearPhysics
        From images to one array: a Fourier transform of the image times a code, say.  Of several, stack this:
        ``stack(*[PhaseRetrieval(B) for B in …])``.

    Raises
    ------
    ParameterError
        `B` is no linear operator, or has one array a sensor.

    Notes
    -----
    ``A_vjp(x, v)`` is 2 Bᴴ(v · Bx), and its real part for a real x: the gradient of ``Σ v |Bx|²`` with respect to the real and the
    imaginary part of x.  So ``A_vjp(x, A(x) - y)`` is the gradient of ½ ‖A(x) - y‖², which Wirtinger flow follows.

    Source: E. Candès, X. Li and M. Soltanolkotabi, "Phase Retrieval via Wirtinger Flow", IEEE Trans. Inf. Theory 61 (2015);
    their gradient with respect to conj(x) is half of this one.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import MatrixOperator, PhaseRetrieval
    >>> A = PhaseRetrieval(MatrixOperator(np.array([[1.0, 1j], [1.0, -1.0]])))
    >>> x = np.array([1 + 1j, 2.0])
    >>> A(x), A.A_vjp(x, np.array([1.0, 0.0]))
    (array([10.,  2.]), array([2.+6.j, 6.-2.j]))
    """

    B: LinearPhysics

    def __post_init__(self) -> None:
        if not isinstance(self.B, LinearPhysics):
            raise ParameterError(f"PhaseRetrieval expected a linear operator B, got {describe(self.B)}")
        if not isinstance(self.B.range, Images):
            raise ParameterError(
                f"PhaseRetrieval expected an operator that gives one array, got {self.B!r}, which has one a sensor: write "
                f"stack(*[PhaseRetrieval(B) for B in S])"
            )

    @property
    def domain(self) -> Images | Sensors:
        return self.B.domain.widened(0, self)

    @property
    def range(self) -> Images | Sensors:
        return Images(self, self.B.range.ndim, real=True)

    def _forward(self, x: Any) -> Any:
        z = self.B._forward(x)
        if not backend.is_complex(z):
            return z * z
        xp = backend.namespace(z)
        real, imag = xp.real(z), xp.imag(z)
        return real * real + imag * imag

    def _vjp(self, x: Any, v: Any) -> Any:
        made = self.B._adjoint((2 * v) * self.B._forward(x), tuple(x.shape))
        return made if backend.is_complex(x) else real_part(made)

    def _range_shape(self, shape: Any) -> Any:
        return self.B._range_shape(shape)

    def _result_dtype(self, dtype: str) -> str:
        return backend.real_name(self.B._result_dtype(dtype))

    def _cost(self, shape: Any, dtype: str) -> Cost:
        field = self.B._cost(shape, dtype)
        result = field.result // (1 if self.B._result_dtype(dtype) == self._result_dtype(dtype) else 2)
        return field.then(Cost(flops=3 * result / 4, workspace=result, result=result))

    def _vjp_cost(self, shape: Any, dtype: str) -> Cost:
        field, wide = self.B._cost(shape, dtype), self.B._result_dtype(dtype)
        weighted = field.then(Cost(flops=field.result / 4, workspace=field.result, result=field.result))
        back = replace(self.B._adjoint_cost(shape, wide), parameters=0, kept=0)
        return weighted.then(back).then(Cost(result=nbytes(shape, dtype)))

    def _summary(self) -> str:
        return repr(self.B)
