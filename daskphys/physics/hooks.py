"""The hooks that an author of a linear operator writes, and what the algebra asks of every linear operator."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from daskphys import backend
from daskphys.errors import NotClosedFormError, ParameterError
from daskphys.krylov.system import Progress, Solution
from daskphys.physics.cache import derived
from daskphys.physics.convolution import Convolution
from daskphys.physics.cost import Cost, nbytes
from daskphys.physics.forward import Forward
from daskphys.physics.measurements import Measurements
from daskphys.physics.normal_kind import NormalKind
from daskphys.physics.normalcost import aliased_nbytes, aliased_step, toeplitz_nbytes, toeplitz_step
from daskphys.physics.spaces import real_part, shape_of
from daskphys.physics.system import LocalSystem
from daskphys.physics.transform import Transform


class Hooks(Forward):
    """A linear map as its author writes it, without the methods that users call."""

    @abc.abstractmethod
    def _adjoint(self, y: Any, shape: Any) -> Any:
        """Aᴴ y, an image of `shape`."""

    def _vjp(self, x: Any, v: Any) -> Any:
        """Aᴴ v, whatever x is; its real part for a real x."""
        made = self._adjoint(v, shape_of(x))
        return made if _is_complex(x) else real_part(made)

    def _domain_shape(self, shape: Any) -> Any:
        """The shape of Aᴴ y for y of `shape`; raises `ShapeError` for a measurement that does not fit."""
        return shape

    def _adjoint_dtype(self, dtype: str) -> str:
        """The name of the dtype of Aᴴ y for y of `dtype`.

        An operator of real images with complex measurements says the real one: its Aᴴ y is the real part of what it
        would be, the adjoint in ``⟨y, y'⟩ = Re Σ conj(y) y'``.
        """
        return self._result_dtype(dtype)

    @property
    def of_real_images(self) -> bool:
        """Whether images are real although measurements are complex, so that Aᴴ y is a real part."""
        return self._adjoint_dtype("complex64") == "float32"

    # What a family may add, to be fast in a stack.

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        """The z with ``Aᴴ y = transform.lower(z, shape)``; where `transform` says so, in memory of its own."""
        return self._adjoint(y, shape)

    @property
    def convolution(self) -> Convolution | None:
        """What it is as every f-th sample of a circular convolution with a real kernel, where it is that.

        Products and sums of such operators are such operators, and their AᴴA merge.
        """
        return None

    def _transfer(self, sizes: tuple[int, ...]) -> Any:
        """Its transfer function for images of `sizes`, where `convolution` is not None: an array of its own.

        The half spectrum of the kernel, in complex128.
        """
        raise NotImplementedError(
            f"{type(self).__name__} says that it is a convolution, and has no _transfer"
        )

    @property
    def normal_kind(self) -> NormalKind | None:
        """With which others AᴴA merges into one value; None where it does not."""
        return None if self.convolution is None else self.convolution.normal_kind

    @property
    def _by_normal(self) -> bool:
        """Whether AᴴA x is taken by the merged value; of one sampled convolution A and then Aᴴ cost less."""
        return self.normal_kind is not None and (self.convolution is None or self.convolution.factor == 1)

    def _make_normal(self, shape: Any) -> Any:
        """AᴴA as a value that merges, where `normal_kind` is not None; made anew at every call."""
        if self.convolution is None:
            raise self._not_closed("AᴴA")
        sizes = tuple(shape[-self.convolution.ndim :])
        return self.convolution.make_normal(self._transfer(sizes), sizes)

    def _normal(self, shape: Any) -> Any:
        """The value of `_make_normal`, made once for images of one shape and kept."""
        space = tuple(shape[len(shape) - self.domain.ndim :])
        return derived.get(self._keeper, ("normal", space), lambda: self._make_normal(space))

    @property
    def _keeper(self) -> Any:
        """The operator that keeps the merged value: itself, or one that equals it."""
        return self

    def _weighted_normal(self, shape: Any, weights: Any) -> Any:
        """``Σᵢ wᵢ Aᵢᴴ Aᵢ``, for an operator with a sensor axis."""
        raise ParameterError(
            f"{self!r}.normal got weights, but is one operator and has no sensor axis: expected a stack, as in "
            f"stack(A, B).normal(shape, weights=[1, 2])"
        )

    def _gram(self, x: Any) -> Any:
        """AᴴA x, where it does not merge."""
        return self._adjoint(self._forward(x), shape_of(x))

    # What products cost, from shapes alone: `daskphys.physics.cost`.

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        """What Aᴴ y costs, where the image Aᴴ y has this shape and y this dtype."""
        own, step = self._step_cost(shape, dtype, self.transform), self.transform.cost(shape, dtype)
        image = nbytes(shape, self._adjoint_dtype(dtype))
        if not step.result:
            return replace(own, result=image)
        return replace(own, result=step.result).then(replace(step, result=image))

    def _vjp_cost(self, shape: Any, dtype: str) -> Cost:
        return self._adjoint_cost(shape, self._result_dtype(dtype))

    def _normal_cost(self, shape: Any, dtype: str) -> Cost:
        """What the merged AᴴA costs to make; its result is the value, in float64.

        By rule one number for each frequency (or pixel) of the axes that the operator acts on; a kernel and its
        spectrum are held meanwhile, in double precision.
        """
        ndim, kind = self.domain.ndim, self.normal_kind
        if kind is not None and kind.toeplitz_ndim:
            made = toeplitz_nbytes(tuple(shape[-kind.toeplitz_ndim :]), kind.makes_complex)
            # Its kernel in a longer field, and the spectrum of that, are complex.
            return Cost(parameters=self.nbytes, workspace=4 * made, result=made)
        if kind is not None and kind.aliased is not None:
            made = aliased_nbytes(tuple(shape[-ndim:]), *kind.aliased)
            # The rows of which it is the product, and the kernel that they are made of, are small beside it.
            return Cost(parameters=self.nbytes, workspace=made, result=made)
        lifted, _ = self.transform.at_image_size().lifted(shape, backend.real_name(dtype))
        value = nbytes(lifted[-ndim:], "float64")
        making = 3 * nbytes(shape[-ndim:], "float64")
        return Cost(parameters=self.nbytes, workspace=max(0, making - value), result=value)

    def _gram_cost(self, shape: Any, dtype: str) -> Cost:
        """What AᴴA x costs; as a rule by the merged operator, where it merges."""
        if not self._by_normal:
            wide = self._result_dtype(dtype)
            return self._cost(shape, dtype).then(
                replace(self._adjoint_cost(shape, wide), parameters=0, kept=0)
            )
        return self._merged_cost(shape, dtype)

    def _merged_cost(self, shape: Any, dtype: str) -> Cost:
        """What AᴴA x costs by the merged operator, which is there."""
        assert self.normal_kind is not None
        made, step = self._normal_cost(shape, dtype), self._merged_step(shape, dtype)
        image = nbytes(shape, self.normal_kind.result_dtype(dtype))
        kept = made.result + made.result * nbytes((1,), backend.real_name(dtype)) // 8  # and in x's precision
        return Cost(
            made.transforms + 2 * step.transforms,
            made.flops + 2 * step.flops + image,
            made.parameters,
            kept,
            max(made.workspace, step.workspace, 2 * step.result),
            image,
        )

    def _merged_step(self, shape: Any, dtype: str) -> Cost:
        """One of the two transforms of a product with the merged AᴴA."""
        kind = self.normal_kind
        if kind is not None and kind.toeplitz_ndim:
            return toeplitz_step(shape, dtype, kind.toeplitz_ndim, kind.makes_complex)
        if kind is not None and kind.aliased is not None:
            return aliased_step(shape, dtype, *kind.aliased)
        return self.transform.at_image_size().cost(shape, dtype)

    def _merge(self, other: Any) -> Any:
        """``self + other`` as one value, where there is one; else None."""
        return None

    def _scaled(self, number: complex) -> Any:
        """``number * self`` as one value, where there is one; else None."""
        return None

    def _solve(
        self,
        solver: Callable[..., Solution],
        y: Any,
        shape: Any,
        x0: Any = None,
        progress: Progress | None = None,
    ) -> Solution:
        """What `solver` (one of `daskphys.krylov`) makes of ``A x = y`` for x of `shape`, where the operator lives.

        `y` and `x0` are in the dtype of the solution (`system.as_result`); `y` is None for `Lanczos`.
        """
        for part in self._distant():
            part._iterated_from_here()
        return solver(LocalSystem(self, y, shape), x0, progress)

    def _iterated_from_here(self) -> None:
        """Say that a solver makes such a call at each iteration."""

    def _not_closed(self, what: str) -> NotClosedFormError:
        return NotClosedFormError(
            f"{self!r} has no closed form of {what}: expected a merged normal operator, such as that of "
            f"circular blurs, A.normal(shape); or use A_dagger or compute_norm, which iterate where they must"
        )

    @property
    def closed_form(self) -> bool:
        """Whether `inv`, `pinv` and `norm` of this operator itself have a closed form."""
        return False

    def diagonal(self) -> Any:
        """The diagonal entries of a normal value, as an array that broadcasts against the image."""
        raise self._not_closed("diagonal()")


def _is_complex(x: Any) -> bool:
    """Whether an array, or any of measurements, is complex."""
    return any(map(backend.is_complex, x)) if isinstance(x, Measurements) else backend.is_complex(x)
