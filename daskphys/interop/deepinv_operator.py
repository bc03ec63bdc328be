"""A physics of deepinv as an operator of this package: its own A and A_adjoint, on torch tensors that share the arrays' memory."""

from __future__ import annotations

import numbers
from typing import Any

import torch

from daskphys import backend
from daskphys.errors import DaskphysWarning, FallbackWarning, ParameterError, ShapeError, describe, warn
from daskphys.interop.deepinv_parts import Parts, parts_of
from daskphys.interop.torch import from_torch, to_torch
from daskphys.physics.base import LinearPhysics
from daskphys.physics.value import value

Shape = tuple[int, ...]

#: Of ⟨A u, v⟩ from ⟨u, Aᴴ v⟩, relative to the norms: what single precision leaves of many thousand terms.
MOST_OFF = 1e-4


@value
class DeepinvPhysics(LinearPhysics):
    """A linear physics of deepinv as it is, made by `daskphys.interop.deepinv.from_deepinv`."""

    name: str
    parts: Parts
    image_shape: Shape
    measurement_shape: Shape
    #: Whether its images are complex, as a Fourier transform's are: real ones are made so.
    of_complex: bool
    #: Whether real images have complex measurements, and the adjoint is real.
    to_complex: bool

    @property
    def domain_ndim(self) -> int:  # type: ignore[override]
        return len(self.image_shape)

    @property
    def range_ndim(self) -> int:
        return len(self.measurement_shape)

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype) if self.of_complex or self.to_complex else dtype

    def _adjoint_dtype(self, dtype: str) -> str:
        return backend.real_name(dtype) if self.to_complex else self._result_dtype(dtype)

    def _range_shape(self, shape: Any) -> Any:
        return swapped(self, shape, self.image_shape, self.measurement_shape)

    def _domain_shape(self, shape: Any) -> Any:
        return swapped(self, shape, self.measurement_shape, self.image_shape)

    def _forward(self, x: Any) -> Any:
        return self._product("A", x, self.image_shape, self.measurement_shape, self._result_dtype)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        return self._product("A_adjoint", y, self.measurement_shape, self.image_shape, self._adjoint_dtype)

    def _product(self, name: str, x: Any, given: Shape, wanted: Shape, dtype: Any) -> Any:
        """What a method of the physics makes of `x`, one entry of a batch after the other.

        So an entry has the same bits in any batch, which torch's products of matrices do not promise.
        """
        kind, lead = backend.dtype_name(x), tuple(x.shape[: x.ndim - len(given)])
        batch = to_torch(x).reshape(-1, *given)
        if self.of_complex or (self.to_complex and name == "A_adjoint"):
            batch = batch.to(getattr(torch, backend.complex_name(kind)))
        physics = self.parts.module(batch.device, kind)
        result = torch.empty(
            (batch.shape[0], *wanted), dtype=getattr(torch, dtype(kind)), device=batch.device
        )
        by_parts = batch.is_complex() and not (self.of_complex or self.to_complex)
        with torch.no_grad():
            for entry, own in zip(batch, result, strict=True):
                parts = (entry.real, entry.imag) if by_parts else (entry,)
                made = [applied(physics, name, part[None].clone()) for part in parts]
                whole = torch.complex(*made) if by_parts else made[0]
                own.copy_(precise(self, name, whole, own.shape, own.dtype)[0])
        return backend.like(from_torch(result.reshape(*lead, *wanted)), x)

    def _summary(self) -> str:
        return summary(self)


def summary(operator: Any) -> str:
    """What a physics taken as it is shows of itself: its name, and from what shape to what."""
    sizes = ("×".join(map(str, s)) for s in (operator.image_shape, operator.measurement_shape))
    return f"{operator.name}, {' → '.join(sizes)}"


def swapped(owner: Any, shape: Any, given: Shape, wanted: Shape) -> Any:
    """`shape`, whose last axes are to be `given`, with `wanted` in their place."""
    lead = len(shape) - len(given)
    if tuple(shape[lead:]) != given:
        raise ShapeError(
            f"{owner!r} expected an array whose last axes are {given}, got {tuple(shape)}: from_deepinv(physics, "
            f"image_shape=…) makes it for images of another shape"
        )
    return (*shape[:lead], *wanted)


