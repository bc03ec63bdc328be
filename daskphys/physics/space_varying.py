"""Blur that changes over the field: a sum of convolutions of a weighted image."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

import numpy as np

from daskphys import backend, doors
from daskphys.errors import ParameterError, ShapeError, checks_keywords
from daskphys.pairwise import pairwise_sum
from daskphys.physics.base import LinearPhysics
from daskphys.physics.blur import Blur
from daskphys.physics.checks import is_count, real_parameter
from daskphys.physics.cost import Cost, nbytes, summed
from daskphys.physics.extended import grid_of
from daskphys.physics.normal import Diagonal
from daskphys.physics.transform import Transform, from_pair
from daskphys.physics.value import value


@value
class SpaceVaryingBlur(LinearPhysics):
    """``A x = Σₖ hₖ ∗ (wₖ x)``: K kernels, each for the part of the image where its weights are large.

    Parameters
    ----------
    filters : array, shape (…, K, h, w); with ``ndim=3`` (…, K, d, h, w)
        The kernels hₖ, real, as those of `Blur`; axes before K are channels.
    multipliers : array, shape (…, K, H, W)
        The weights wₖ of the image's pixels; weights that sum to 1 over K keep the brightness of a constant image
        where kernels do.  They fix the image's size.
    padding : {"circular", "valid", "replicate", "reflect"}
        As that of `Blur`.
    ndim : {2, 3}
        The number of spatial axes.

    Raises
    ------
    ShapeError
        The numbers of kernels and weights differ, or the image has another size than the weights.
    ParameterError
        Complex, NaN or infinite entries; an unknown padding.

    Notes
    -----
    Each product takes K + 1 FFTs: sums are taken of spectra (or K direct convolutions, for small kernels).  AᴴA does not
    merge.

    References
    ----------
    J. G. Nagy and D. P. O'Leary, "Restoring images degraded by spatially variant blur", SIAM J. Sci. Comput. 19 (1998).

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics import SpaceVaryingBlur, gaussian_blur
    >>> psfs = np.zeros((1, 2, 15, 15))  # one row of two: sharp on the left, blurred on the right
    >>> psfs[0, 0, 7, 7], psfs[0, 1] = 1.0, gaussian_blur(2.0)[0, 0]
    >>> A = SpaceVaryingBlur.from_grid(psfs, (32, 64))
    >>> x = np.zeros((32, 64))
    >>> x[16, [8, 56]] = 1.0
    >>> [round(float(v), 3) for v in A(x)[16, [8, 56]]]
    [1.0, 0.04]
    """

    filters: Any
    multipliers: Any
    padding: str = "circular"
    ndim: int = 2

    def __post_init__(self) -> None:
        if self.ndim not in (2, 3):
            raise ParameterError(f"SpaceVaryingBlur expected ndim 2 or 3, got {self.ndim!r}")
        for name in ("filters", "multipliers"):
            given = real_parameter(getattr(self, name), "SpaceVaryingBlur", name)
            if given.ndim <= self.ndim:
                axes = ", ".join(("d", "h", "w")[-self.ndim :])
                raise ShapeError(
                    f"SpaceVaryingBlur expected {name} of shape (…, K, {axes}), got {tuple(given.shape)}: one kernel "
                    f"needs its axis too, as in {name}[None]"
                )
            while given.ndim > self.ndim + 1 and given.shape[0] == 1:
                given = given[0, ...]
            self.__dict__[name] = given
        if self.filters.shape[-self.ndim - 1] != self.multipliers.shape[-self.ndim - 1]:
            raise ShapeError(
                f"SpaceVaryingBlur expected as many kernels as weights, got filters of shape "
                f"{tuple(self.filters.shape)} and multipliers of shape {tuple(self.multipliers.shape)}"
            )
        lead = [tuple(a.shape[: -self.ndim - 1]) for a in (self.filters, self.multipliers)]
        if any(a != b and 1 not in (a, b) for a, b in zip(lead[0][::-1], lead[1][::-1], strict=False)):
            raise ShapeError(
                f"SpaceVaryingBlur expected filters and multipliers for as many channels, got filters of shape "
                f"{tuple(self.filters.shape)} and multipliers of shape {tuple(self.multipliers.shape)}"
            )
        _ = self._blurs, self._weights  # their errors are errors of this operator

    @classmethod
    @checks_keywords
    def from_grid(cls, psfs: Any, image_shape: tuple[int, int], padding: str = "circular") -> Self:
        """The operator of point spread functions that were measured on a regular grid over the field.

        Parameters
        ----------
        psfs : array, shape (rows, columns, h, w)
            One kernel for the middle of each of rows × columns equal cells of the image.
        image_shape : (int, int)
            The image's height and width.
        padding : str
            As that of the operator.

        Notes
        -----
        Weights are bilinear between the middles of cells, constant beyond the outer ones, and sum to 1 everywhere.
        """
        given = backend.as_parameter(doors.to_core(psfs), "SpaceVaryingBlur.from_grid", "psfs")
        if given.ndim != 4:
            raise ShapeError(
                f"SpaceVaryingBlur.from_grid expected psfs of shape (rows, columns, h, w), got {tuple(given.shape)}"
            )
        sizes = tuple(image_shape) if isinstance(image_shape, tuple | list) else ()
        whole = len(sizes) == 2 and all(map(is_count, sizes))
        if not whole or any(n < k for n, k in zip(sizes, given.shape, strict=False)):
            raise ShapeError(
                f"SpaceVaryingBlur.from_grid expected an image_shape (height, width) of at least one pixel a cell, "
                f"{tuple(given.shape[:2])}, got {image_shape}"
            )
        rows, columns = (_hats(k, n) for k, n in zip(given.shape[:2], image_shape, strict=True))
        weights = (rows[:, None, :, None] * columns[None, :, None, :]).reshape(-1, *image_shape)
        kernels = backend.namespace(given).reshape(given, (-1, *given.shape[2:]))
        return cls(kernels, backend.like(weights, kernels), padding)

    @functools.cached_property
    def _blurs(self) -> tuple[Blur, ...]:
        return tuple(Blur(part, self.padding, self.ndim) for part in self._parts(self.filters))

    @functools.cached_property
    def _weights(self) -> tuple[Diagonal, ...]:
        return tuple(map(Diagonal, self._parts(self.multipliers)))

    def _parts(self, array: Any) -> Iterator[Any]:
        after = (slice(None),) * self.ndim
        return (array[(..., k, *after)] for k in range(array.shape[-self.ndim - 1]))

    @functools.cached_property
    def _step(self) -> Transform:
        """What all the blurs do first, each with its own weighted image."""
        return functools.reduce(lambda a, b: a.join(b), (blur.transform for blur in self._blurs))

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return int(max(self.filters.ndim, self.multipliers.ndim) - 1)

    def _range_shape(self, shape: Any) -> Any:
        sizes = tuple(self.multipliers.shape[-self.ndim :])
        if tuple(shape[-self.ndim :]) != sizes:
            raise ShapeError(
                f"{self!r} expected an image of {sizes}, the size of its multipliers, got {tuple(shape)}"
            )
        return self._blurs[0]._range_shape(self._weights[0]._range_shape(shape))

    def _domain_shape(self, shape: Any) -> Any:
        domain = self._blurs[0]._domain_shape(shape)
        self._range_shape(domain)
        return domain

    def _forward(self, x: Any) -> Any:
        step, shape = self._step, tuple(x.shape)
        grid = grid_of(step, shape, self.ndim, backend.on_gpu(x))
        pairs = zip(self._blurs, self._weights, strict=True)
        if grid.direct:
            return pairwise_sum(b._forward_from(step.lift(w._forward(x)), shape, step) for b, w in pairs)

        def blurred(blur: Blur, weights: Diagonal) -> Any:
            z = step.lift(weights._forward(x))
            z *= blur._spectrum(z, grid.sizes)
            return z

        # The sum is taken before the inverse transform.
        z = pairwise_sum(blurred(b, w) for b, w in pairs)
        return from_pair(backend.irfftn(z, grid.sizes, self._blurs[0]._seen(shape, grid)), len(shape))

    def _adjoint(self, y: Any, shape: Any) -> Any:
        step = self._step
        grid = grid_of(step, shape, self.ndim, backend.on_gpu(y))
        pairs = zip(self._blurs, self._weights, strict=True)
        if grid.direct:
            return pairwise_sum(
                w._forward(step.lower(b._adjoint_to(y, shape, step), shape)) for b, w in pairs
            )
        z, xp = backend.rfftn(self._blurs[0]._placed_back(y, shape, grid), self.ndim), backend.namespace(y)

        def back(blur: Blur, weights: Diagonal) -> Any:
            spectrum = xp.conj(blur._spectrum(z, grid.sizes))
            return weights._forward(step.lower(z * spectrum, shape))

        return pairwise_sum(back(b, w) for b, w in pairs)

    def _cost(self, shape: Any, dtype: str) -> Cost:
        step, blur = self._step, self._blurs[0]
        lifted = self._weights[0]._cost(shape, dtype).then(step.cost(shape, dtype))
        own = blur._step_cost(shape, dtype, step)
        if not own.transforms:
            return self._summed(lifted.then(own))
        multiplied = replace(own, transforms=0, flops=own.result, workspace=0, result=lifted.result)
        back = Cost(1, own.flops, workspace=max(0, own.workspace - lifted.result), result=own.result)
        return self._summed(lifted.then(multiplied)).then(back)

    def _adjoint_cost(self, shape: Any, dtype: str) -> Cost:
        step, own = self._step, self._blurs[0]._step_cost(shape, dtype, self._step)
        image = nbytes(shape, dtype)
        lowered = replace(step.cost(shape, dtype), result=image).then(self._weights[0]._cost(shape, dtype))
        if not own.transforms:
            return self._summed(replace(own, result=step.cost(shape, dtype).result).then(lowered))
        z = nbytes(*step.lifted(shape, dtype))
        term = Cost(flops=own.result, kept=own.kept, parameters=own.parameters, workspace=z, result=z).then(
            lowered
        )
        terms = self._summed(term)
        return replace(
            terms,
            transforms=terms.transforms + 1,
            flops=terms.flops + own.flops,
            workspace=terms.workspace + z,  # the measurement's spectrum, which all the terms start from
        )

    def _summed(self, term: Cost) -> Cost:
        return summed([term] * len(self._blurs), sums=1)

    def _method(self, shape: Any) -> str:
        return f"{len(self._blurs)} terms, by {self._step.method(shape)}"

    def _summary(self) -> str:
        sizes = ("×".join(map(str, a.shape[-self.ndim :])) for a in (self.filters, self.multipliers))
        kernel, image = sizes
        return f"{len(self._blurs)} of {kernel} for {image}, {self.padding}"


def _hats(k: int, n: int) -> np.ndarray:
    """The weights of k equal cells at n pixels: linear between the middles of cells, constant beyond them."""
    at = (np.arange(n) + 0.5) * k / n - 0.5
    array: np.ndarray = np.clip(1 - np.abs(np.clip(at, 0, k - 1) - np.arange(k)[:, None]), 0, None)
    return array
