"""A physics of deepinv that is not linear, as it is: its own A and A_vjp."""

from __future__ import annotations

from typing import Any

import torch

from daskphys import backend
from daskphys.interop.deepinv_operator import applied, image_shape_of, precise, probed, summary, swapped
from daskphys.interop.deepinv_parts import Parts, parts_of
from daskphys.interop.torch import from_torch, to_torch
from daskphys.physics.physics import Physics
from daskphys.physics.spaces import Images, of_reals
from daskphys.physics.value import value

Shape = tuple[int, ...]


@value
class DeepinvNonlinear(Physics):
    """A physics of deepinv that is not linear, made by `daskphys.interop.deepinv.from_deepinv`."""

    name: str
    parts: Parts
    image_shape: Shape
    measurement_shape: Shape
    #: Whether its images are complex: real ones are made so.
    of_complex: bool
    #: Whether its measurements are.
    to_complex: bool

    @property
    def domain(self) -> Any:
        return of_reals(Images(self, len(self.image_shape)), not self.of_complex)

    @property
    def range_ndim(self) -> int:
        return len(self.measurement_shape)

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype) if self.to_complex else backend.real_name(dtype)

    def _range_shape(self, shape: Any) -> Any:
        return swapped(self, shape, self.image_shape, self.measurement_shape)

    def _forward(self, x: Any) -> Any:
        return self._each("A", (x,), self._range_shape(tuple(x.shape)), self._result_dtype)

    def _vjp(self, x: Any, v: Any) -> Any:
        return self._each("A_vjp", (x, v), tuple(x.shape), lambda kind: kind)

    def _each(self, name: str, given: tuple[Any, ...], shape: Shape, dtype: Any) -> Any:
        """What a method makes of its arguments, one entry of a batch after the other."""
        x, *rest = given
        kind = backend.dtype_name(x)
        lead = tuple(x.shape[: x.ndim - len(self.image_shape)])
        own = [to_torch(array).reshape(-1, *array.shape[len(lead) :]) for array in (x, *rest)]
        if self.of_complex:
            own[0] = own[0].to(getattr(torch, backend.complex_name(kind)))
        physics = self.parts.module(own[0].device, kind)
        wanted, entry = getattr(torch, dtype(kind)), shape[len(lead) :]
        result = torch.empty((own[0].shape[0], *entry), dtype=wanted, device=own[0].device)
        with torch.no_grad():
            for i in range(result.shape[0]):
                made = applied(physics, name, *(batch[i][None].clone() for batch in own))
                result[i].copy_(precise(self, name, made, entry, wanted)[0])
        return backend.like(from_torch(result.reshape(shape)), x)

    def _summary(self) -> str:
        return summary(self)


def wrapped_nonlinear(physics: Any, image_shape: Any) -> DeepinvNonlinear:
    """A physics as an operator on images of `image_shape`; by one call of A, its kind is known."""
    name = type(physics).__name__
    image = image_shape_of(physics, image_shape, name)
    parts = parts_of(physics, "from_deepinv")
    with torch.no_grad():
        x, y = probed(parts.module(torch.device("cpu"), "float32"), image, name)
    return DeepinvNonlinear(name, parts, image, tuple(y.shape[1:]), x.is_complex(), y.is_complex())
