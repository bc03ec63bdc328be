"""Which cluster a command runs on."""

from __future__ import annotations

import argparse

from daskphys.cli.arguments import positive
from daskphys.distributed import DistributedContext
from daskphys.physics.blockdiagonal import BlockDiagonal
from daskphys.physics.parts import Joined
from daskphys.physics.stacked import Stacked

#: The operators that have sensors, which go to workers.
WITH_SENSORS = Stacked | Joined | BlockDiagonal


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of a cluster to start, or of one that is there."""
    local = parser.add_argument_group("a cluster to start")
    local.add_argument("--workers", type=positive, metavar="N", help="how many (default: one a core or GPU)")
    kind = local.add_mutually_exclusive_group()
    kind.add_argument("--processes", action="store_true", default=None, help="worker processes")
    kind.add_argument(
        "--threads", dest="processes", action="store_false", default=None, help="threads of this process"
    )
    there = parser.add_argument_group("or a cluster that is there").add_mutually_exclusive_group()
    there.add_argument("--scheduler", metavar="ADDRESS", help="address of its scheduler")
    there.add_argument("--scheduler-file", metavar="FILE", help="file that its scheduler wrote")


def check(given: argparse.Namespace) -> None:
    """Refuse options of both."""
    foreign = given.scheduler is not None or given.scheduler_file is not None
    if foreign and (given.workers is not None or given.processes is not None):
        given.parser.error(
            "--workers, --processes and --threads are for a cluster to start, not for one that is there"
        )


def context(given: argparse.Namespace) -> DistributedContext:
    """The cluster that was asked for."""
    check(given)
    return DistributedContext(
        address=given.scheduler,
        scheduler_file=given.scheduler_file,
        n_workers=given.workers,
        processes=given.processes,
        progress=False,  # commands draw their own, where there is a terminal
    )
