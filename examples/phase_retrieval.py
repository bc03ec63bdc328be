"""A photograph from intensities of coded diffraction patterns alone, whose phases are lost: ``python examples/phase_retrieval.py``."""

from __future__ import annotations

import argparse
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import MRI, Diagonal, PhaseRetrieval, PoissonNoise, stack

PATTERNS, POWER, STEPS, SIZE = 8, 25, 30, 128
PHOTONS = 200.0  # a pixel of a pattern, on average


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="phase_retrieval.png")
    output = parser.parse_args().output
    x = load_example("grace_hopper", img_size=160)[0][:, 16 : 16 + SIZE, 16 : 16 + SIZE]
    codes = np.exp(0.5j * np.pi * np.random.default_rng(0).integers(4, size=(PATTERNS, SIZE, SIZE)))
    noise = PoissonNoise(float(np.mean(x**2)) / PHOTONS)
    fourier = MRI(np.ones((SIZE, SIZE)))
    A = stack(*[PhaseRetrieval(fourier @ Diagonal(code), noise_model=noise) for code in codes])
    z = x.astype(np.complex64)
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(A, ctx)
        print(f"measuring {PATTERNS} patterns")
        y = D(z, seed=1)
        print("retrieving the image on the cluster")
        start, estimate, losses = retrieve(D, y, z.shape)
    print("retrieving it by the plain operator, to compare")
    same = all(np.array_equal(a, b) for a, b in zip(y, A(z, seed=1), strict=True))
    same &= all(
        np.array_equal(a, b) for a, b in zip(retrieve(A, y, z.shape), (start, estimate, losses), strict=True)
    )
    print(f"distributed and plain results are {'equal' if same else 'DIFFERENT'}")
    draw(x, y, aligned(start, x), aligned(estimate, x), losses, output)
    print(f"wrote {output}")


def retrieve(A: Any, y: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """The start and the end of Wirtinger flow, by A and A_vjp alone; and ‖A(z) - y‖ relative to ‖y‖ on the way.

    The start is the first eigenvector of Σ Bᴴ diag(y) B, since A_vjp(z, y) = 2 Σ Bᴴ(y · Bz), with the energy of y, where
    large y are cut.  Colours are images of their own, each with a global phase that nothing can tell.
    """
    rng = np.random.default_rng(2)
    z = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    energy = sum(a.sum((-2, -1), keepdims=True, dtype=np.float64) for a in y) / len(y)
    mean = (energy / z[0].size).astype(np.float32)
    bounded = y.map(lambda a: np.minimum(a / mean, 3))  # the largest alone would decide
    for _ in range(POWER):
        z = scaled(A.A_vjp(z, bounded), energy)
    start, before, losses = z, z, []
    step = np.float32(0.04 / len(y)) / mean
    for k in range(STEPS):
        ahead = z + np.float32(k / (k + 3)) * (z - before)  # Nesterov's momentum
        residual = A.A(ahead) - y
        losses.append(residual.norm() / y.norm())
        if k % 10 == 0:
            print(f"  iteration {k}: ‖A(z) - y‖ / ‖y‖ = {losses[-1]:.3f}")
        z, before = ahead - step * A.A_vjp(ahead, residual), z
    return start, z, losses


def scaled(z: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Each colour with the energy that it should have."""
    norm = np.sqrt(np.sum(np.abs(z) ** 2, (-2, -1), keepdims=True, dtype=np.float64) / energy)
    return (z / norm).astype(np.complex64)


def aligned(z: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Each colour with the global phase in which it is most like x."""
    return (z * np.exp(-1j * np.angle(np.sum(z * x, (-2, -1), keepdims=True)))).real


def draw(
    x: np.ndarray, y: Any, start: np.ndarray, estimate: np.ndarray, losses: list[float], output: str
) -> None:
    """What the detector sees, where the descent begins, where it ends, and how fast it goes."""
    figure, axes = plt.subplots(2, 4, figsize=(12.4, 6.5))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.95, wspace=0.04, hspace=0.1)
    for ax, pattern, number in zip(axes[0], y, range(4), strict=False):
        ax.imshow(np.moveaxis(np.clip((pattern / np.percentile(pattern, 99.5)) ** 0.5, 0, 1), 0, -1))
        ax.set_title(f"intensity of pattern {number + 1} of {len(y)}", fontsize=10)
    for ax, image, title in zip(
        axes[1], (start, estimate, x), ("spectral start", "Wirtinger flow", "the photograph"), strict=False
    ):
        ax.imshow(np.clip(np.moveaxis(image, 0, -1), 0, 1))
        error = np.sqrt(np.mean((image - x) ** 2))
        ax.set_title(title if image is x else f"{title}, RMS error {error:.3f}", fontsize=10)
    for ax in axes.ravel():
        ax.set_axis_off()
    axes[1, 3].set_title("‖A(z) - y‖ / ‖y‖", fontsize=10)
    curve, ticks = axes[1, 3].inset_axes((0.14, 0.15, 0.84, 0.85)), [0.05, 0.1, 0.2, 0.5]
    curve.semilogy(losses, color="#4c72b0")
    curve.minorticks_off()
    curve.set(xlabel="iteration", yticks=ticks, yticklabels=ticks)
    curve.spines[["right", "top"]].set_visible(False)
    figure.savefig(output, dpi=100)


if __name__ == "__main__":
    main()
