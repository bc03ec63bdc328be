"""Downsampling and frames of super-resolution by deepinv.

This file is run by another interpreter and imports nothing of daskphys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
Calls = Mapping[str, Callable[[], Any]]


def deepinv(arrays: Arrays, *, filter: str, factor: int) -> Calls:
    """`Downsampling`, after `BlurFFT` with each of the kernels, if there are any."""
    import torch
    from deepinv.physics import BlurFFT, Downsampling

    x = torch.from_numpy(arrays["x"])[None]
    size = tuple(x.shape[1:])
    down = Downsampling(filter=filter, factor=factor, img_size=size)
    kernels = [arrays[f"kernel{i}"] for i in range(sum(name.startswith("kernel") for name in arrays))]
    if not kernels:
        y = torch.from_numpy(arrays["y"])[None]
        return {"A": lambda: down.A(x), "Aᵀ": lambda: down.A_adjoint(y)}
    blurs = [BlurFFT(img_size=size, filter=torch.from_numpy(k)[None, None]) for k in kernels]
    ys = torch.from_numpy(arrays["y"])[:, None]

    def forward() -> Any:
        return torch.stack([down.A(blur.A(x)) for blur in blurs])

    def back(measured: Any) -> Any:
        return sum(blur.A_adjoint(down.A_adjoint(y)) for blur, y in zip(blurs, measured, strict=True))

    return {"A": forward, "Aᵀ": lambda: back(ys), "AᵀA": lambda: back(forward())}


PEERS = {"deepinv": deepinv}
