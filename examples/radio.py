"""A simulated radio sky through the Very Large Array, and back: ``python examples/radio.py``."""

from __future__ import annotations

import argparse

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from daskphys.distributed import DistributedContext, distribute
from daskphys.optim import cg
from daskphys.physics import Interferometry
from daskphys.physics.radio import (
    VLA_LONGITUDE,
    briggs_weights,
    itrf_to_equatorial,
    uv_coverage,
    vla_positions,
)

ARCSEC = np.pi / 180 / 3600
CELL, SIZE = 12 * ARCSEC, 192
FREQUENCY, DECLINATION = 1.4e9, np.radians(41.3)
NOISE = 0.02  # Jy in each visibility


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="radio.png")
    output = parser.parse_args().output
    x = sky(SIZE).astype(np.float32)
    antennas = itrf_to_equatorial(vla_positions(), VLA_LONGITUDE)
    uvw = uv_coverage(antennas, np.radians(15 * np.linspace(-4, 4, 97)), DECLINATION, frequency=FREQUENCY)
    natural = Interferometry(uvw, CELL, x.shape)
    weights = briggs_weights(uvw, CELL, x.shape, robust=-0.5)
    robust = Interferometry(uvw, CELL, x.shape, weights=weights)
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(natural, ctx)
        print(f"A, Aᴴ and AᴴA with {len(uvw)} visibilities, on the cluster and plain")
        y = D(x)
        same = np.array_equal(y, natural(x))
        same &= np.array_equal(D.A_adjoint(y), natural.A_adjoint(y))
        same &= np.array_equal(D.A_adjoint_A(x), natural.A_adjoint_A(x))
        print(f"distributed and plain results are {'equal' if same else 'DIFFERENT'}")
        # The orthonormal scale is in y: noise of an instrument's visibilities takes it too.
        noise = np.random.default_rng(0).standard_normal((2, *y.shape)) * NOISE
        seen = (y + natural.measurement(noise[0] + 1j * noise[1])).astype(y.dtype)
        print("an image by conjugate gradients")
        estimate = cg(D, seen, lam=0.02 * natural.beam_sum, rtol=1e-4)
    print("dirty images and beams")
    visibilities = seen * SIZE  # in Jy again: √(w / N) is 1 / SIZE
    images = {
        "dirty image, natural weights": natural.dirty_image(seen),
        "dirty image, Briggs weights, robust −0.5": robust.dirty_image(robust.measurement(visibilities)),
        "Tikhonov's, by conjugate gradients": estimate,
    }
    draw(x, uvw, natural.psf(), robust.psf(), images, output)
    print(f"wrote {output}")


def sky(n: int) -> np.ndarray:
    """A spiral galaxy, a double radio source behind it, and points: in Jy a pixel."""
    row, column = (np.mgrid[:n, :n] - n // 2) / n
    east, north = 0.8 * column + 0.6 * row, (0.8 * row - 0.6 * column) / 0.45  # turned, and inclined
    radius, angle = np.hypot(east, north), np.arctan2(north, east)
    arms = np.exp(6 * (np.cos(2 * angle + 7 * np.log(radius + 0.03)) - 1) / 2)
    disk = (0.15 + arms) * np.exp(-radius / 0.13) * (radius < 0.42)
    made = 0.02 * disk + 0.03 * np.exp(-((radius / 0.02) ** 2))
    for r, c, flux, width in (
        (0.30, -0.28, 0.20, 0.010),
        (0.23, -0.36, 0.14, 0.014),
        (0.265, -0.32, 0.06, 0.004),
    ):
        made += flux * np.exp(-((row - r) ** 2 + (column - c) ** 2) / (2 * width**2))
    rng = np.random.default_rng(3)
    at = rng.integers(n // 12, n - n // 12, (2, 14))
    made[tuple(at)] += rng.pareto(1.5, 14) * 0.3 + 0.2
    return made


def draw(
    x: np.ndarray,
    uvw: np.ndarray,
    natural: np.ndarray,
    robust: np.ndarray,
    images: dict[str, np.ndarray],
    output: str,
) -> None:
    """The sky and where the array samples its transform, the beams, and images of the sky."""
    figure, axes = plt.subplots(2, 3, figsize=(11.5, 7.6), layout="constrained")
    show(axes[0, 0], x, "the sky")
    kilo = np.concatenate([uvw, -uvw]) / 1e3
    axes[0, 1].plot(*kilo[:, :2].T, ",", color="tab:blue", alpha=0.5)
    axes[0, 1].set(xlabel="u, kilo-wavelengths", ylabel="v", aspect="equal")
    axes[0, 1].set_title("VLA D, 8 hours at 1.4 GHz: (u, v)", fontsize=10)
    middle, reach = SIZE // 2, 30
    offsets = np.arange(-reach, reach + 1) * CELL / ARCSEC
    for beam, name in ((natural, "natural"), (robust, "Briggs, robust −0.5")):
        axes[0, 2].plot(offsets, beam[middle, middle - reach : middle + reach + 1], label=name)
    axes[0, 2].axhline(0, color="grey", linewidth=0.5)
    axes[0, 2].set(xlabel="arc seconds to the east")
    axes[0, 2].set_title("the beam", fontsize=10)
    axes[0, 2].legend(fontsize=8)
    for ax, (name, image) in zip(axes[1], images.items(), strict=True):
        show(ax, image, name)
    figure.savefig(output, dpi=100)


def show(ax: plt.Axes, image: np.ndarray, title: str) -> None:
    """North is up, and east to the left, as on the sky; faint parts are drawn out."""
    top = np.quantile(image, 0.998)
    ax.imshow(np.arcsinh(10 * image[:, ::-1] / top), origin="lower", cmap="inferno", vmin=-1, vmax=3)
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()


if __name__ == "__main__":
    main()
