"""A head scanned at few angles with little dose, and its slices back: ``python examples/tomography.py``."""

from __future__ import annotations

import argparse

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from daskphys.distributed import DistributedContext, distribute
from daskphys.optim import tikhonov
from daskphys.physics import Tomography
from daskphys.physics.tomography import SHEPP_LOGAN, ellipse_sinogram, fbp, fbp_factors, shepp_logan

SIZE, ANGLES, PHOTONS = 192, 72, 4e4
HEIGHTS = (0.0, 0.15, 0.28, 0.5)  # of the slices, in halves of the head's height
ABSORPTION = 0.02  # of the skull, per pixel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="tomography.png")
    output = parser.parse_args().output
    A = Tomography(np.arange(ANGLES) * 180 / ANGLES, (SIZE, SIZE), projector="strip")
    slices = [slice_at(height) for height in HEIGHTS]
    x = np.stack([shepp_logan(SIZE, s) for s in slices]).astype(np.float32)
    y = counted(
        np.stack([ellipse_sinogram(A, s) for s in slices])
    )  # integrals that no projector of ours made
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(A, ctx)
        print(f"A, Aᵀ and AᵀA of {len(x)} slices, on the cluster and plain")
        same = np.array_equal(D(x), A(x)) and np.array_equal(D.A_adjoint(y), A.A_adjoint(y))
        same &= np.array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
        print("filtered back-projection")
        _, P = fbp_factors(A)
        direct = D.A_adjoint(P(y))
        same &= np.array_equal(direct, fbp(A, y))
        print("Tikhonov's solution, on the cluster")
        estimate = tikhonov(D, y, lam=30.0, rtol=1e-4)
        print("Tikhonov's solution by the plain operator, to compare")
        same &= np.array_equal(estimate, tikhonov(A, y, lam=30.0, rtol=1e-4))
    print(f"distributed and plain results are {'equal' if same else 'DIFFERENT'}")
    draw(x, y, direct, estimate, output)
    print(f"wrote {output}")


def slice_at(height: float) -> list[tuple[float, ...]]:
    """The phantom's ellipses as sections of ellipsoids that are as high as the wider of their half axes."""
    found = []
    for value, a, b, *place in SHEPP_LOGAN:
        left = 1 - (height / max(a, b)) ** 2
        if left > 0:
            found.append((value, a * left**0.5, b * left**0.5, *place))
    return found


def counted(integrals: np.ndarray) -> np.ndarray:
    """What a detector that counts photons tells of line integrals."""
    counts = np.random.default_rng(0).poisson(PHOTONS * np.exp(-ABSORPTION * integrals))
    return (-np.log(np.maximum(counts, 1) / PHOTONS) / ABSORPTION).astype(np.float32)


def draw(x: np.ndarray, y: np.ndarray, direct: np.ndarray, estimate: np.ndarray, output: str) -> None:
    """A row for each slice: the head, what was measured, and the two reconstructions."""
    figure, axes = plt.subplots(len(x), 4, figsize=(10.4, 9.6), layout="constrained")
    for row, height, *images in zip(axes, HEIGHTS, x, y, direct, estimate, strict=True):
        truth = images[0]
        names = (f"slice at height {height:g}", f"{ANGLES} angles × detector", "FBP", "Tikhonov")
        for ax, image, name in zip(row, images, names, strict=True):
            measured = image is images[1]
            error = f", RMS error {np.sqrt(np.mean((image - truth) ** 2)):.3f}" if name in names[2:] else ""
            limits = {"vmin": None if measured else 0.0, "vmax": None if measured else 0.45}
            ax.imshow(
                image, cmap="magma" if measured else "gray", aspect="auto" if measured else None, **limits
            )
            ax.set_title(name + error, fontsize=9)
            ax.set_axis_off()
    figure.savefig(output, dpi=100)


if __name__ == "__main__":
    main()
