"""deepinv's products, measured in deepinv's own environment, plain or under ``torchrun``.

This file is run by another interpreter and imports nothing of daskphys.  It connects to the socket that the
benchmark listens on and answers its questions (one JSON object each), so that both sides can take turns for as
long as the benchmark lasts.  Under ``torchrun`` rank 0 has the socket and hands each question to all ranks.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any

import deepinv
import numpy as np
import torch
from deepinv.distributed import DistributedContext, distribute
from deepinv.utils import TensorList

from benchmarks.peers.serving import Connection, once, serve, turn

#: How deepinv's processes may bring their results together.
GATHERING = ("concatenated", "naive", "broadcast")

#: A variant is chosen on so many sensors at most: what one costs is the same for each.
SCREENED = 3


def makers(kernels: Sequence[torch.Tensor], image: Sequence[int]) -> dict[str, Callable[[], list[Any]]]:
    """Lists of deepinv's operators for these kernels, by name of the variant, the slowest of large images last."""
    physics = deepinv.physics
    found: dict[str, Callable[[], list[Any]]] = {}
    if len(image) == 4:
        size = tuple(image[1:])
        found["BlurFFT"] = lambda: [physics.BlurFFT(img_size=size, filter=k) for k in kernels]
    found["Blur, use_fft"] = lambda: [
        physics.Blur(filter=k, padding="circular", use_fft=True) for k in kernels
    ]
    found["Blur"] = lambda: [physics.Blur(filter=k, padding="circular") for k in kernels]
    return found


class Counted:
    """How often AᵀA is applied, for the number of iterations of a solver."""

    def __init__(self, operator: Any) -> None:
        self.calls = 0
        plain = operator.A_adjoint_A

        def counting(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return plain(*args, **kwargs)

        operator.A_adjoint_A = counting


class Peer:
    """One benchmark case after another: its operators, and calls of them."""

    def __init__(self, ctx: Any) -> None:
        self.ctx = ctx
        self.several = ctx is not None
        self.x: Any = None
        self.kernels: list[torch.Tensor] = []
        self.chosen: dict[str, tuple[str, str]] = {}
        self.made: dict[tuple[str, str], Any] = {}
        self.built: dict[str, Callable[[], Any]] = {}

    def load(self, path: str, products: Sequence[str], rtol: float, most: int) -> dict[str, Any]:
        """Take a case's kernels and image, and choose the fastest variant for each product."""
        with np.load(path) as held:
            x = held["x"]
            kernels = [held[f"k{i}"] for i in range(len(held.files) - 1)]
        ndim = kernels[0].ndim
        lead = ndim + 2 - x.ndim
        self.x = torch.from_numpy(x.reshape((1,) * lead + x.shape) if lead > 0 else x)
        self.kernels = [torch.from_numpy(k.astype(np.float32)[None, None]) for k in kernels]
        self.rtol, self.most = rtol, most
        self.made.clear()
        self.built.clear()
        tried: dict[str, dict[str, float]] = {}
        for product in products:
            tried[product] = self._choose("AtA" if product == "CG" else product)
            fastest = self._agreed(min(tried[product], key=tried[product].__getitem__))
            name, _, gathering = fastest.partition("; ")
            self.chosen[product] = (name, gathering)
        # What was tried on a few sensors goes before the whole stack is made.
        self.made.clear()
        return {"chosen": {p: "; ".join(filter(None, c)) for p, c in self.chosen.items()}, "tried": tried}

    def _choose(self, product: str) -> dict[str, float]:
        """Milliseconds of each variant on a few sensors; a slow one is called once."""
        few, found = self.kernels[:SCREENED], {}
        best = float("inf")
        for name in makers(few, self.x.shape):
            for gathering in GATHERING if self.several and product == "A" else GATHERING[:1]:
                call = self._call(product, (name, gathering), few)
                first = self._time(call)
                slow = self._agreed(first > 4 * best)
                taken = first if slow else min(self._time(call) for _ in range(2))
                best = min(best, taken)
                found[f"{name}; {gathering}" if self.several else name] = taken
        return found

    def _call(
        self, product: str, variant: tuple[str, str], kernels: Sequence[torch.Tensor]
    ) -> Callable[[], Any]:
        """A product of a stack, without arguments."""
        key = (*variant, len(kernels))
        if key not in self.made:
            name, gathering = variant
            made = makers(kernels, self.x.shape)[name]()
            stacked = deepinv.physics.stack(*made)
            if self.several:
                stacked = distribute(stacked, self.ctx, gather_strategy=gathering or GATHERING[0])
            self.made[key] = stacked
        operator = self.made[key]
        if product == "A":
            return lambda: operator.A(self.x)
        if product == "AtA":
            return lambda: operator.A_adjoint_A(self.x)
        y = operator.A(self.x)
        if product == "At":
            return lambda: operator.A_adjoint(y)
        how = {"local_only": False} if self.several else {}
        return lambda: operator.A_dagger(y, solver="CG", max_iter=self.most, tol=self.rtol, **how)

    def _ready(self, product: str) -> Callable[[], Any]:
        if product not in self.built:
            name, gathering = self.chosen[product]
            self.built[product] = self._call(product, (name, gathering), self.kernels)
        return self.built[product]

    def _time(self, call: Callable[[], Any]) -> float:
        """Milliseconds of one call that all ranks begin together."""
        if self.several:
            self.ctx.barrier()
        return once(call)

    def _agreed(self, choice: Any) -> Any:
        """What rank 0 says, on all ranks: they must make the same calls."""
        said = [choice]
        if self.several:
            self.ctx.broadcast_object_list(said, src=0)
        return said[0]

    def time(self, product: str, calls: int, seconds: float, warm: int = 1) -> dict[str, Any]:
        """Milliseconds of up to `calls` calls; none is begun after `seconds`."""
        call = self._ready(product)
        return {"rounds": turn(lambda: self._time(call), calls, seconds, warm, self._agreed)}

    def result(self, product: str, path: str, first: int) -> dict[str, Any]:
        """Write what the product gives, of a stack's for the first sensors; for a solver also its products."""
        call, counted = self._ready(product), None
        if product == "CG":
            name, gathering = self.chosen[product]
            counted = Counted(self.made[name, gathering, len(self.kernels)])
        given = call()
        if self.several and self.ctx.rank:
            return {}
        arrays = given if isinstance(given, list | TensorList) else [given]
        np.save(path, np.stack([a.numpy() for a in arrays[:first]]))
        return {"products": None if counted is None else counted.calls}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="the socket that the benchmark listens on")
    parser.add_argument("--threads", type=int, required=True, help="torch threads of each process")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rank = int(os.environ.get("RANK", "0"))
    connection = None if rank else Connection(options.address)

    def tell(answer: dict[str, Any]) -> None:
        if connection is not None:
            connection.tell(answer)

    with torch.no_grad():
        versions = {"deepinv": deepinv.__version__, "torch": torch.__version__}
        if "RANK" not in os.environ:
            assert connection is not None
            tell(versions)
            serve(Peer(None), connection.ask, tell)
            return
        with DistributedContext(device_mode="cpu") as ctx:
            tell(versions)

            def ask() -> dict[str, Any]:
                said = [None if connection is None else connection.ask()]
                ctx.broadcast_object_list(said, src=0)
                question = said[0]
                assert question is not None
                return question

            serve(Peer(ctx), ask, tell)


if __name__ == "__main__":
    main()
