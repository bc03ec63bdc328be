"""A photograph from many small frames, and in colours from two cameras: ``python examples/multi_sensor.py``."""

from __future__ import annotations

import argparse
import time

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, distribute
from daskphys.optim import tikhonov
from daskphys.physics import Blur, Downsampling, Shift, gaussian_blur, pansharpening, stack

FACTOR, FRAMES, NOISE = 3, 24, 0.004
GREY = (1 / 3, 1 / 3, 1 / 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="multi_sensor.png")
    output = parser.parse_args().output
    x = load_example("grace_hopper", img_size=(480, 480), resize_mode="crop")[0]
    rng = np.random.default_rng(1)
    moves = [(0.0, 0.0), *rng.uniform(-2, 2, (FRAMES - 1, 2))]
    frames = stack(*[Downsampling(None, FACTOR) @ Blur(gaussian_blur(1.0)) @ Shift(move) for move in moves])
    cameras = pansharpening(GREY, factor=8)
    with DistributedContext(n_workers=2) as ctx:
        D = distribute(frames, ctx)
        y = D(x)
        same = all(np.array_equal(a, b) for a, b in zip(y, frames(x), strict=True))
        same &= np.array_equal(D.A_adjoint(y), frames.A_adjoint(y))
        same &= np.array_equal(D.A_adjoint_A(x), frames.A_adjoint_A(x))
        print(f"distributed and plain results are {'equal' if same else 'DIFFERENT'}")
        seen = [noisy(frame, rng) for frame in y]
        start = time.perf_counter()
        sharp = tikhonov(D, seen, lam=5e-3)
        print(f"{FRAMES} frames in closed form: {time.perf_counter() - start:.1f} s")
        P = distribute(cameras, ctx)
        pan, colours = (noisy(a, rng) for a in P(x))
        # The unknown is what the coarse camera does not tell.
        guess = enlarged(colours, 8)
        rest = [pan - P(guess)[0], colours - P(guess)[1]]
        fused = guess + tikhonov(P, rest, lam=1e-2, rtol=1e-4)
    panels = {
        "the photograph": x,
        f"one frame of {FRAMES}, 160×160": np.kron(seen[0], np.ones((FACTOR, FACTOR))),
        "one frame, bicubic": enlarged(seen[0], FACTOR),
        f"all {FRAMES} frames": sharp,
        "a camera without colours": np.broadcast_to(pan, x.shape),
        "one with colours, 60×60": np.kron(colours, np.ones((8, 8))),
        "in colours, bicubic": guess,
        "both cameras": fused,
    }
    draw(x, panels, output)
    print(f"wrote {output}")


def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image + NOISE * rng.standard_normal(image.shape).astype(np.float32)


def enlarged(image: np.ndarray, factor: int) -> np.ndarray:
    """By bicubic interpolation, plane by plane; pixel 0 of the small image is pixel 0 of the large one."""
    height, width = image.shape[-2:]
    planes = []
    for plane in image:
        large = Image.fromarray(plane).resize(
            (width * factor, height * factor),
            Image.Resampling.BICUBIC,
            # Pillow's pixels are areas, ours are samples.
            box=(0.5 - 0.5 / factor, 0.5 - 0.5 / factor, width, height),
        )
        planes.append(np.asarray(large))
    return np.stack(planes)


def draw(x: np.ndarray, panels: dict[str, np.ndarray], output: str) -> None:
    """A detail of each, with its error."""
    figure, axes = plt.subplots(2, 4, figsize=(12.4, 6.9), layout="constrained")
    part = (slice(None), slice(20, 260), slice(120, 360))
    for ax, (name, image) in zip(axes.flat, panels.items(), strict=True):
        ax.imshow(np.clip(np.moveaxis(image[part], 0, -1), 0, 1), interpolation="nearest")
        plain = image is x or "camera without" in name or "×" in name
        error = float(np.sqrt(np.mean((image - x) ** 2)))
        ax.set_title(name if plain else f"{name}, RMS error {error:.3f}", fontsize=10)
        ax.set_axis_off()
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    main()
