"""Non-Cartesian MRI by SigPy and by torchkbnufft, each as its documentation says it, with its own defaults.

This file is run by another interpreter and imports nothing of daskphys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
Calls = Mapping[str, Callable[[], Any]]


def sigpy(arrays: Arrays) -> Calls:
    """`sigpy.mri.linop.Sense`: coordinates in cycles a field of view."""
    from sigpy.mri.linop import Sense

    k, maps, x = arrays["k"], arrays["maps"], arrays["x"]
    A = Sense(maps, coord=_in_cycles_a_field(k, x).astype(np.float32))
    y = arrays["y"].reshape(A.oshape)
    return {"A": lambda: A(x), "Aᵀ": lambda: A.H(y), "AᵀA": lambda: A.H(A(x))}


def sigpy_toeplitz(arrays: Arrays) -> Calls:
    """`sigpy.linop.NUFFT` with ``toeplitz=True`` after the maps."""
    import sigpy

    k, maps, x = arrays["k"], arrays["maps"], arrays["x"]
    S = sigpy.linop.Multiply(x.shape, maps)
    F = sigpy.linop.NUFFT(S.oshape, _in_cycles_a_field(k, x).astype(np.float32), toeplitz=True)
    N = S.H * F.N * S
    return {"AᵀA": lambda: N(x)}


def torchkbnufft(arrays: Arrays) -> Calls:
    """`KbNufft` and `KbNufftAdjoint` with maps: coordinates in radians a sample."""
    import torch
    import torchkbnufft as tkbn

    omega, maps, x = _tensors(arrays)
    side = tuple(x.shape[-2:])
    y = torch.from_numpy(arrays["y"])[None]
    forward, adjoint = tkbn.KbNufft(im_size=side), tkbn.KbNufftAdjoint(im_size=side)
    scale = 1 / np.sqrt(np.prod(side))
    return {
        "A": lambda: scale * forward(x, omega, smaps=maps),
        "Aᵀ": lambda: scale * adjoint(y, omega, smaps=maps),
        "AᵀA": lambda: scale**2 * adjoint(forward(x, omega, smaps=maps), omega, smaps=maps),
    }


def torchkbnufft_toeplitz(arrays: Arrays) -> Calls:
    """`ToepNufft` with the kernel of `calc_toeplitz_kernel`."""
    import torchkbnufft as tkbn

    omega, maps, x = _tensors(arrays)
    side = tuple(x.shape[-2:])
    kernel = tkbn.calc_toeplitz_kernel(omega, im_size=side)
    normal = tkbn.ToepNufft()
    scale = 1 / np.prod(side)
    return {"AᵀA": lambda: scale * normal(x, kernel, smaps=maps)}


def _in_cycles_a_field(k: np.ndarray, x: np.ndarray) -> np.ndarray:
    return k * np.array(x.shape)


def _tensors(arrays: Arrays) -> Any:
    import torch

    omega = torch.from_numpy((2 * np.pi * arrays["k"].reshape(-1, 2).T).astype(np.float32))
    maps, x = (torch.from_numpy(arrays[name]) for name in ("maps", "x"))
    return omega, maps[None], x[None, None]


PEERS = {
    "sigpy": sigpy,
    "sigpy, Toeplitz": sigpy_toeplitz,
    "torchkbnufft": torchkbnufft,
    "torchkbnufft, Toeplitz": torchkbnufft_toeplitz,
}
