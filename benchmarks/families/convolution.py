"""Benchmarks of convolutions: what other borders cost against the circular one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.timing import TIMES, Bench, Case, image, times_text
from daskphys.physics import Blur, gaussian_blur, stack

PADDINGS = ("circular", "valid", "replicate", "reflect")


def paddings(bench: Bench) -> Case:
    """Three kernels of the demo's kind with each border."""
    case = Case("paddings", f"A and Aᵀ by border, N=3, float32 ({TIMES})")
    shapes = ((3, 512, 512),) if bench.quick else ((512, 512), (3, 512, 512), (3, 767, 512), (2048, 2048))
    for shape in shapes:
        for product, variants in _calls(shape).items():
            times = bench.time(variants, seconds=4)
            case.timings[f"{product} by border, {times_text(shape)}"] = times
            row: dict[str, Any] = {"product": product, "image": times_text(shape)}
            row["circular"] = times.ms("circular")
            case.rows.append(row | {f"{p} ÷ circular": times.ratio(p, "circular") for p in PADDINGS[1:]})
    return case


def _calls(shape: tuple[int, ...]) -> dict[str, dict[str, Callable[[], Any]]]:
    """What is timed, by product and border."""
    x = image(*shape)
    operators = {p: stack(*[Blur(gaussian_blur(s), p) for s in (1.0, 2.0, 2.5)]) for p in PADDINGS}
    return {
        "A": {p: partial(A, x) for p, A in operators.items()},
        "Aᵀ": {p: partial(A.A_adjoint, A(x)) for p, A in operators.items()},
    }


CASES = (paddings,)
