"""Modules of torch as immutable values: the arrays that they hold, and what is left of them.

Torch's own pickle of a tensor has other bytes each time and is copied on its way.  Here the tensors of a module, wherever
they are held, are taken out of its pickle: they are parameters as those of any operator, which are compared by content,
counted, sent without a copy, and follow the image's precision and device.
"""

from __future__ import annotations

import io
import pickle
import sys
import threading
from typing import Any

import cloudpickle
import torch

from daskphys import backend, doors
from daskphys.errors import ParameterError
from daskphys.interop.torch import to_torch
from daskphys.physics.value import Value, value

#: What deepinv keeps of an earlier call and makes again: a graph of autograd, which cannot be sent.
FORGOTTEN = "_auto_grad_adjoint_fn"

#: One thread makes tensors, the others wait for them.
_MAKING = threading.Lock()


@value
class Parts(Value):
    """A module without its tensors, as bytes, and the tensors, as arrays."""

    rest: bytes
    arrays: tuple[Any, ...]

    def module(self, device: torch.device, kind: str) -> Any:
        """The module on a device, whose numbers have the precision of `kind`.

        Each thread has its own, for modules of deepinv note things about the last call; their tensors are shared.
        """
        key = (backend.real_name(kind), str(device))
        own = self.__dict__.setdefault("_threads", threading.local())
        made = own.__dict__.setdefault("modules", {})
        if key not in made:
            rest, classes = self.__dict__.get("_here", (self.rest, ()))
            file = io.BytesIO(rest)
            made[key] = _Unpickler(file, self._tensors(key, device), classes, key[0]).load().to(device)
        return made[key]

    def _tensors(self, key: tuple[str, str], device: torch.device) -> list[torch.Tensor]:
        with _MAKING:
            shared: dict[Any, list[torch.Tensor]] = self.__dict__.setdefault("_shared", {})
            if key not in shared:
                shared[key] = [_follows(array, key[0]).to(device) for array in self.arrays]
            return shared[key]


def parts_of(module: torch.nn.Module, owner: str) -> Parts:
    """A module's parts, or an error of `owner`, who asks for them."""
    file, here = io.BytesIO(), io.BytesIO()
    found, classes = list[Any](), list[type]()
    try:
        _Pickler(file, found, None).dump(module)
        _Pickler(here, [], classes).dump(module)
    except Exception as error:
        raise ParameterError(
            f"{owner} expected a physics that cloudpickle can send to workers, got {type(module).__name__}, which it "
            f"cannot: {error}. An adjoint made by adjoint_function holds a graph of autograd: leave it out and say img_size "
            f"instead, or make the physics on the workers, distribute(factory, ctx, num_operators=N)"
        ) from error
    made = Parts(file.getvalue(), tuple(map(array_of, found)))
    made.__dict__["_here"] = here.getvalue(), classes
    return made


def array_of(tensor: torch.Tensor) -> Any:
    """A tensor as a parameter, with a warning where it wants a gradient."""
    return backend.frozen(doors.to_core(tensor))


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Leaves out tensors, and puts them into `found`; with `classes`, classes too.

    In the process where a class of a notebook was made, to unpickle it would change the class itself.
    """

    def __init__(self, file: Any, found: list[torch.Tensor], classes: list[type] | None) -> None:
        super().__init__(file)
        self._found, self._classes = found, classes
        self._known = dict[int, int]()  # by id, which stays that of a tensor as long as it is in `found`

    def persistent_id(self, item: Any) -> Any:
        if isinstance(item, torch.dtype):
            return ("dtype", str(item).removeprefix("torch."))
        if isinstance(item, type) and self._classes is not None:
            self._classes.append(item)
            return ("class", len(self._classes) - 1)
        if not isinstance(item, torch.Tensor):
            return None
        if torch._C._functorch.is_functorch_wrapped_tensor(item):
            raise TypeError("it holds a tensor of torch.func, which is a part of a graph")
        if id(item) not in self._known:
            self._known[id(item)] = len(self._found)
            self._found.append(item)
        return ("tensor", self._known[id(item)], isinstance(item, torch.nn.Parameter))

    def reducer_override(self, item: Any) -> Any:
        noise = sys.modules.get("deepinv.physics.noise")
        if noise is not None and isinstance(item, noise.NoiseModel) and type(item) is not noise.ZeroNoise:
            return noise.ZeroNoise, ()  # products have no noise, and a generator's state is not the physics
        state = getattr(item, "__dict__", {}) if isinstance(item, torch.nn.Module) else {}
        if state.get(FORGOTTEN) is not None:
            return _anew, (type(item), state | {FORGOTTEN: None})
        return super().reducer_override(item)


def _anew(kind: Any, state: dict[str, Any]) -> Any:
    made = kind.__new__(kind)
    made.__dict__.update(state)
    return made


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, tensors: list[torch.Tensor], classes: Any, precision: str) -> None:
        super().__init__(file)
        self._tensors, self._classes, self._precision = tensors, classes, precision

    def persistent_load(self, pid: Any) -> Any:
        if pid[0] == "dtype":
            return getattr(torch, _in_precision(pid[1], self._precision))
        if pid[0] == "class":
            return self._classes[pid[1]]
        tensor = self._tensors[pid[1]]
        return torch.nn.Parameter(tensor, requires_grad=False) if pid[2] else tensor


def _in_precision(name: str, precision: str) -> str:
    """A dtype's name in another precision; of what has no fractions, the same."""
    if name not in backend.FLOATS:
        return name
    return precision if name == backend.real_name(name) else backend.complex_name(precision)


def _follows(array: Any, precision: str) -> torch.Tensor:
    """A parameter in this precision, in memory of its own."""
    name = _in_precision(backend.dtype_name(array), precision)
    return to_torch(backend.copy(backend.astype(array, name)))
