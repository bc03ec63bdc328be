"""Phase retrieval from coded diffraction patterns by deepinv.

This file is run by another interpreter and imports nothing of daskphys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
Calls = Mapping[str, Callable[[], Any]]


def deepinv(arrays: Arrays) -> Calls:
    """`PhaseRetrieval` of an FFT after each code; without the shifts of a centred one, which A undoes on intensities."""
    import torch
    from deepinv.physics import LinearPhysics, PhaseRetrieval

    x = torch.from_numpy(arrays["x"])[None]
    shifted = torch.fft.ifftshift(torch.from_numpy(arrays["v"]), dim=(-2, -1))[:, None]

    def sensor(code: Any) -> Any:
        return PhaseRetrieval(
            LinearPhysics(
                A=lambda z, **_: torch.fft.fft2(code * z, norm="ortho"),
                A_adjoint=lambda z, **_: code.conj() * torch.fft.ifft2(z, norm="ortho"),
            )
        )

    sensors = [sensor(code) for code in torch.from_numpy(arrays["codes"])]

    def forward() -> Any:
        return torch.stack([torch.fft.fftshift(A.A(x), dim=(-2, -1)) for A in sensors])

    def gradient() -> Any:
        return sum(A.A_vjp(x, v) for A, v in zip(sensors, shifted, strict=True))

    return {"A": forward, "A_vjp": gradient}


PEERS = {"deepinv": deepinv}
