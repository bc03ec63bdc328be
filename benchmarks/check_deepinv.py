"""Whether operators made of deepinv's physics give deepinv's numbers, here and on workers, and physics made of operators too.

Run by an interpreter that has both: ``python -m benchmarks.check_deepinv`` (see `benchmarks/README.md`); with ``--out FILE``
the table is written too.  It returns 1 where a difference is more than rounding.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import environment
from daskphys.distributed import DistributedContext, distribute
from daskphys.interop.deepinv import from_deepinv, to_deepinv
from daskphys.physics import stack

#: Of the largest entry, in single precision.
MOST = 2e-6
COLUMNS = ("A", "Aᵀ", "AᵀA", "as it is: A", "Aᵀ", "threads", "processes", "dot test")


def tensors(value: Any) -> list[torch.Tensor]:
    return [value] if isinstance(value, torch.Tensor) else list(value)


def difference(one: Any, other: Any) -> float:
    """The largest difference of two measurements or images, of the largest entry of each tensor."""
    pairs = zip(tensors(one), tensors(other), strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def figures(family: Any, contexts: list[DistributedContext]) -> tuple[str, list[float]]:
    """What a family is here, and one figure a column."""
    physics, shape = family.make(), family.shape
    A = from_deepinv(physics, image_shape=shape)
    back = to_deepinv(A, complex_channels=family.complex_channels)
    same = to_deepinv(from_deepinv(physics, image_shape=shape, native=False))
    x = torch.randn(2, *shape)
    y = physics.A(x)
    image = physics.A_adjoint(y)
    found = [difference(back.A(x), y), difference(back.A_adjoint(y), image)]
    found += [difference(back.A_adjoint_A(x), image)]
    found += [difference(same.A(x), y), difference(same.A_adjoint(y), image)]
    two = stack(A, 2 * A)  # as many sensors as workers
    for ctx in contexts:
        on_workers = to_deepinv(distribute(two, ctx), complex_channels=family.complex_channels)
        there = tensors(on_workers.A(x))
        n = len(there) // 2
        gone = difference(there[:n], y)
        gone = max(gone, difference(on_workers.A_adjoint([*tensors(y), *tensors(y)]), 3 * image))
        found.append(max(gone, difference([t / 2 for t in there[n:]], y)))
    found.append(float(back.adjointness_test(x)))
    return type(A).__name__, found


def table(contexts: list[DistributedContext]) -> tuple[list[str], bool]:
    from benchmarks.deepinv_families import FAMILIES  # which draws its kernels when it is imported

    lines = [f"{'family':28}{'here':18}" + "".join(f"{name:>13}" for name in COLUMNS)]
    good = True
    for name, family in FAMILIES.items():
        ours, found = figures(family, contexts)
        within = max(found[:-1]) < MOST and found[-1] < 1e-4
        good &= within
        lines.append(
            f"{name:28}{ours:18}" + "".join(f"{f:13.1e}" for f in found) + ("" if within else "  ← too much")
        )
        print(lines[-1], flush=True)
    return lines, good


def head() -> list[str]:
    return [
        *(
            f"{name}: {text}"
            for name, text in environment(False).items()
            if name not in ("quick", "load at start")
        ),
        *(f"{name}: {version(name)}" for name in ("deepinv", "torch")),
        "",
        "Differences from deepinv's own results, of the largest entry, in single precision.  'here' is the operator that",
        "from_deepinv makes; A, Aᵀ, AᵀA are its products through to_deepinv; 'as it is' calls deepinv's own with native=False;",
        "threads and processes are stack(A, 2 A) on two workers, A and Aᵀ; the dot test is deepinv's adjointness_test.",
        "",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    print("\n".join(head()))
    with (
        DistributedContext(n_workers=2) as threads,
        DistributedContext(n_workers=2, processes=True) as processes,
    ):
        lines, good = table([threads, processes])
    closing = "all within rounding" if good else "some differ by more than rounding"
    print(closing)
    if out is not None:
        out.write_text("\n".join([*head(), *lines, "", closing, ""]), "utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="deepinv")
    sys.exit(main())
