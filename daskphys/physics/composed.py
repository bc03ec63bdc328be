"""The hooks of the product of two operators."""

from __future__ import annotations

import functools
from typing import Any

from daskphys import backend
from daskphys.physics.algebracost import ComposedCost
from daskphys.physics.cache import derived
from daskphys.physics.convolution import Convolution, product, upsampled
from daskphys.physics.hooks import Hooks
from daskphys.physics.normal_kind import NormalKind
from daskphys.physics.polyphase import coarse
from daskphys.physics.spaces import Images, Sensors, check_real, of_reals, shape_of
from daskphys.physics.transform import After, Plain, Transform, as_pair


class ComposedHooks(ComposedCost):
    """``left @ right``: first `right`, then `left`.

    Where both are samples of circular convolutions, the product is one, and it is computed as one where an FFT is.
    """

    left: Hooks
    right: Hooks

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real(self.left, self.right)

    @property
    def domain(self) -> Images | Sensors:
        return of_reals(super().domain, self.of_real_images)

    @property
    def range(self) -> Images | Sensors:
        return of_reals(super().range, self.gives_real)

    def _forward(self, x: Any) -> Any:
        if self.convolution is not None and (backend.on_gpu(x) or self._in_one(shape_of(x))):
            return self._forward_from(self.transform.lift(x), x.shape, self.transform)
        return self.left._forward(self.right._forward(x))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        if self.convolution is not None and (backend.on_gpu(y) or self._in_one(tuple(shape))):
            return self.transform.lower(self._adjoint_to(y, shape, self.transform), shape)
        return self.right._adjoint(self.left._adjoint(y, self.right._range_shape(shape)), shape)

    def _gram(self, x: Any) -> Any:
        """Rᴴ (LᴴL) R x, where LᴴL is one merged value: it may cost less than L and Lᴴ."""
        if self.convolution is not None or self.left.normal_kind is None:
            return super()._gram(x)
        between = self.right._forward(x)
        return self.right._adjoint(self.left._normal(shape_of(between))._forward(between), shape_of(x))

    def _domain_shape(self, shape: Any) -> Any:
        return self.right._domain_shape(self.left._domain_shape(shape))

    def _adjoint_dtype(self, dtype: str) -> str:
        return self.right._adjoint_dtype(self.left._adjoint_dtype(dtype))

    @functools.cached_property
    def convolution(self) -> Convolution | None:
        left = self.left.convolution
        return None if left is None else left.after(self.right.convolution)

    def _transfer(self, sizes: tuple[int, ...]) -> Any:
        first = self.right.convolution
        assert first is not None  # `convolution` would be None
        factor = first.factor
        last = upsampled(self.left._transfer(coarse(sizes, factor)), coarse(sizes, factor), factor)
        return product(last, self.right._transfer(sizes))

    def _factors(self, image: Any, sizes: tuple[int, ...]) -> Any:
        """What a convolution multiplies the lifted image by, in the precision and on the device of `image`."""
        assert self.convolution is not None
        convolution, name = self.convolution, backend.complex_name(backend.dtype_name(image))
        return derived.get(
            self,
            (sizes, name, backend.device_of(image)),
            lambda: backend.like(convolution.factors(self._transfer(sizes), sizes), image, name),
        )

    @property
    def normal_kind(self) -> NormalKind | None:
        first, last = self.right.convolution, self.left.normal_kind
        if self.convolution is not None or last is None or first is None or first.factor > 1:
            return super().normal_kind
        return last.around(first.ndim)

    def _make_normal(self, shape: Any) -> Any:
        """Rᴴ (LᴴL) R: of a filter R and a multiplier, one multiplier."""
        first = self.right.convolution
        if self.convolution is not None or first is None:
            return super()._make_normal(shape)
        sizes = tuple(shape[-first.ndim :])
        return self.left._make_normal(shape)._around(first.make_normal(self.right._transfer(sizes), sizes))

    @property
    def transform(self) -> Transform:
        if self.convolution is not None:
            return self.convolution.transform
        return After(self.right, self.left.transform)

    def _forward_from(self, z: Any, shape: Any, transform: Any) -> Any:
        if self.convolution is not None:
            sizes = tuple(shape[-self.convolution.ndim :])
            return self.convolution.forward(z, self._factors(z, sizes), shape)
        if isinstance(transform.then, Plain):
            return self.left._forward(z)
        return self.left._forward_from(z, self.right._range_shape(shape), transform.then)

    def _adjoint_to(self, y: Any, shape: Any, transform: Any) -> Any:
        if self.convolution is not None:
            ndim = self.convolution.ndim
            z = backend.rfftn(as_pair(y), ndim)
            return self.convolution.adjoint(z, self._factors(z, tuple(shape[-ndim:])))
        between = self.right._range_shape(shape)
        if isinstance(transform.then, Plain):
            return self.left._adjoint(y, between)
        return self.left._adjoint_to(y, between, transform.then)
