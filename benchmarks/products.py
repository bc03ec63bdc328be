"""Benchmarks of how a product is computed: FFT sizes, threads and buffers, FFT back-ends, small kernels.

``python -m benchmarks.products`` prints the tables without a cluster; each case is a function of a `Bench`.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.fft

from benchmarks.timing import CORES, TIMES, Bench, Case, blurs, image, times_text
from daskphys import backend
from daskphys.physics import Blur, stack
from daskphys.physics.blockproducts import adjoint_parts, forward_each
from daskphys.physics.stack import StackedPhysics
from daskphys.physics.transform import RealFFT, Transform

#: An FFT of the image's own size.
OWN = RealFFT(2)


def forward(A: StackedPhysics, x: np.ndarray, transform: Transform) -> list[Any]:
    """A x by a first step of our choice."""
    return forward_each(A, x, transform)


def adjoint(A: StackedPhysics, y: Any, shape: tuple[int, ...], transform: Transform) -> Any:
    """Aᵀ y by a first step of our choice; the number of sensors is a power of two or the tree is small."""
    total, *rest = [part.value for part in adjoint_parts(A, y, shape, transform)]
    for part in rest:
        total = total + part
    return transform.lower(total, shape)


def prime_sizes(bench: Bench) -> Case:
    """Sizes with large prime factors: the image's own FFT against the one that is chosen."""
    case = Case("products-sizes", f"FFT of the image's own size against the chosen one, float32 ({TIMES})")
    shapes = ((3, 767, 512), (1021, 1021), (3, 509, 509), (600, 800))
    for shape in shapes[:1] if bench.quick else shapes:
        A, x = blurs(3), image(*shape)
        y = A(x)
        assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(forward(A, x, OWN), y, strict=True))
        times = bench.time(
            {
                "own": lambda A=A, x=x: forward(A, x, OWN),
                "chosen": lambda A=A, x=x: A(x),
                "own, Aᵀ": lambda A=A, y=y, s=shape: adjoint(A, y, s, OWN),
                "chosen, Aᵀ": lambda A=A, y=y: A.A_adjoint(y),
            },
            seconds=4,
        )
        case.rows.append(
            {
                "image, N=3": times_text(shape),
                "method": A._method(shape),
                "A, chosen": times.ms("chosen"),
                "own ÷ chosen": times.ratio("own", "chosen"),
                "Aᵀ, own ÷ chosen": times.ratio("own, Aᵀ", "chosen, Aᵀ"),
            }
        )
    return case


def in_turn(A: StackedPhysics, x: np.ndarray) -> list[Any]:
    """A x with all threads inside each FFT, a fresh product for each sensor."""
    transform = A.transform
    z = transform.lift(x)
    return [sensor._forward_from(z, x.shape, transform) for sensor in A]


def threads_over_sensors(bench: Bench) -> Case:
    """Threads over sensors, with a buffer each, against threads inside each FFT, and one thread."""
    case = Case(
        "products-threads", f"threads over sensors against threads inside the FFT, {CORES} cores ({TIMES})"
    )
    cases: tuple[tuple[int, tuple[int, ...]], ...] = (
        (8, (256, 256)),
        (8, (512, 512)),
        (3, (3, 767, 512)),
        (8, (3, 512, 512)),
        (8, (2048, 2048)),
    )
    for n, shape in cases[1:2] if bench.quick else cases:
        A, x = blurs(n), image(*shape)
        times = bench.time(
            {
                "spread": lambda A=A, x=x: A(x),
                "inside": lambda A=A, x=x: in_turn(A, x),
                "one": lambda A=A, x=x: one_thread(lambda: A(x)),
            },
            seconds=5,
        )
        case.rows.append(
            {
                "A": f"N={n}, {times_text(shape)}",
                "spread": times.ms("spread"),
                "inside ÷ spread": times.ratio("inside", "spread"),
                "one thread ÷ spread": times.ratio("one", "spread"),
            }
        )
    return case


def one_thread(call: Callable[[], Any]) -> Any:
    """A call with one thread."""
    with backend.fft_threads(1):
        return call()


def backends() -> dict[str, Any]:
    """What `scipy.fft.set_backend` takes, of what is installed; None is SciPy's own."""
    found: dict[str, Any] = {"SciPy": None}
    if importlib.util.find_spec("ducc0"):
        found["DuccFFT"] = backend.DuccFFT()
    if importlib.util.find_spec("pyfftw"):
        import pyfftw

        pyfftw.interfaces.cache.enable()
        found["pyFFTW"] = pyfftw.interfaces.scipy_fft
    return found


def with_backend(chosen: Any, call: Callable[[], Any]) -> Any:
    """A call with an FFT back-end."""
    with contextlib.nullcontext() if chosen is None else scipy.fft.set_backend(chosen):
        return call()


def fft_backends(bench: Bench) -> Case:
    """FFT back-ends by SciPy's own protocol."""
    case = Case(
        "products-backends", f"scipy.fft.set_backend, seconds of SciPy ÷ seconds of the other ({TIMES})"
    )
    cases: tuple[tuple[int, tuple[int, ...]], ...] = (
        (3, (3, 767, 512)),
        (8, (3, 512, 512)),
        (8, (2048, 2048)),
    )
    for n, shape in cases[:1] if bench.quick else cases:
        A, x = blurs(n), image(*shape)
        y = A(x)
        for name, call in (("A", lambda A=A, x=x: A(x)), ("Aᵀ", lambda A=A, y=y: A.A_adjoint(y))):
            variants = {k: (lambda call=call, b=b: with_backend(b, call)) for k, b in backends().items()}
            times = bench.time(variants, seconds=6)
            row = {"product": f"{name}, N={n}, {times_text(shape)}", "SciPy": times.ms("SciPy")}
            case.rows.append(row | {k: times.ratio("SciPy", k) for k in variants if k != "SciPy"})
    if len(backends()) < 3:
        case.notes.append("a back-end without a column is not installed (ducc0, pyfftw)")
    return case


def small_kernels(bench: Bench) -> Case:
    """Direct convolution against the FFT: where the cost model of `physics/extended.py` comes from."""
    case = Case("products-small", f"FFT ÷ direct, float32, and what the cost model takes ({TIMES})")
    kernels = (("3×3", 3, False), ("5×5", 5, False), *((f"{n} + {n}", n, True) for n in (3, 5, 7, 9, 15)))
    for shape in ((512, 512),) if bench.quick else ((256, 256), (512, 512), (2048, 2048)):
        x = image(*shape)
        for name, side, separable in kernels[2:3] if bench.quick else kernels:
            row: dict[str, Any] = {"image": times_text(shape), "kernel": name}
            for n in (1, 8):
                A = stack(*[Blur(kernel(side, i, separable)) for i in range(n)])
                step: Any = A.transform
                forced = {"FFT": replace(step, taps=1 << 30), "direct": replace(step, taps=0)}
                times = bench.time(
                    {k: (lambda A=A, x=x, t=t: forward(A, x, t)) for k, t in forced.items()}, seconds=1.5
                )
                taken = "direct" if A._method(shape).startswith("direct") else "FFT"
                row |= {f"N={n}": times.ratio("FFT", "direct"), f"taken, N={n}": taken}
            case.rows.append(row)
    return case


def kernel(side: int, seed: int, separable: bool) -> np.ndarray:
    """A random kernel."""
    rng = np.random.default_rng(seed)
    return np.outer(rng.random(side), rng.random(side)) if separable else rng.random((side, side))


CASES = (prime_sizes, threads_over_sensors, fft_backends, small_kernels)
