"""Benchmarks of several sensors: downsampling, and super-resolution from many frames, against deepinv."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.family_rivals import compare
from benchmarks.timing import TIMES, Bench, Case, image, times_text
from daskphys.physics import Blur, Downsampling, motion_blur, stack


def downsampling(bench: Bench) -> Case:
    """One circular filter and every second or fourth sample."""
    case = Case("downsampling", f"Downsampling, circular, float32 ({TIMES})")
    problems = [((3, 512, 512), "bicubic", 2), ((3, 512, 512), "bicubic", 4)]
    if not bench.quick:
        problems += [((3, 512, 512), "bilinear", 2), ((1, 2048, 2048), "bicubic", 4)]
    for shape, name, factor in problems:
        A, x = Downsampling(name, factor), image(*shape)
        y = A(x)
        compare(
            bench,
            case,
            "multi_sensor",
            {"x": x, "y": y},
            {"A": {"daskphys": partial(A, x)}, "Aᵀ": {"daskphys": partial(A.A_adjoint, y)}},
            label=f"{times_text(shape)}, {name}, factor {factor}",
            seconds=4 if bench.quick else 15,
            options={"filter": name, "factor": factor},
        )
    return case


def super_resolution(bench: Bench) -> Case:
    """Frames, each blurred by its own motion and downsampled; AᵀA of all is one small matrix a frequency."""
    case = Case("super_resolution", f"Frames of super-resolution, bicubic, float32 ({TIMES})")
    problems = [((3, 256, 256), 2, 4)] if bench.quick else [((3, 512, 512), 2, 8), ((3, 512, 512), 4, 16)]
    for shape, factor, n in problems:
        kernels = [motion_blur(7.0, angle=180 * i / n) for i in range(n)]
        x = image(*shape)
        A = stack(*[Downsampling("bicubic", factor) @ Blur(k) for k in kernels])
        y = A(x)
        products = {
            "A": {"daskphys": partial(A, x)},
            "Aᵀ": {"daskphys": partial(A.A_adjoint, y)},
            "AᵀA": {
                "daskphys": partial(A.A_adjoint_A, x),
                "daskphys, A then Aᵀ": partial((A.H @ A).A, x),
            },
        }
        given = {f"kernel{i}": k[0, 0].astype(np.float32) for i, k in enumerate(kernels)}
        given |= {"x": x, "y": np.stack(list(y))}
        compare(
            bench,
            case,
            "multi_sensor",
            given,
            products,
            label=f"{times_text(shape)}, factor {factor}, {n} frames",
            seconds=4 if bench.quick else 20,
            options={"filter": "bicubic", "factor": factor},
        )
    return case


CASES = (downsampling, super_resolution)
