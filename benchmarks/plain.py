"""Benchmarks of what runs without a cluster: the inverse FFT, the import."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import scipy.fft

from benchmarks.timing import CORES, TIMES, Bench, Case, image, interleaved, times_text
from daskphys import backend


def import_time(bench: Bench) -> Case:
    case = Case("5", f"import in a fresh process ({TIMES})")
    ours, base = "import daskphys", "import dask.array, distributed"
    found = interleaved(
        {c: lambda c=c: run_fresh(c) for c in (ours, base, "pass")}, 0, 2 if bench.quick else 9, 1
    )
    for code in found.rounds:
        case.rows.append({"python -c": code, "process": found.ms(code), "÷ dask": found.ratio(code, base)})
    case.notes.append("whole processes: the start of Python is in all three")
    return case


def run_fresh(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def inverse_pair(bench: Bench) -> Case:
    case = Case("7", f"back to real: backend.irfftn against scipy.fft.irfft2, float32 ({TIMES})")
    for shape in ((512, 512), (767, 512), (2048, 2048), (3, 512, 512)):
        z = scipy.fft.rfft2(image(*shape))
        times = bench.time(
            {  # both get a fresh spectrum, which the first may overwrite
                "ours": lambda z=z, s=shape[-2:]: backend.irfftn(z * np.float32(1), s),
                "scipy": lambda z=z, s=shape[-2:]: scipy.fft.irfft2(z * np.float32(1), s=s, workers=CORES),
            },
            seconds=3,
            most=200,
        )
        row = {"size": times_text(shape), "irfftn": times.ms("ours"), "irfft2": times.ms("scipy")}
        case.rows.append(row | {"irfft2 ÷ irfftn": times.ratio("scipy", "ours")})
    case.notes.append(
        "both times hold one product that makes the spectrum, as in a filter; what is saved is a copy's"
    )
    case.notes.append("page faults, so a process whose allocator keeps its pages gains less than a fresh one")
    return case
