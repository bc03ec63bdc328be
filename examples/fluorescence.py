"""A volume of cells under a microscope, seen from two sides, and made sharp: ``python examples/fluorescence.py``.

The cells are simulated, in the manner of scikit-image's ``cells3d`` (membranes and nuclei), which is no part of its
package and would have to be fetched.
"""

from __future__ import annotations

import argparse

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from daskphys.distributed import DistributedContext, distribute
from daskphys.optim import tikhonov
from daskphys.physics import Blur, gaussian_blur, stack

SIZES, CELLS, PHOTONS = (60, 180, 180), 38, 600.0

#: A microscope sees least along its own axis: down the volume, or from the side.
VIEWS = {"from above": gaussian_blur((3.6, 1.1, 1.1)), "from the side": gaussian_blur((1.1, 1.1, 3.6))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="fluorescence.png")
    output = parser.parse_args().output
    rng = np.random.default_rng(3)
    print(f"growing {CELLS} cells")
    x = cells(rng)
    A = stack(*[Blur(psf, ndim=3) for psf in VIEWS.values()])
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(A, ctx)
        print("A, Aᵀ and AᵀA of the volume, on the cluster and plain")
        y = D(x)
        same = all(np.array_equal(a, b) for a, b in zip(y, A(x), strict=True))
        same &= np.array_equal(D.A_adjoint(y), A.A_adjoint(y))
        same &= np.array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
        print(f"distributed and plain results are {'equal' if same else 'DIFFERENT'}")
        seen = [(rng.poisson(PHOTONS * np.clip(a, 0, None)) / PHOTONS).astype(np.float32) for a in y]
        print("making the volume sharp")
        alone = tikhonov(A[:1], seen[:1], lam=1e-2)
        both = tikhonov(D, seen, lam=1e-2)
    panels = {
        "the cells": x,
        **dict(zip(VIEWS, seen, strict=True)),
        "from above, made sharp": alone,
        "from both": both,
    }
    draw(x, panels, output)
    print(f"wrote {output}")


def cells(rng: np.random.Generator) -> np.ndarray:
    """Two channels, (2, depth, height, width): membranes between the cells, and nuclei with chromatin in them."""
    scale = np.array([1.6, 1.0, 1.0])  # the tissue is flat
    seeds = spaced(rng, scale)
    grid = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), -1).reshape(-1, 3)
    nearest, owner = cKDTree(seeds * scale).query((grid + wobble(rng)) * scale, k=2)
    gap = (nearest[:, 1] - nearest[:, 0]).reshape(SIZES)
    membranes = np.exp(-((gap / 2.2) ** 2)) * texture(rng, 4.0, 0.35)
    own = owner[:, 0]
    radii = rng.uniform(9.5, 13.0, len(seeds))[own]
    inside = 1 / (1 + np.exp((nearest[:, 0] - radii).reshape(SIZES) / 0.7))
    brightness = rng.uniform(0.6, 1.0, len(seeds))[own].reshape(SIZES)
    chromatin = np.clip(texture(rng, 1.5, 0.45), 0.15, None)
    return np.stack([membranes, inside * brightness * chromatin]).astype(np.float32)


def spaced(rng: np.random.Generator, scale: np.ndarray) -> np.ndarray:
    """Centres of cells, of which each new one is the farthest of some candidates from all others."""
    placed = [rng.uniform(0, 1, 3) * SIZES]
    while len(placed) < CELLS:
        tried = rng.uniform(0, 1, (60, 3)) * SIZES
        away, _ = cKDTree(np.array(placed) * scale).query(tried * scale)
        placed.append(tried[np.argmax(away)])
    return np.array(placed)


def wobble(rng: np.random.Generator) -> np.ndarray:
    """A smooth random displacement of every pixel: no cell has plane walls."""
    moved = [gaussian_filter(rng.standard_normal(SIZES), 8.0, mode="wrap") for _ in range(3)]
    return np.stack([3.0 * m / m.std() for m in moved], -1).reshape(-1, 3)


def texture(rng: np.random.Generator, size: float, strength: float) -> np.ndarray:
    """Random grains of a size, about 1."""
    grains = gaussian_filter(rng.standard_normal(SIZES), size / 2, mode="wrap")
    return 1 + strength * grains / grains.std()


def draw(x: np.ndarray, panels: dict[str, np.ndarray], output: str) -> None:
    """A slice of each across and one along the depth; membranes in magenta, nuclei in green."""
    depth, height, _ = SIZES
    figure, axes = plt.subplots(
        2, len(panels), figsize=(15, 4.5), layout="constrained", height_ratios=(height, depth)
    )
    for column, (name, volume) in enumerate(panels.items()):
        error = float(np.sqrt(np.mean((volume - x) ** 2)))
        for ax, part in zip(axes[:, column], (volume[:, depth // 2], volume[:, :, height // 2]), strict=True):
            membranes, nuclei = np.clip(part / np.quantile(x, 0.995), 0, 1) ** 0.8
            ax.imshow(np.stack([membranes, nuclei, membranes], -1), interpolation="nearest")
            ax.set_axis_off()
        title = name if volume is x else f"{name}, RMS error {error:.3f}"
        axes[0, column].set_title(title, fontsize=10)
    figure.savefig(output, dpi=100)


if __name__ == "__main__":
    main()
