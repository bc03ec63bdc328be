"""Sensors that see mixtures of an image's channels."""

from __future__ import annotations

from typing import Any

from daskphys import backend
from daskphys.errors import ShapeError
from daskphys.pairwise import pairwise_sum
from daskphys.physics.base import LinearPhysics
from daskphys.physics.checks import real_parameter
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.value import value


@value
class SpectralResponse(LinearPhysics):
    """``y[o] = Σ_c response[o, c] x[c]``: each output channel is a mixture of the input's.

    Parameters
    ----------
    response : array, shape (out, in), real
        How much output channel o sees of input channel c: one row of ``(0.299, 0.587, 0.114)`` is the luma of
        ITU-R BT.601 of an RGB image.

    Raises
    ------
    ParameterError
        Complex, NaN or infinite entries.
    ShapeError
        `response` is no matrix, or the image has not `in` channels, on the axis before its height and width.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import SpectralResponse
    >>> grey = SpectralResponse([[0.299, 0.587, 0.114]])
    >>> grey(np.ones((3, 4, 5))).shape, grey.A_adjoint(np.ones((1, 4, 5)))[:, 0, 0]
    ((1, 4, 5), array([0.299, 0.587, 0.114]))
    """

    response: Any
    domain_ndim = 3

    def __post_init__(self) -> None:
        response = real_parameter(self.response, "SpectralResponse", "response")
        if response.ndim != 2 or 0 in response.shape:
            raise ShapeError(
                f"SpectralResponse expected a response of shape (out, in), got {tuple(response.shape)}"
            )
        self.__dict__["response"] = response

    def _range_shape(self, shape: Any) -> Any:
        return self._resized(shape, *self.response.shape[::-1])

    def _domain_shape(self, shape: Any) -> Any:
        return self._resized(shape, *self.response.shape)

    def _resized(self, shape: Any, expected: int, wanted: int) -> Any:
        if shape[-3] != expected:
            raise ShapeError(
                f"{self!r} expected {expected} channels, on axis -3, got an array of shape {tuple(shape)}"
            )
        return (*shape[:-3], wanted, *shape[-2:])

    def _forward(self, x: Any) -> Any:
        return self._mixed(x, self.response)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._mixed(y, self.response.T)

    @staticmethod
    def _mixed(x: Any, matrix: Any) -> Any:
        """Channel by channel: a matrix product's last bits would depend on the size of a batch."""
        rows = [
            pairwise_sum(float(weight) * x[..., c, :, :] for c, weight in enumerate(row))
            for row in backend.to_numpy(matrix)
        ]
        return backend.namespace(x).stack(rows, axis=-3)

    def _step_cost(self, shape: Any, dtype: str, transform: Any) -> Cost:
        out, given = self.response.shape
        result = nbytes(self._range_shape(shape), dtype)
        plane = result // out
        return Cost(
            0, 2.0 * out * given * backend.size(shape) / given, self.nbytes, 0, result + 3 * plane, result
        )
