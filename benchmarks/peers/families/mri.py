"""Cartesian MRI by deepinv and by SigPy, each as its documentation says it.

This file is run by another interpreter and imports nothing of daskphys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
Calls = Mapping[str, Callable[[], Any]]


def deepinv(arrays: Arrays) -> Calls:
    """`MultiCoilMRI` and `MRI`: real and imaginary part are channels, in tensors that are there beforehand."""
    if "mask" not in arrays:
        return {}  # the problem is ESPIRiT's
    import torch
    from deepinv.physics import MRI, MultiCoilMRI

    mask, maps = torch.from_numpy(arrays["mask"].astype(np.float32)), arrays.get("maps")
    volume = mask.ndim == 3
    if maps is None:
        x, y = _channels(arrays["x"]), _channels(arrays["y"])
        A: Any = MRI(mask=mask, img_size=tuple(x.shape[1:]), three_d=volume)
    else:
        x, y = _channels(arrays["x"][None]), _channels(arrays["y"][None])
        A = MultiCoilMRI(
            mask=mask, coil_maps=torch.from_numpy(maps), img_size=tuple(x.shape[1:]), three_d=volume
        )
    return {
        "A": lambda: Channels(A.A(x)),
        "Aᵀ": lambda: Channels(A.A_adjoint(y)),
        "AᵀA": lambda: Channels(A.A_adjoint_A(x)),
    }


def _channels(z: np.ndarray) -> Any:
    import torch

    return torch.view_as_real(torch.from_numpy(z)).movedim(-1, 1).contiguous()


class Channels:
    """A result whose channels become complex numbers when it is compared, and not while it is timed."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        real, imag = np.moveaxis(self.tensor.numpy(), 1, 0)
        return np.asarray(real + 1j * imag)


def sigpy(arrays: Arrays) -> Calls:
    """`sigpy.mri.linop.Sense`; of one coil, `sigpy.linop.FFT`; `EspiritCalib`."""
    import sigpy
    from sigpy.mri.app import EspiritCalib
    from sigpy.mri.linop import Sense

    if "kspace" in arrays:
        kspace, seen = arrays["kspace"], arrays["seen"]
        return {"maps": lambda: EspiritCalib(kspace, show_pbar=False).run() * seen}
    mask, x, y = arrays["mask"].astype(np.float32), arrays["x"], arrays["y"]
    if "maps" in arrays:
        A = Sense(arrays["maps"], weights=mask)
    else:
        F = sigpy.linop.FFT(x.shape, axes=tuple(range(-mask.ndim, 0)))
        A = sigpy.linop.Multiply(F.oshape, mask) * F
    normal = A.H * A
    return {"A": lambda: A(x), "Aᵀ": lambda: A.H(y), "AᵀA": lambda: normal(x)}


PEERS = {"deepinv": deepinv, "sigpy": sigpy}
