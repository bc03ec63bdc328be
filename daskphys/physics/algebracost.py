"""What operators that are made of operators cost (their hooks are in `daskphys.physics.algebra`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from daskphys import backend
from daskphys.physics.cost import Cost, summed
from daskphys.physics.hooks import Hooks
from daskphys.physics.normal_kind import has_closed_form
from daskphys.physics.product import Product
from daskphys.physics.transform import Plain, Transform


class AdjointCost(Hooks):
    """Aᴴ."""

    parent: Hooks

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return self.parent._adjoint_cost(self.parent._domain_shape(shape), dtype)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        return self.parent._cost(self.parent._domain_shape(shape), dtype)


class ComposedCost(Product, Hooks):
    """``left @ right``; where the two are one step, the rules are those of `Hooks`."""

    left: Hooks
    right: Hooks

    def _cost(self, shape: Any, dtype: str) -> Cost:
        if self._in_one(shape):
            return super()._cost(shape, dtype)
        return self._cost_in_turn(shape, dtype)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        if self._in_one(shape):
            return super()._adjoint_cost(shape, dtype)
        first = self.left._adjoint_cost(self._between(shape), dtype)
        return first.then(self.right._adjoint_cost(shape, self.left._adjoint_dtype(dtype)))

    def _gram_cost(self, shape: Any, dtype: str) -> Cost:
        if self.normal_kind is not None or self.left.normal_kind is None:
            return super()._gram_cost(shape, dtype)
        between, name = self._between(shape), self.right._result_dtype(dtype)
        there = self.right._cost(shape, dtype).then(self.left._gram_cost(between, name))
        return there.then(self.right._adjoint_cost(shape, self.left.normal_kind.result_dtype(name)))

    def _normal_cost(self, shape: Any, dtype: str) -> Cost:
        if self.convolution is not None:
            return super()._normal_cost(shape, dtype)
        # That of the first is a part of it on the way.
        return replace(self.left._normal_cost(shape, dtype), parameters=self.nbytes)

    def _merged_step(self, shape: Any, dtype: str) -> Cost:
        if self.convolution is not None:
            return super()._merged_step(shape, dtype)
        return self.left._merged_step(shape, dtype)

    def _step_cost(self, shape: Any, dtype: str, transform: Any) -> Cost:
        if self.convolution is not None:
            kernels = backend.size(shape[len(shape) - self.domain.ndim : len(shape) - self.convolution.ndim])
            return replace(
                self.convolution.step_cost(shape, dtype, kernels, transform), parameters=self.nbytes
            )
        between, name = self._between(shape), self.right._result_dtype(dtype)
        if isinstance(transform, Plain):
            return self._cost(shape, dtype)
        if isinstance(transform.then, Plain):
            return self.left._cost(between, name)
        return self.left._step_cost(between, name, transform.then)

    @functools.cached_property
    def _rule(self) -> Callable[[Any], bool]:
        return functools.lru_cache(maxsize=8)(functools.partial(_takes_transforms, self.left, self.right))

    def _in_one(self, shape: Any) -> bool:
        """Whether two convolutions of an image on the CPU are computed as one.

        Where neither of the two takes an FFT, as small kernels, one after the other is faster.
        """
        return self.convolution is not None and self._rule(shape)


def _takes_transforms(left: Hooks, right: Hooks, shape: Any) -> bool:
    between = right._range_shape(shape)
    return (right._cost(shape, "float32").transforms + left._cost(between, "float32").transforms) > 0


class SumCost(Hooks):
    """A sum of operators."""

    terms: tuple[Hooks, ...]

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return summed([term._cost(shape, dtype) for term in self.terms], sums=1)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        return summed([term._adjoint_cost(shape, dtype) for term in self.terms], sums=1)


class ScaledCost(Hooks):
    """``factor * parent``."""

    parent: Hooks

    def _cost(self, shape: Any, dtype: str) -> Cost:
        given, made = self.parent._result_dtype(dtype), self._result_dtype(dtype)
        return _multiplied(self.parent._cost(shape, dtype), given, made)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        given, made = self.parent._adjoint_dtype(dtype), self._adjoint_dtype(dtype)
        return _multiplied(self.parent._adjoint_cost(shape, dtype), given, made)

    def _step_cost(self, shape: Any, dtype: str, transform: Transform) -> Cost:
        given, made = self.parent._result_dtype(dtype), self._result_dtype(dtype)
        return _multiplied(self.parent._step_cost(shape, dtype, transform), given, made)

    def _normal_cost(self, shape: Any, dtype: str) -> Cost:
        made = self.parent._normal_cost(shape, dtype)
        return made.then(Cost(flops=made.result / 8, result=made.result))


def _multiplied(cost: Cost, given: str, made: str) -> Cost:
    """And a multiple of its result, which is a new array (of complex numbers, where the factor makes it so)."""
    result = cost.result * (1 if made == given else 2)
    return cost.then(Cost(flops=result / 4, result=result))


class GramCost(Hooks):
    """AᴴA."""

    parent: Hooks

    def _cost(self, shape: Any, dtype: str) -> Cost:
        return self.parent._gram_cost(shape, dtype)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        return self._cost(shape, dtype)


class PseudoInverseCost(Hooks):
    """A⁺."""

    parent: Hooks

    def _cost(self, shape: Any, dtype: str) -> Cost:
        """Of the closed form; where it iterates, that of one iteration."""
        parent, image = self.parent, self.parent._domain_shape(shape)
        adjoint = parent._adjoint_cost(image, dtype)
        if not has_closed_form(parent):
            return adjoint.then(parent._cost(image, parent._result_dtype(dtype)))
        normal = parent._normal_cost(image, dtype)
        inverse = Cost(kept=3 * normal.result, workspace=normal.workspace, result=adjoint.result)
        return adjoint.then(inverse)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        image = self.parent._domain_shape(shape)
        if not has_closed_form(self.parent):
            return replace(self._cost(shape, dtype), result=self.parent._cost(image, dtype).result)
        return self.parent._gram_cost(image, dtype).then(self.parent._cost(image, dtype))
