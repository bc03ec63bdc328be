"""A lens whose magnification depends on colour, and a camera of one pixel: ``python examples/generic.py``."""

from __future__ import annotations

import argparse
import functools

import dask.array as da
import matplotlib

matplotlib.use("Agg")
import numpy as np
import scipy.fft
import scipy.sparse
from matplotlib import pyplot as plt

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.optim import tikhonov
from daskphys.physics import FunctionOperator, MatrixOperator, Measurements, block_diagonal

SIZE, SMALL, PATTERNS = 160, 48, 1200
COLOURS = {"red": 1.035, "green": 1.0, "blue": 0.965}  # and how much larger the lens makes each of them
BARREL = 0.16  # how much nearer to the centre the corners come


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="generic.png")
    output = parser.parse_args().output
    lens = block_diagonal(*[MatrixOperator(sampled(m), (SIZE, SIZE)) for m in COLOURS.values()])
    photograph = Measurements(load_example("grace_hopper", img_size=SIZE)[0, :, :SIZE])
    lazy = da.random.default_rng(0).integers(0, 2, (PATTERNS, SMALL**2), chunks=(PATTERNS // 4, -1))
    lazy = (2 * lazy - 1).astype(np.float32) / np.float32(
        SMALL
    )  # workers make their own part of the patterns
    signs = lazy.compute()
    camera = MatrixOperator(signs, (SMALL, SMALL))
    scene = photograph[1][:144, 8:152].reshape(SMALL, 3, SMALL, 3).mean((1, 3))
    noise = np.random.default_rng(1).standard_normal(PATTERNS).astype(np.float32)
    with DistributedContext(n_workers=2) as ctx:
        print("measuring through the lens and with the camera, on the cluster and plain")
        D, C = distribute(lens, ctx), distribute(MatrixOperator(lazy, (SMALL, SMALL)), ctx)
        seen, counted = D(photograph), C(scene) + 0.01 * noise
        same = equal(seen, lens(photograph)) and equal(D.A_adjoint(seen), lens.A_adjoint(seen))
        same &= equal(D.A_adjoint_A(photograph), lens.A_adjoint_A(photograph))
        same &= np.array_equal(C(scene), camera(scene))
        same &= np.array_equal(C.A_adjoint(counted), camera.A_adjoint(counted))
        print("the image of the camera of one pixel, on the cluster")
        prior = smooth()
        estimate = prior(tikhonov(C @ prior, counted, lam=1e-4, rtol=1e-4))
        print("the same by the plain operator, to compare")
        same &= np.array_equal(estimate, prior(tikhonov(camera @ prior, counted, lam=1e-4, rtol=1e-4)))
    print("correcting the lens")
    corrected = tikhonov(lens, seen, lam=1e-4, rtol=1e-4)
    print(f"distributed and plain results are {'equal' if same else 'DIFFERENT'}")
    draw(photograph, seen, corrected, scene, signs, camera.A_adjoint(counted), estimate, output)
    print(f"wrote {output}")


def sampled(magnification: float) -> scipy.sparse.csr_array:
    """Each pixel of the sensor as the bilinear mean of the four pixels of the scene that the lens maps there."""
    centre = (SIZE - 1) / 2
    p = np.stack(np.meshgrid(*[np.arange(SIZE) - centre] * 2, indexing="ij"))
    bent = 1 + BARREL * (p**2).sum(0) / (2 * centre**2)
    at = np.clip(p * bent / magnification + centre, 0, SIZE - 1.001)
    low, rows, columns, weights = at.astype(int), [], [], []
    part = at - low
    for i in (0, 1):
        for j in (0, 1):
            rows.append(np.arange(SIZE**2))
            columns.append(((low[0] + i) * SIZE + low[1] + j).ravel())
            weights.append((abs(1 - i - part[0]) * abs(1 - j - part[1])).ravel())
    entries = np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))
    return scipy.sparse.csr_array(entries, shape=(SIZE**2, SIZE**2), dtype=np.float32)


def smooth() -> FunctionOperator:
    """Images whose cosines are the weaker the faster they oscillate."""
    i, j = np.meshgrid(*[np.arange(SMALL)] * 2, indexing="ij")
    falling = ((1 + 0.3 * np.hypot(i, j)) ** -1.5).astype(np.float32)
    cosines = functools.partial(scipy.fft.dctn, norm="ortho")
    image = functools.partial(scipy.fft.idctn, norm="ortho")
    return FunctionOperator(
        lambda z: image(falling.astype(z.dtype) * z),
        lambda x: falling.astype(x.dtype) * cosines(x),
        (SMALL, SMALL),
        (SMALL, SMALL),
    )


def equal(a: Measurements, b: Measurements) -> bool:
    return all(map(np.array_equal, a, b))


def draw(
    photograph: Measurements,
    seen: Measurements,
    corrected: Measurements,
    scene: np.ndarray,
    signs: np.ndarray,
    back: np.ndarray,
    estimate: np.ndarray,
    output: str,
) -> None:
    """A row for the lens, a row for the camera of one pixel."""
    figure, axes = plt.subplots(2, 4, figsize=(11, 5.8), layout="constrained")
    colours = [
        np.clip(np.stack(list(image), -1).reshape(SIZE, SIZE, 3), 0, 1)
        for image in (photograph, seen, corrected)
    ]
    error = np.abs(colours[2] - colours[0])
    names = ("photograph", "through the lens (sparse matrices)", "corrected (Tikhonov)", "what is lost, × 4")
    for ax, image, name in zip(axes[0], (*colours, np.clip(4 * error, 0, 1)), names, strict=True):
        ax.imshow(image)
        ax.set_title(name, fontsize=9)
    shown = np.block([[signs[4 * i + j].reshape(SMALL, SMALL) for j in range(2)] for i in range(2)])
    rms = np.sqrt(np.mean((estimate - scene) ** 2))
    panels = (
        (scene, f"scene of {SMALL**2} pixels", (0, 1)),
        (shown, f"4 of {PATTERNS} patterns (dense matrix)", (None, None)),
        (back, "back-projection Aᵀy", (None, None)),
        (estimate, f"smooth Tikhonov, RMS error {rms:.3f}", (0, 1)),
    )
    for ax, (image, name, (low, high)) in zip(axes[1], panels, strict=True):
        ax.imshow(image, cmap="gray", vmin=low, vmax=high)
        ax.set_title(name, fontsize=9)
    for ax in axes.ravel():
        ax.set_axis_off()
    figure.savefig(output, dpi=100)


if __name__ == "__main__":
    main()
