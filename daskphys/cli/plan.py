"""``daskphys plan``: what a call will cost, before it runs."""

from __future__ import annotations

import argparse
from typing import Any

from daskphys.cli import clusters
from daskphys.cli.arguments import dtype, say_json, shape
from daskphys.distributed import distribute
from daskphys.errors import ParameterError
from daskphys.storage import open_physics

OPERATIONS = {"forward": "A", "adjoint": "A_adjoint", "normal": "A_adjoint_A"}


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "plan",
        parents=[common],
        allow_abbrev=False,
        help="what a call of an operator will cost, before it runs",
        description="Print where each block of sensors would go, and the tasks, FFTs, bytes, time and memory of a call.",
        epilog="Exit code: 0 where it fits, 1 where it does not fit into a worker's memory or fails, 2 for wrong usage.",
    )
    parser.add_argument(
        "operator", metavar="OPERATOR", help="a store that A.to_zarr wrote, of an operator with sensors"
    )
    parser.add_argument("shape", type=shape, metavar="SHAPE", help="the image's shape, as in 3,512,512")
    parser.add_argument(
        "--op", choices=OPERATIONS, default="forward", help="the call, as of apply (default: %(default)s)"
    )
    parser.add_argument("--dtype", type=dtype, default="float32", help="of the image (default: %(default)s)")
    clusters.add(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run, parser=parser)


def run(given: argparse.Namespace) -> list[str]:
    """Run the command; returns what went wrong."""
    A = open_physics(given.operator, lazy=True)
    if not isinstance(A, clusters.WITH_SENSORS):
        raise ParameterError(
            f"plan expected OPERATOR to have sensors, which go to workers, got {A!r}: apply runs it in its own process"
        )
    with clusters.context(given) as ctx:
        plan = distribute(A, ctx).plan(given.shape, OPERATIONS[given.op], dtype=given.dtype)
    if given.json:
        say_json(plan.to_dict())
    else:
        print(plan)
    return [] if plan.fits else ["it does not fit into the memory of the workers marked by !"]
