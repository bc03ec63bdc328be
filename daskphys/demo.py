"""The demo of the command line: three blurs of a photograph on Dask workers, compared with the plain operator."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from daskphys import backend
from daskphys.datasets import load_example
from daskphys.distributed import DistributedContext, DistributedPhysics, distribute
from daskphys.errors import ParameterError
from daskphys.physics import Blur, Measurements, StackedPhysics, gaussian_blur, stack
from daskphys.plotting import plot

FORWARD = "distributed_physics_forward.png"
ADJOINT = "distributed_physics_adjoint.png"

#: How often `run` calls its `step`.
STEPS = 6
#: The tree sums images and the merged operator sums spectra: their float32 results agree to rounding alone.
TREE_TOLERANCE = 1e-6
RUNS = 5


@dataclass(frozen=True)
class Options:
    """What a user may choose; the names are those of the command line."""

    image: str = "grace_hopper"
    img_size: int = 512
    workers: int | None = None
    processes: bool | None = None
    scheduler: str | None = None
    scheduler_file: str | None = None
    out: Path = Path(".")


@dataclass(frozen=True)
class Comparison:
    """How far the distributed result of one product is from the plain one."""

    name: str
    shape: str
    mean: float
    max: float

    @property
    def equal(self) -> bool:
        """Whether there is no difference at all (NaN counts as one)."""
        return self.max == 0


def run(options: Options, say: Callable[[str], None], step: Callable[[str], None]) -> list[str]:
    """Run the demo; returns what differs between distributed and plain, one line each.

    Parameters
    ----------
    options
        What the user chose.
    say
        Called with each paragraph of the output.
    step
        Called `STEPS` times, with what is done next.
    """
    step("opening the cluster")
    with DistributedContext(
        address=options.scheduler,
        scheduler_file=options.scheduler_file,
        n_workers=options.workers,
        processes=options.processes,
        seed=42,
        progress=False,  # it draws its own
    ) as ctx:
        step("loading the photograph")
        # Where workers compute on GPUs, the plain operator does too: bits are the same on one kind of device.
        xp = "cupy" if ctx.device == "cuda" else "numpy"
        x = load_example(options.image, img_size=options.img_size, xp=xp)
        A = blurs()
        D = distribute(A, ctx)
        say(_table(_about(options.image, ctx, x, D)))

        step("comparing")
        y = D(x)
        _make(options.out)  # now that the image is known to be one that can be blurred
        found = [
            compare("A", y, A(x)),
            compare("Aᵀ", back := D.A_adjoint(y), A.A_adjoint(y)),
            compare("AᵀA", twice := D.A_adjoint_A(x), A.A_adjoint_A(x)),
        ]
        tree = relative_difference(D.A_adjoint_A(x, method="tree"), twice)
        say(_differences(found, tree))
        step("measuring norms")
        say(_table(_norms(D, x, back, twice)))
        step("taking times")
        say(_times(A, D, x, y))
        say(f"The last of these calls, in detail:\n{D.report()}")

    step("drawing")
    say("\n".join(f"wrote {path}" for path in draw(x, y, back, twice, options.out)))
    failed = [
        f"{c.name} differs between distributed and plain by up to {c.max:g}" for c in found if not c.equal
    ]
    if not tree <= TREE_TOLERANCE:
        failed.append(
            f"AᵀA by the tree differs from the merged one by {tree:.1e}, more than {TREE_TOLERANCE:g}"
        )
    if not failed:
        say("Distributed and plain results are equal.")
    return failed


def blurs() -> StackedPhysics:
    """Three sensors: a small blur, a wide one, and one that is wide along an oblique line."""
    kernels = (gaussian_blur(sigma=1.0), gaussian_blur(sigma=2.5), gaussian_blur(sigma=(1.5, 3.5), angle=30))
    operator: StackedPhysics = stack(*[Blur(filter=kernel, padding="circular") for kernel in kernels])
    return operator


def compare(name: str, found: Any, expected: Any) -> Comparison:
    """Mean and largest absolute difference of two images, or of two lists of measurements."""
    a, b = _arrays(found), _arrays(expected)
    if [(p.shape, p.dtype) for p in a] != [(q.shape, q.dtype) for q in b]:
        return Comparison(name, _shape(found), np.inf, np.inf)
    with np.errstate(invalid="ignore"):  # inf - inf is a NaN, and counts as a difference
        gaps = np.concatenate([np.abs(p - q).ravel() for p, q in zip(a, b, strict=True)])
    return Comparison(name, _shape(found), float(gaps.mean(dtype=np.float64)), float(gaps.max()))


def relative_difference(found: Any, expected: Any) -> float:
    """‖found − expected‖ / ‖expected‖; 0 for two black images."""
    gap, size = backend.norm(found - expected), backend.norm(expected)
    return gap / size if size else np.inf if gap else 0.0


def draw(x: Any, y: Measurements, back: Any, twice: Any, out: Path) -> tuple[Path, Path]:
    """Write the two pictures; returns their paths."""
    forward, adjoint = out / FORWARD, out / ADJOINT
    seen = [f"Measurement {i}" for i in range(1, len(y) + 1)]
    plot([x, *y], titles=["Original", *seen], save_fn=forward, figsize=(15, 4))
    titles = ["Original", "$A^T y$", "$A^T A x$"]
    plot([x, _unit(back), _unit(twice)], titles=titles, save_fn=adjoint, figsize=(12, 4))
    return forward, adjoint


def _unit(image: Any) -> Any:
    """`image` scaled to [0, 1] by its least and largest value: sums of three blurs are brighter than 1."""
    low, high = image.min(), image.max()
    return (image - low) / (high - low) if high > low else image - low


def _about(image: str, ctx: DistributedContext, x: Any, D: DistributedPhysics) -> list[tuple[str, str]]:
    address = ctx.client.scheduler.address
    where = "threads of this process" if address.startswith("inproc:") else f"processes, scheduler {address}"
    threads = " + ".join(str(w.threads) for w in ctx.workers().values())
    libraries = [f"{name} {version(name)}" for name in ("daskphys", "numpy", "scipy", "dask", "distributed")]
    return [
        ("dashboard", ctx.dashboard_link or "none: the scheduler has none"),
        ("versions", ", ".join([*libraries, f"Python {platform.python_version()}"])),
        ("workers", f"{ctx.world_size} ({where}) with {threads} threads, on {ctx.device}"),
        *(("fallback", note) for note in ctx.fallbacks),
        ("image", f"{image}, {_shape(x)} {x.dtype}"),
        *((f"sensor {index}", repr(sensor)) for index, sensor in enumerate(D)),
        *((f"on worker {worker}", f"sensors {_listed(held)}") for worker, held in D.placement.items()),
    ]


def _differences(found: Sequence[Comparison], tree: float) -> str:
    rows = [(c.name, f"mean {c.mean:g}, max {c.max:g}, of {c.shape}") for c in found]
    rows.append(
        ("AᵀA", f"by the tree instead of merged: {tree:.1e} relative (rounding; at most {TREE_TOLERANCE:g})")
    )
    return f"Distributed minus plain, absolute:\n{_table(rows)}"


def _norms(D: DistributedPhysics, x: Any, back: Any, twice: Any) -> list[tuple[str, str]]:
    return [
        ("‖x‖", f"{backend.norm(x):.4f}"),
        ("‖Aᵀy‖", f"{backend.norm(back):.4f}"),
        ("‖AᵀAx‖", f"{backend.norm(twice):.4f}"),
        ("‖A‖", f"{D.compute_norm(x):.6f} (largest singular value of the whole stack)"),
    ]


def _times(A: StackedPhysics, D: DistributedPhysics, x: Any, y: Measurements) -> str:
    pairs = {
        "A": (lambda: A(x), lambda: D(x)),
        "Aᵀ": (lambda: A.A_adjoint(y), lambda: D.A_adjoint(y)),
        "AᵀA merged": (lambda: A.A_adjoint_A(x), lambda: D.A_adjoint_A(x)),
        "AᵀA by sensors": (lambda: A.A_adjoint(A(x)), lambda: D.A_adjoint_A(x, method="tree")),
    }
    rows = [
        (name, f"plain {median_ms(plain):7.1f} ms   distributed {median_ms(distributed):7.1f} ms")
        for name, (plain, distributed) in pairs.items()
    ]
    return (
        f"Median of {RUNS} calls after a first one that makes the spectra.  Distributed includes the way of the\n"
        f"image to the workers and of the results back; merged AᵀA needs no worker once it is set up.\n{_table(rows)}"
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(
            f"--out expected a folder that can be made, got {str(folder)!r}: {error}"
        ) from error


def median_ms(call: Callable[[], Any]) -> float:
    """The median wall time of `call` in milliseconds, over `RUNS` calls after one that is not counted."""
    seconds = []
    for _ in range(RUNS + 1):
        begin = time.perf_counter()
        for array in _pieces(call()):
            array.ravel()[-1].item()  # waits for a GPU, whose calls return before they are done
        seconds.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(seconds[1:])


def _pieces(result: Any) -> list[Any]:
    return list(result) if isinstance(result, Measurements) else [result]


def _arrays(result: Any) -> list[np.ndarray]:
    return [backend.to_numpy(array) for array in _pieces(result)]


def _shape(result: Any) -> str:
    shapes = ["×".join(map(str, array.shape)) for array in _pieces(result)]
    return (
        f"{len(shapes)} × ({shapes[0]})" if len(shapes) > 1 and len(set(shapes)) == 1 else ", ".join(shapes)
    )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _table(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)
