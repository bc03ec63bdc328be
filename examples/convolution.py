"""A photograph through kernels of motion and defocus, and back: ``python examples/convolution.py``."""

from __future__ import annotations

import argparse

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.optim import tikhonov
from daskphys.physics import Blur, disk_blur, motion_blur, random_motion_blur, stack

KERNELS = {
    "motion, 15 pixels at 30°": motion_blur(15.0, angle=30),
    "a shaking hand, 24 pixels": random_motion_blur(24.0, seed=7),
    "defocus, radius 4.5": disk_blur(4.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="convolution.png")
    output = parser.parse_args().output
    x = load_example("grace_hopper", img_size=320)[0]
    A = stack(*map(Blur, KERNELS.values()))
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(A, ctx)
        y = D(x)
        same = all(np.array_equal(a, b) for a, b in zip(y, A(x), strict=True))
        same &= np.array_equal(D.A_adjoint(y), A.A_adjoint(y))
        same &= np.array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
        print(f"distributed and plain results are {'equal' if same else 'DIFFERENT'}")
        noise = 0.01 * np.random.default_rng(0).standard_normal((3, *x.shape)).astype(np.float32)
        seen = [a + n for a, n in zip(y, noise, strict=True)]
        alone = tikhonov(A[1:2], seen[1:2], lam=1e-2)
        estimate = tikhonov(D, seen, lam=1e-2)
    draw(x, seen, alone, estimate, output)
    print(f"wrote {output}")


def draw(x: np.ndarray, seen: list[np.ndarray], alone: np.ndarray, estimate: np.ndarray, output: str) -> None:
    """The measurements with their kernels, and what one and all of them tell."""
    figure, axes = plt.subplots(2, 3, figsize=(9.6, 7.6), layout="constrained")
    for ax, image, (name, kernel) in zip(axes[0], seen, KERNELS.items(), strict=True):
        show(ax, image, name)
        inset = ax.inset_axes((0.02, 0.7, 0.28, 0.28))
        inset.imshow(kernel[0, 0], cmap="magma")
        inset.set(xticks=[], yticks=[])
    for ax, image, name in zip(
        axes[1],
        (x, alone, estimate),
        ("the photograph", "from the second alone", "from all three"),
        strict=True,
    ):
        error = float(np.sqrt(np.mean((image - x) ** 2)))
        show(ax, image, name if image is x else f"{name}, RMS error {error:.3f}")
    figure.savefig(output, dpi=110)


def show(ax: plt.Axes, image: np.ndarray, title: str) -> None:
    ax.imshow(np.clip(np.moveaxis(image, 0, -1), 0, 1))
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()


if __name__ == "__main__":
    main()
