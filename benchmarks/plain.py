"""Benchmarks of what runs without a cluster: products, the inverse FFT, the import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import scipy.fft

from benchmarks.timing import CORES, TIMES, Bench, Case, blurs, image, interleaved, times_text
from daskphys import backend
from daskphys.physics.stack import StackedPhysics


def merged_normal(bench: Bench) -> Case:
    case = Case("1", f"AᵀA merged, against A then Aᵀ and a bare FFT pair, 512²×3 float32 ({TIMES})")
    x = image(3, 512, 512)
    for n in (1, 3, 8) if bench.quick else (1, 3, 8, 32, 128):
        A = blurs(n)
        separate = A.A_adjoint(A(x))
        assert np.linalg.norm(A.A_adjoint_A(x) - separate) < 1e-6 * np.linalg.norm(separate)
        times = bench.time(
            {
                "merged": lambda A=A: A.A_adjoint_A(x),
                "separate": lambda A=A: A.A_adjoint(A(x)),
                "pair": lambda: scipy_pair(x),
            }
        )
        case.rows.append(
            {
                "N": n,
                "merged": times.ms("merged"),
                "A then Aᵀ": times.ms("separate"),
                "bare pair": times.ms("pair"),
                "A then Aᵀ ÷ merged": times.ratio("separate", "merged"),
                "merged ÷ pair": times.ratio("merged", "pair"),
            }
        )
    return case


def scipy_pair(x: np.ndarray) -> np.ndarray:
    """One real FFT and back, as SciPy has it."""
    return scipy.fft.irfft2(scipy.fft.rfft2(x, workers=CORES), s=x.shape[-2:], workers=CORES)


class ByHand:
    """N circular blurs in NumPy and SciPy as one writes them first: a forward and a back FFT for each."""

    def __init__(self, A: StackedPhysics, sizes: tuple[int, ...]) -> None:
        self.sizes = sizes
        self.spectra = [self._spectrum(np.asarray(s.filter)) for s in A]
        self.conjugates = [np.conj(h) for h in self.spectra]

    def _spectrum(self, kernel: np.ndarray) -> np.ndarray:
        placed = np.zeros(self.sizes)
        placed[: kernel.shape[0], : kernel.shape[1]] = kernel
        centred = np.roll(placed, [-(n // 2) for n in kernel.shape], axis=(0, 1))
        return scipy.fft.rfft2(centred).astype(np.complex64)

    def _filter(self, x: np.ndarray, h: np.ndarray, workers: int) -> np.ndarray:
        return scipy.fft.irfft2(scipy.fft.rfft2(x, workers=workers) * h, s=self.sizes, workers=workers)

    def forward(self, x: np.ndarray, workers: int) -> list[np.ndarray]:
        return [self._filter(x, h, workers) for h in self.spectra]

    def adjoint(self, y: Sequence[np.ndarray], workers: int) -> np.ndarray:
        total = self._filter(y[0], self.conjugates[0], workers)
        for own, h in zip(y[1:], self.conjugates[1:], strict=True):
            total += self._filter(own, h, workers)
        return total


def plain_products(bench: Bench) -> Case:
    case = Case("2", f"A and Aᵀ plain, against 2N transforms by hand ({TIMES})")
    for n, shape in ((3, (3, 767, 512)),) if bench.quick else ((3, (3, 767, 512)), (8, (1024, 1024))):
        A, x = blurs(n), image(*shape)
        hand, y = ByHand(A, shape[-2:]), A(x)
        assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(y, hand.forward(x, CORES), strict=True))
        assert np.allclose(A.A_adjoint(y), hand.adjoint(y, CORES), atol=1e-4)
        for name, ours, theirs in (
            ("A", lambda A=A, x=x: A(x), lambda w, hand=hand, x=x: hand.forward(x, w)),
            ("Aᵀ", lambda A=A, y=y: A.A_adjoint(y), lambda w, hand=hand, y=y: hand.adjoint(y, w)),
        ):
            times = bench.time(
                {
                    "ours": ours,
                    "hand": lambda theirs=theirs: theirs(CORES),
                    "one": lambda theirs=theirs: theirs(1),
                },
                seconds=8,
            )
            case.rows.append(
                {
                    "product": f"{name}, N={n}, {times_text(shape)}",
                    "daskphys": times.ms("ours"),
                    "by hand": times.ms("hand"),
                    "by hand, workers=1": times.ms("one"),
                    "by hand ÷ daskphys": times.ratio("hand", "ours"),
                    "workers=1 ÷ daskphys": times.ratio("one", "ours"),
                }
            )
    case.notes.append(f"'by hand' gives SciPy workers={CORES}, as the library does; SciPy's default is 1")
    return case


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
