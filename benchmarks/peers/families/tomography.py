"""Parallel beams by scikit-image and by deepinv, each as its documentation says it.

This file is run by another interpreter and imports nothing of daskphys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
Calls = Mapping[str, Callable[[], Any]]


def scikit_image(arrays: Arrays) -> Calls:
    """`radon`, slice by slice; `iradon` without a filter, which is no transpose but near one up to a factor."""
    from skimage.transform import iradon, radon

    angles, x, y = arrays["angles"], arrays["x"], arrays["y"]
    side, factor = x.shape[-1], 2 * len(angles) / np.pi

    def forward() -> np.ndarray:
        made = [radon(image, angles, circle=False).T for image in x.reshape(-1, side, side)]
        return np.stack(made).reshape(y.shape)

    def adjoint() -> np.ndarray:
        slices = y.reshape(-1, *y.shape[-2:])
        made = [iradon(s.T, angles, side, filter_name=None, circle=False) for s in slices]
        return (factor * np.stack(made)).reshape(x.shape)

    return {"A": forward, "Aᵀ": adjoint}


def deepinv(arrays: Arrays) -> Calls:
    """`Tomography`, whose adjoint is by autograd."""
    import torch
    from deepinv.physics import Tomography

    side = arrays["x"].shape[-1]
    x = torch.from_numpy(arrays["x"].reshape(-1, 1, side, side))
    y = (
        torch.from_numpy(arrays["y"].reshape(len(x), 1, *arrays["y"].shape[-2:]))
        .transpose(-1, -2)
        .contiguous()
    )
    angles = torch.from_numpy(arrays["angles"].astype(np.float32))
    A = Tomography(angles, side, circle=False, normalize=False)
    return {"A": lambda: A.A(x).transpose(-1, -2), "Aᵀ": lambda: A.A_adjoint(y)}


PEERS = {"scikit-image": scikit_image, "deepinv": deepinv}
