"""The door for torch tensors: by DLPack, without a copy, and with autograd.

The gradient of a linear operator is its adjoint, and that of the adjoint is the operator: backward passes
come in by this door again, so that second derivatives work too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from daskphys import doors
from daskphys.errors import MissingDependencyError
from daskphys.physics.measurements import Measurements


class TorchDoor:
    """Takes `torch.Tensor`; operators work on the memory of CPU tensors, and by CuPy on that of CUDA ones."""

    collection = None

    def apply(self, operator: Any, value: Any) -> Any:
        checked = operator.domain.check(value)
        many = isinstance(checked, Measurements)
        results = _Linear.apply(operator, many, *(checked if many else (checked,)))
        return Measurements(results) if isinstance(results, tuple) else results

    def to_core(self, array: torch.Tensor) -> Any:
        plain = array.detach().resolve_conj().resolve_neg()
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

    def stack(self, arrays: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.stack(list(arrays))


def to_torch(array: Any) -> torch.Tensor:
    """An array of the core as a tensor on the same memory."""
    return torch.from_dlpack(np.ascontiguousarray(array) if isinstance(array, np.ndarray) else array)


class _Linear(torch.autograd.Function):
    """A linear operator for autograd; several tensors are one element of a stack's range."""

    @staticmethod
    def forward(ctx: Any, operator: Any, many: bool, *tensors: torch.Tensor) -> Any:
        ctx.operator = operator
        ctx.real = [not t.is_complex() for t in tensors]
        core = [_DOOR.to_core(t) for t in tensors]
        result = operator.apply_core(Measurements(core) if many else core[0])
        ctx.many_results = isinstance(result, Measurements)
        return tuple(to_torch(a) for a in result) if ctx.many_results else to_torch(result)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        back = _DOOR.apply(ctx.operator.H, Measurements(gradients) if ctx.many_results else gradients[0])
        results = tuple(back) if isinstance(back, Measurements) else (back,)
        real = [g.real if real and g.is_complex() else g for g, real in zip(results, ctx.real, strict=True)]
        return None, None, *real


_DOOR = TorchDoor()


def register() -> None:
    """Let operators take torch tensors."""
    doors.register(torch.Tensor, _DOOR)
