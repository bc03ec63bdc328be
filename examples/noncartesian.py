"""A slice of a head from few golden-angle spokes and eight coils: ``python examples/noncartesian.py``."""

from __future__ import annotations

import argparse
import time

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.optim import cg
from daskphys.physics import NUFFT, NonCartesianMRI
from daskphys.physics.mri import birdcage_maps, radial, radial_density

SIDE, COILS, SPOKES = 256, 8, 48


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="noncartesian.png")
    output = parser.parse_args().output
    x = load_example("mri_brain", grayscale=True, img_size=None)[0, 0].astype(np.complex64)
    maps = birdcage_maps(COILS, x.shape)
    k = radial(SPOKES, 2 * SIDE)
    w = radial_density(k, x.shape)
    A = NonCartesianMRI(k, maps, weights=w)
    rng = np.random.default_rng(0)
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(A, ctx)
        y = D(x)
        same = np.array_equal(y, A(x))
        same &= np.array_equal(D.A_adjoint(y), A.A_adjoint(y))
        same &= np.array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
        print(f"distributed and plain results are {'equal' if same else 'DIFFERENT'}")
        noise = rng.standard_normal(y.shape) + 1j * rng.standard_normal(y.shape)
        y = (y + 0.004 * np.sqrt(w.ravel()) * noise).astype(y.dtype)  # white, before the weights
        gridded = D.A_adjoint(y)
        estimate = cg(D, y, lam=0.02, rtol=1e-3)
    began = time.perf_counter()
    A.A_adjoint_A(x)
    toeplitz = time.perf_counter() - began
    A.A_adjoint(A(x))
    both = time.perf_counter() - began - toeplitz
    print(
        f"AᵀA by the Toeplitz operator {1e3 * toeplitz:.0f} ms, by gridding there and back {1e3 * both:.0f} ms"
    )
    alone = NUFFT(k, x.shape).A_adjoint(NUFFT(k, x.shape)(x))
    draw(x, k, maps, alone, gridded, estimate, output)
    print(f"wrote {output}")


def draw(
    x: np.ndarray,
    k: np.ndarray,
    maps: np.ndarray,
    alone: np.ndarray,
    gridded: np.ndarray,
    estimate: np.ndarray,
    output: str,
) -> None:
    """What is measured, above, and what is made of it, below."""
    figure, axes = plt.subplots(2, 3, figsize=(10.2, 7.4), layout="constrained")
    show(axes[0, 0], x, "the slice")
    colours = plt.get_cmap("turbo")(np.linspace(0.05, 0.95, SPOKES))
    for spoke, colour in zip(k, colours, strict=True):
        axes[0, 1].plot(spoke[:, 1], spoke[:, 0], color=colour, linewidth=0.8)
    axes[0, 1].set(aspect="equal", xlabel="cycles a sample", xlim=(-0.52, 0.52), ylim=(-0.52, 0.52))
    axes[0, 1].set_title(f"{SPOKES} golden-angle spokes, coloured in their order", fontsize=9)
    seen = abs(np.stack([*(maps * x), 0 * x]))  # eight, and a place that stays empty
    show(
        axes[0, 2],
        np.block([list(row) for row in seen.reshape(3, 3, SIDE, SIDE)]),
        "what each of eight coils sees",
    )
    show(axes[1, 0], alone / abs(alone).max(), "Aᵀ of one coil, without density weights")
    for ax, image, name in zip(
        axes[1, 1:], (gridded, estimate), ("gridding: Aᵀ with weights", "CG with all coils"), strict=True
    ):
        error = float(np.sqrt(np.mean(abs(image - x) ** 2)))
        show(ax, image, f"{name}, RMS error {error:.3f}")
    figure.savefig(output, dpi=110)


def show(ax: plt.Axes, image: np.ndarray, title: str) -> None:
    ax.imshow(abs(image), cmap="gray", vmin=0, vmax=0.8)
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()


if __name__ == "__main__":
    main()
