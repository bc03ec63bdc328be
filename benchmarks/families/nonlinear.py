"""Benchmarks of phase retrieval, against deepinv, and of noise, against NumPy by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.family_rivals import compare
from benchmarks.timing import TIMES, Bench, Case, image, times_text
from daskphys.physics import MRI, Diagonal, GaussianNoise, PhaseRetrieval, PoissonNoise, stack


def phase_retrieval(bench: Bench) -> Case:
    """Intensities of coded diffraction patterns, and the gradient that Wirtinger flow takes at each step."""
    case = Case("phase_retrieval", f"Phase retrieval, coded patterns, complex64 ({TIMES})")
    for shape, n in (
        [((256, 256), 8)] if bench.quick else [((256, 256), 8), ((3, 512, 512), 8), ((1024, 1024), 4)]
    ):
        rng = np.random.default_rng(0)
        codes = np.exp(2j * np.pi * rng.random((n, *shape[-2:])))
        fourier, x = MRI(np.ones(shape[-2:])), image(*shape).astype(np.complex64)
        A = stack(*[PhaseRetrieval(fourier @ Diagonal(code)) for code in codes])
        v = [rng.standard_normal(shape, dtype=np.float32) for _ in range(n)]
        compare(
            bench,
            case,
            "nonlinear",
            {"x": x, "v": np.stack(v), "codes": codes.astype(np.complex64)},
            {"A": {"daskphys": partial(A, x)}, "A_vjp": {"daskphys": partial(A.A_vjp, x, v)}},
            label=f"{times_text(shape)}, {n} patterns",
            seconds=4 if bench.quick else 15,
        )
    return case


def noise(bench: Bench) -> Case:
    """What noise of position-addressed streams costs against one stream by hand."""
    case = Case("noise", f"Noise on three sensors, float32 ({TIMES})")
    for shape in [(3, 512, 512)] if bench.quick else [(3, 512, 512), (2048, 2048)]:
        x, one = image(*shape), np.ones(shape[-2:])
        for model, by_hand in ((GaussianNoise(0.1), _gaussian), (PoissonNoise(0.01), _poisson)):
            A = stack(*[Diagonal(one, noise_model=model)] * 3)
            variants = {
                "daskphys": partial(A, x, seed=0),
                "NumPy by hand": partial(_three, by_hand, x),
                "without noise": partial(A.A, x),
            }
            times = bench.time(variants, seconds=4)
            name = type(model).__name__
            case.timings[f"{name}, {times_text(shape)}"] = times
            row = {"noise": name, "image": times_text(shape)}
            case.rows.append(row | {f"{v} (ms)": times.ms(v) for v in variants})
    return case


def _three(by_hand: Callable[..., np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    return [by_hand(np.random.default_rng(i), x) for i in range(3)]


def _gaussian(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return x + np.float32(0.1) * rng.standard_normal(x.shape).astype(np.float32)


def _poisson(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return (0.01 * rng.poisson(x / 0.01)).astype(np.float32)


CASES = (phase_retrieval, noise)
