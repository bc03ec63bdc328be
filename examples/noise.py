"""What each noise model makes of a photograph, the same on a cluster as without: ``python examples/noise.py``."""

from __future__ import annotations

import argparse

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import (
    Diagonal,
    GaussianNoise,
    LaplaceNoise,
    PoissonGaussianNoise,
    PoissonNoise,
    SaltPepperNoise,
    UniformNoise,
    stack,
)

MODELS = (
    GaussianNoise(0.15),
    UniformNoise(0.26),
    LaplaceNoise(0.106),
    PoissonNoise(0.05),
    PoissonGaussianNoise(0.05, 0.1),
    SaltPepperNoise(0.05, 0.05),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="noise.png")
    output = parser.parse_args().output
    x = load_example("grace_hopper", img_size=300)[0]
    x = x[:, 30:270, 40:270]
    A = stack(*[Diagonal(np.ones(x.shape[-2:]), noise_model=model) for model in MODELS])
    with DistributedContext(n_workers=2) as ctx:
        y = distribute(A, ctx)(x, seed=42)
    same = all(np.array_equal(a, b) for a, b in zip(y, A(x, seed=42), strict=True))
    print(f"distributed and plain results are {'equal' if same else 'DIFFERENT'}")
    draw(x, y, output)
    print(f"wrote {output}")


def draw(x: np.ndarray, y: list[np.ndarray], output: str) -> None:
    """The photograph with each noise, and how far samples are from what was measured."""
    figure, axes = plt.subplots(2, 6, figsize=(15, 3.6), layout="constrained", height_ratios=(4, 1))
    for (top, below), image, model in zip(axes.T, y, MODELS, strict=True):
        top.imshow(np.clip(np.moveaxis(image, 0, -1), 0, 1))
        top.set_axis_off()
        top.set_title(repr(model), fontsize=9)
        below.hist((image - x).ravel(), bins=81, range=(-0.8, 0.8), density=True, color="#4c72b0")
        below.set(yticks=[], xticks=(-0.5, 0, 0.5), xlim=(-0.8, 0.8))
        below.tick_params(labelsize=8)
        below.spines[["left", "right", "top"]].set_visible(False)
    axes[1, 0].set_title("noise, as a density", fontsize=8, loc="left")
    figure.savefig(output, dpi=100)


if __name__ == "__main__":
    main()
