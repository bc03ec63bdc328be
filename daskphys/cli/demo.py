"""``daskphys demo``: three blurs of a photograph on a cluster, compared with the plain operator."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daskphys import demo
from daskphys.cli import clusters
from daskphys.cli.arguments import positive
from daskphys.cli.progress import Progress
from daskphys.errors import DaskphysWarning


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "demo",
        parents=[common],
        allow_abbrev=False,
        help="three blurs of a photograph on Dask workers, compared with the plain operator",
        description="Blur a photograph three ways on Dask workers, apply the adjoint and AᵀA, compare each result "
        f"with the plain operator's, and write {demo.FORWARD} and {demo.ADJOINT}.",
        epilog="Exit code: 0 where all is equal, 1 where something differs or fails, 2 for wrong usage.",
    )
    usual = demo.Options()
    image = parser.add_argument_group("what to blur")
    image.add_argument(
        "--image",
        default=usual.image,
        metavar="FILE|NAME",
        help="image file, or example (default: %(default)s)",
    )
    image.add_argument(
        "--img-size",
        type=positive,
        default=usual.img_size,
        metavar="N",
        help="pixels of the shorter side (default: %(default)s)",
    )
    clusters.add(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out",
        type=Path,
        default=usual.out,
        metavar="DIR",
        help="folder for the pictures (default: this one)",
    )
    output.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(run=run, parser=parser)


def run(given: argparse.Namespace) -> list[str]:
    """Run the command; returns what went wrong."""
    clusters.check(given)
    options = demo.Options(
        image=given.image,
        img_size=given.img_size,
        workers=given.workers,
        processes=given.processes,
        scheduler=given.scheduler,
        scheduler_file=given.scheduler_file,
        out=given.out,
    )
    with warnings.catch_warnings(), Progress(demo.STEPS, sys.stderr, quiet=given.quiet) as progress:
        if given.quiet:
            warnings.simplefilter("ignore", DaskphysWarning)
        with _silent_interrupt():
            return demo.run(options, progress.say, progress.step)


@contextlib.contextmanager
def _silent_interrupt() -> Iterator[None]:
    """Keep asyncio from complaining of each task that Dask's client drops when Ctrl-C ends a call."""
    log = logging.getLogger("asyncio")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    except KeyboardInterrupt:
        level = logging.CRITICAL  # for good: dropped tasks are found as late as the interpreter's end
        raise
    finally:
        log.setLevel(level)
