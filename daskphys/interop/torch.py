"""The door for torch tensors: by DLPack, without a copy, and with autograd.

The gradient of a linear operator is its adjoint, and that of the adjoint is the operator: backward passes
come in by this door again, so that second derivatives work too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from dask.base import normalize_token, tokenize
from dask.sizeof import sizeof

from daskphys import backend, doors
from daskphys.errors import (
    DaskphysWarning,
    DtypeError,
    MissingDependencyError,
    NotLinearError,
    UnsupportedArrayError,
    warn,
)
from daskphys.physics.base import LinearPhysics
from daskphys.physics.measurements import Measurements
from daskphys.physics.physics import Physics, Vjp


class TorchDoor:
    """Takes `torch.Tensor`; operators work on the memory of CPU tensors, and by CuPy on that of CUDA ones."""

    collection = None

    def apply(self, operator: Any, value: Any) -> Any:
        many = isinstance(value, Measurements)
        for tensor in value if many else (value,):
            if backend.dtype_name(tensor) not in backend.FLOATS:
                raise DtypeError(
                    f"{operator!r} expected a dtype among {', '.join(backend.FLOATS)}, got {tensor.dtype}: cast it "
                    f"first, as in x.to(torch.float32) (and scale it as you need)"
                )
            _check_memory(tensor, repr(operator))
        checked = operator.domain.check(value)
        derived = operator.differentiated
        curved = isinstance(derived, Physics) and not isinstance(derived, LinearPhysics)
        function = _Nonlinear if curved else _Linear
        results = function.apply(operator, many, *(checked if many else (checked,)))
        return Measurements(results) if isinstance(results, tuple) else results

    def to_core(self, array: torch.Tensor) -> Any:
        _check_memory(array, "an operator's parameter")
        if array.requires_grad:
            warn(
                "an operator's parameters are constants: no gradient reaches this tensor that requires one; give "
                "its x.detach()",
                DaskphysWarning,
            )
        try:
            return from_torch(array)
        except TypeError as error:  # bfloat16 and others that NumPy has not
            raise DtypeError(
                f"an operator's parameter expected numbers that NumPy has, got a tensor of {array.dtype}: cast it "
                f"first, as in x.to(torch.float32)"
            ) from error

    def stack(self, arrays: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.stack(list(arrays))


def _check_memory(tensor: torch.Tensor, owner: str) -> None:
    """Let in what lies in memory as an array does."""
    if tensor.layout != torch.strided:
        raise UnsupportedArrayError(
            f"{owner} expected a dense tensor, got one of layout {tensor.layout}: x.to_dense()"
        )
    if tensor.device.type not in ("cpu", "cuda"):
        raise UnsupportedArrayError(
            f"{owner} expected a tensor on a CPU or CUDA device, got {tensor.device}: x.cpu()"
        )


def from_torch(tensor: torch.Tensor) -> Any:
    """A tensor as an array of the core on the same memory."""
    plain = tensor.detach().resolve_conj().resolve_neg()
    if plain.device.type == "cpu":
        return plain.numpy()
    try:
        import cupy
    except ImportError as error:
        raise MissingDependencyError(
            f"a tensor on {plain.device} needs CuPy: pip install 'daskphys[cuda13]' (or 'daskphys[cuda12]'), "
            f"or move it with x.cpu()"
        ) from error
    return cupy.from_dlpack(plain)


def to_torch(array: Any) -> torch.Tensor:
    """An array of the core as a tensor on the same memory, where a tensor can have it."""
    if isinstance(array, np.ndarray | np.generic):  # a sum over all axes gives a scalar
        # A tensor has no negative strides, and can be written to: not an operator's own parameter.
        array = np.asarray(array, order="C")
        array = array if array.flags.writeable else array.copy()
    return torch.from_dlpack(array)


class _Linear(torch.autograd.Function):  # type: ignore[misc]
    """A linear operator for autograd; several tensors are one element of a stack's range."""

    @staticmethod
    def forward(operator: Any, many: bool, *tensors: torch.Tensor) -> Any:
        core = [from_torch(t) for t in tensors]
        result = operator.apply_core(Measurements(core) if many else core[0])
        return tuple(to_torch(a) for a in result) if isinstance(result, Measurements) else to_torch(result)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        operator, ctx.many, *tensors = inputs
        ctx.operator = operator.differentiated
        ctx.real = [not t.is_complex() for t in tensors]
        ctx.many_results = isinstance(output, tuple)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        back = _DOOR.apply(ctx.operator.H, Measurements(gradients) if ctx.many_results else gradients[0])
        results = tuple(back) if isinstance(back, Measurements) else (back,)
        real = [g.real if real and g.is_complex() else g for g, real in zip(results, ctx.real, strict=True)]
        return None, None, *real

    @staticmethod
    def jvp(ctx: Any, *tangents: torch.Tensor) -> Any:
        own = tangents[2:]
        result = _DOOR.apply(ctx.operator, Measurements(own) if ctx.many else own[0])
        return tuple(result) if isinstance(result, Measurements) else result

    @staticmethod
    def vmap(info: Any, in_dims: Any, operator: Any, many: bool, *tensors: torch.Tensor) -> Any:
        """The axis that `torch.func.vmap` maps over is one more leading axis."""
        batched = [
            t.expand(info.batch_size, *t.shape) if axis is None else t.movedim(axis, 0)
            for t, axis in zip(tensors, in_dims[2:], strict=True)
        ]
        results = _Linear.apply(operator, many, *batched)
        return results, tuple(0 for _ in results) if isinstance(results, tuple) else 0


class _Nonlinear(torch.autograd.Function):  # type: ignore[misc]
    """An operator that is not linear, for autograd; its gradient has none of its own."""

    @staticmethod
    def forward(operator: Any, many: bool, *tensors: torch.Tensor) -> Any:
        return _Linear.forward(operator, many, *tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        operator, _, *tensors = inputs
        ctx.operator = operator.differentiated
        ctx.save_for_backward(*tensors)

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        if isinstance(ctx.operator, Vjp):
            raise NotLinearError(
                f"{ctx.operator!r} has no gradient of its own: expected first derivatives alone"
            )
        return None, None, _DOOR.apply(Vjp(ctx.operator), Measurements((*ctx.saved_tensors, *gradients)))


_DOOR = TorchDoor()


def register() -> None:
    """Let operators take torch tensors, and Dask know their size."""
    doors.register(torch.Tensor, _DOOR)
    sizeof.register(torch.Tensor, _size)
    normalize_token.register(torch.Tensor, _token)


def _token(tensor: torch.Tensor) -> tuple[Any, ...]:
    # Dask's own is another one each time.  By bytes: NumPy has not every dtype that torch has.
    dense = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
    content = dense.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1).view(torch.uint8)
    return "torch", str(tensor.dtype), str(tensor.device), tuple(tensor.shape), tokenize(content.numpy())


def _size(tensor: torch.Tensor) -> int:
    # Dask's own answer is the 80 bytes of the Python object.
    return int(tensor.element_size() * tensor.nelement() + 1000)
