"""``daskphys apply``: an operator of a file to an image of a file, the result to a store."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from daskphys import doors
from daskphys.backend import FLOATS
from daskphys.cli import clusters
from daskphys.cli.arguments import dtype, positive, say_json, store
from daskphys.cli.files import read, write
from daskphys.distributed import distribute
from daskphys.errors import DtypeError, NotClosedFormError, ShapeError, StoreExistsError
from daskphys.physics import Measurements
from daskphys.physics.stacked import Stacked
from daskphys.storage import open_physics
from daskphys.storage.replacing import check_place

OPERATIONS = {"forward": "A x", "adjoint": "Aᴴ y", "normal": "AᴴA x", "pinv": "A⁺ y, least squares"}


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "apply",
        parents=[common],
        allow_abbrev=False,
        help="apply an operator of a file to an image or to measurements, and write the result",
        description="Apply an operator to an image (forward, normal) or to measurements (adjoint, pinv), and write the "
        "result as a Zarr store, which appears whole or not at all.",
        epilog="Images: an example's name, a picture, .npy, or a Zarr array.  Measurements: a store that this command or "
        "y.to_zarr wrote, .npy, or a Zarr array.  Exit code: 0 all is well, 1 it failed, 2 wrong usage.",
    )
    parser.add_argument("operator", metavar="OPERATOR", help="a store that A.to_zarr wrote")
    parser.add_argument("input", metavar="INPUT", help="the image, or the measurements")
    parser.add_argument("output", metavar="OUTPUT", type=store, help="the store to write")
    parser.add_argument(
        "--op",
        choices=OPERATIONS,
        default="forward",
        help="; ".join(f"{name}: {what}" for name, what in OPERATIONS.items()) + " (default: %(default)s)",
    )
    parser.add_argument("--dtype", type=dtype, help="cast the input first, as in float32 or complex64")
    parser.add_argument("--img-size", type=positive, metavar="N", help="pixels of a picture's shorter side")
    parser.add_argument("--grayscale", action="store_true", help="one channel of a picture")
    parser.add_argument("--seed", type=int, help="of the noise of forward, where the operator has noise")
    parser.add_argument(
        "--max-iter", type=positive, metavar="N", help="iterations of pinv, where it iterates"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an output that daskphys wrote")
    clusters.add(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(run=run, parser=parser)


def run(given: argparse.Namespace) -> list[str]:
    """Run the command; returns what went wrong."""
    _check_options(given)
    _check_output(given)
    A = open_physics(given.operator, lazy=True)
    value = read(given)
    _check(A, value, given)
    if given.dtype is not None:
        value = (
            value.map(lambda a: a.astype(given.dtype))
            if isinstance(value, Measurements)
            else value.astype(given.dtype)
        )
    with contextlib.ExitStack() as stack:
        if isinstance(A, clusters.WITH_SENSORS):
            ctx = stack.enter_context(clusters.context(given))
            A = distribute(A, ctx)
            if sys.stderr.isatty() and not given.quiet:
                stack.enter_context(ctx.progress())
        began = time.perf_counter()
        result = _applied(A, value, given)
        write(result, given.output, given.overwrite)
        seconds = time.perf_counter() - began
    shapes = getattr(result, "shapes", None) or [result.shape]
    if given.json:
        found = {
            "operator": repr(A),
            "op": given.op,
            "output": str(given.output),
            "shapes": shapes,
            "seconds": seconds,
        }
        say_json(found)
    elif not given.quiet:
        texts = ["×".join(map(str, shape)) for shape in dict.fromkeys(map(tuple, shapes))]
        print(
            f"{OPERATIONS[given.op]} by {A!r} in {seconds:.2f} s\nwrote {given.output}: {len(shapes)} of {', '.join(texts)}"
        )
    return []


def _check_options(given: argparse.Namespace) -> None:
    """Refuse what would be ignored."""
    clusters.check(given)
    for name, op in (("seed", "forward"), ("max_iter", "pinv")):
        if getattr(given, name) is not None and given.op != op:
            given.parser.error(f"--{name.replace('_', '-')} is for --op {op}, not for --op {given.op}")


def _check_output(given: argparse.Namespace) -> None:
    """Refuse a place that is taken before anything is computed, in words of the command line."""
    for name in ("operator", "input"):
        output, path = (
            Path(os.path.realpath(os.path.expanduser(p))) for p in (given.output, getattr(given, name))
        )
        within = path.is_dir() and path in output.parents
        if path.exists() and (output == path or output in path.parents or within):
            said = "lies in" if within else "is" if output == path else "holds"
            raise StoreExistsError(
                f"OUTPUT {given.output} {said} {name.upper()}, which would be replaced or changed by what is computed from it: "
                f"choose another name"
            )
    try:
        check_place(given.output.expanduser().absolute(), given.overwrite, "measurements")
    except StoreExistsError as error:
        text = (
            f"{given.output} is there already; give --overwrite, or choose another name"
            if error.replaceable
            else str(error).replace("so overwrite=True does", "so --overwrite does")
        )
        raise StoreExistsError(text, error.replaceable) from error


def _check(A: Any, value: Any, given: argparse.Namespace) -> None:
    """Refuse what the operator would, in words of the command line."""
    several = isinstance(value, Measurements)
    if isinstance(A, Stacked) and given.op in ("adjoint", "pinv") and not several:
        raise ShapeError(
            f"--op {given.op} expected INPUT to be measurements, as `apply --op forward` writes them, got one array of "
            f"shape {tuple(value.shape)}"
        )
    if isinstance(A, Stacked) and given.op in ("forward", "normal") and several:
        raise ShapeError(
            f"--op {given.op} expected INPUT to be an image, got measurements of {len(value)} sensors: --op adjoint and --op "
            f"pinv take them"
        )
    for array in value if several else [value]:
        if given.dtype and np.dtype(given.dtype).kind == "f" and np.dtype(array.dtype).kind == "c":
            raise DtypeError(
                f"INPUT holds {array.dtype}, and `--dtype {given.dtype}` would drop its imaginary part: give a complex dtype"
            )
        numbers = np.dtype(array.dtype).kind in "biufc"
        if not numbers or (given.dtype is None and np.dtype(array.dtype).name not in FLOATS):
            raise DtypeError(
                f"INPUT holds {array.dtype}, and operators take {', '.join(FLOATS)}: give `--dtype float32` (values are not "
                f"scaled)"
            )


def _applied(A: Any, value: Any, given: argparse.Namespace) -> Any:
    if given.op == "forward":
        return A(value) if given.seed is None else A(value, seed=given.seed)
    if given.op == "adjoint":
        return A.A_adjoint(value)
    if given.op == "normal":
        return A.A_adjoint_A(value)
    progress = sys.stderr.isatty() and not given.quiet
    try:
        return A.A_dagger(value, max_iter=given.max_iter, progress=progress)
    except NotClosedFormError:  # what iterates over workers wants numbers in memory
        if not doors.is_lazy(value[0] if isinstance(value, Measurements) else value):
            raise
    return A.A_dagger(value.compute(), max_iter=given.max_iter, progress=progress)