def precise(owner: Any, name: str, result: torch.Tensor, shape: Any, dtype: torch.dtype) -> torch.Tensor:
    """A result of a physics, of the shape of one entry behind a batch of one, or an error of `owner`."""
    if tuple(result.shape[1:]) != tuple(shape):
        raise ShapeError(
            f"{owner!r}: {name} expected to give shape {tuple(shape)}, got {tuple(result.shape[1:])}"
        )
    floating = result.is_floating_point() or result.is_complex()
    if not floating or torch.finfo(result.dtype).eps > torch.finfo(dtype).eps:
        warn(
            f"{owner!r} computes in {result.dtype} whatever it gets: its results are no more accurate than that",
            FallbackWarning,
        )
    return result if dtype.is_complex or not result.is_complex() else result.real


def applied(physics: Any, name: str, *tensors: torch.Tensor) -> torch.Tensor:
    """What a method of `physics` gives: one tensor.  It may write to what it gets."""
    made = getattr(physics, name)(*tensors)
    if not isinstance(made, torch.Tensor):
        raise ParameterError(
            f"from_deepinv expected a physics whose {name} gives one tensor, or a StackedPhysics of such, got "
            f"{describe(made)} from {type(physics).__name__}"
        )
    return made


def wrapped(physics: Any, image_shape: Any) -> DeepinvPhysics:
    """A physics as an operator on images of `image_shape`; by one call of A and of A_adjoint, its kind is known."""
    name = type(physics).__name__
    image = image_shape_of(physics, image_shape, name)
    parts = parts_of(physics, "from_deepinv")
    own = parts.module(torch.device("cpu"), "float32")
    with torch.no_grad():
        zero, y = probed(own, image, name)
        back = applied(own, "A_adjoint", y)
        if torch.any(y != 0):
            raise ParameterError(
                f"from_deepinv expected a linear physics, but A of {name} is not zero at zero"
            )
        if tuple(back.shape[1:]) != image:
            raise ShapeError(
                f"from_deepinv expected A_adjoint of {name} to give images of {image}, got {tuple(back.shape[1:])}: give the "
                f"shape that {name} takes, image_shape=(C, H, W)"
            )
        _check_adjoint(own, zero, y, back, name)
    to_complex = y.is_complex() and not zero.is_complex() and not back.is_complex()
    of_complex = zero.is_complex() or (y.is_complex() and not to_complex)
    return DeepinvPhysics(name, parts, image, tuple(y.shape[1:]), of_complex, to_complex)


def image_shape_of(physics: Any, given: Any, name: str) -> Shape:
    shape = given
    for attribute in ("img_size", "imsize"):
        shape = shape if shape is not None else getattr(physics, attribute, None)
    sizes = tuple(shape) if isinstance(shape, tuple | list | torch.Size) else ()
    if not sizes or not all(isinstance(n, numbers.Integral) and int(n) > 0 for n in sizes):
        raise ShapeError(
            f"from_deepinv expected the shape of an image of {name}, which does not say it, got {shape!r}: "
            f"image_shape=(C, H, W), without the batch"
        )
    return tuple(map(int, sizes))


def _check_adjoint(physics: Any, zero: torch.Tensor, y: torch.Tensor, back: torch.Tensor, name: str) -> None:
    """Warn where A_adjoint is none: solvers and gradients would go astray without a word."""
    rng = torch.Generator().manual_seed(0)
    kind = back.dtype if zero.is_complex() or not back.is_complex() else zero.dtype
    u = torch.randn(zero.shape, dtype=kind, generator=rng)
    v = torch.randn(y.shape, dtype=y.dtype, generator=rng)
    there, again = applied(physics, "A", u), applied(physics, "A_adjoint", v)
    one, other = (v.conj() * there).sum(), (again.conj() * u).sum()
    off = abs((one - other) if back.is_complex() else (one.real - other.real))
    size = there.norm() * v.norm() + again.norm() * u.norm()
    if off > MOST_OFF * size:
        warn(
            f"from_deepinv got {name}, whose A_adjoint is not the adjoint of its A: ⟨A u, v⟩ and ⟨u, A_adjoint v⟩ differ by "
            f"{float(off / size):.1g} of their size, so that least squares, norms and gradients are not what they say",
            DaskphysWarning,
        )


def probed(physics: Any, image: Shape, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """An image of zeros of the kind that the physics takes, and its measurement."""
    first: Exception | None = None
    for dtype in (torch.float32, torch.complex64):
        x = torch.zeros((1, *image), dtype=dtype)
        try:
            return x, applied(physics, "A", x)
        except ParameterError:
            raise
        except Exception as error:
            first = first or error
    raise ShapeError(
        f"from_deepinv expected images of shape {image}, but A of {name} takes none of them ({first}): image_shape=(C, H, W) "
        f"says another, without the batch"
    ) from first
