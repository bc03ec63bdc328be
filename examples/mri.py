"""A slice of a head from a quarter of k-space and eight coils, whose maps are found too: ``python examples/mri.py``."""

from __future__ import annotations

import argparse

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.optim import cg
from daskphys.physics import ComplexGaussianNoise, MultiCoilMRI
from daskphys.physics.mri import birdcage_maps, equispaced_mask, espirit_maps

SIDE, COILS = 256, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="mri.png")
    output = parser.parse_args().output
    x = load_example("mri_brain", grayscale=True, img_size=None)[0, 0].astype(np.complex64)
    mask = equispaced_mask(x.shape, acceleration=4, calibration=24)
    noise = ComplexGaussianNoise(0.002, seed=0)  # on the lines that are measured
    A = MultiCoilMRI(birdcage_maps(COILS, x.shape), mask, noise_model=noise)
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(A, ctx)
        y = D(x)
        same = np.array_equal(y, A(x))
        same &= np.array_equal(D.A_adjoint(y), A.A_adjoint(y))
        same &= np.array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
        print(f"distributed and plain results are {'equal' if same else 'DIFFERENT'}")
        maps = espirit_maps(y, calibration=24, crop=0.8)
        found = distribute(MultiCoilMRI(maps, mask), ctx)
        filled = found.A_adjoint(y)  # with zeros, where nothing was measured
        estimate = cg(found, y, lam=1e-3, rtol=1e-3)
    draw(x, y, A.maps, maps, filled, estimate, output)
    print(f"wrote {output}")


def draw(
    x: np.ndarray,
    y: np.ndarray,
    maps: np.ndarray,
    found: np.ndarray,
    filled: np.ndarray,
    estimate: np.ndarray,
    output: str,
) -> None:
    """What is measured, above, and what is made of it, below."""
    figure, axes = plt.subplots(2, 3, figsize=(10.2, 7.4), layout="constrained")
    show(axes[0, 0], x, "the slice")
    axes[0, 1].imshow(np.log10(abs(y[0]) + 1e-4), cmap="magma", vmin=-3, vmax=1)
    axes[0, 1].set_title("one coil: every 4th line, and 24 in the middle", fontsize=9)
    axes[0, 1].set_axis_off()
    given = maps * np.exp(-1j * np.angle(maps[:1]))  # ESPIRiT tells phases from that of the first coil
    axes[0, 2].imshow(np.vstack([np.hstack([phased(given[c]), phased(found[c])]) for c in (2, 5)]))
    axes[0, 2].set_title("two coils' maps, and what ESPIRiT finds", fontsize=9)
    axes[0, 2].set_axis_off()
    alone = np.sqrt((abs(np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(y, (1, 2))), (1, 2))) ** 2).sum(0))
    show(axes[1, 0], alone * SIDE, "zeros for what is missing, root of squares")
    for ax, image, name in zip(
        axes[1, 1:], (filled, estimate), ("Aᵀ with ESPIRiT's maps", "CG with ESPIRiT's maps"), strict=True
    ):
        error = float(np.sqrt(np.mean((abs(image) - abs(x)) ** 2)))
        show(ax, image, f"{name}, RMS error {error:.3f}")
    figure.savefig(output, dpi=110)


def phased(coil: np.ndarray) -> np.ndarray:
    """Magnitude as brightness and phase as hue, every second pixel."""
    coil = coil[::2, ::2]
    hsv = np.stack([np.angle(coil) / (2 * np.pi) % 1, np.full(coil.shape, 0.8), abs(coil)], -1)
    return matplotlib.colors.hsv_to_rgb(np.clip(hsv, 0, 1))


def show(ax: plt.Axes, image: np.ndarray, title: str) -> None:
    ax.imshow(abs(image), cmap="gray", vmin=0, vmax=0.8)
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()


if __name__ == "__main__":
    main()
