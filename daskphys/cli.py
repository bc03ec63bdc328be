"""The command line: ``daskphys demo``, or ``python -m daskphys demo``."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from daskphys import demo
from daskphys.errors import DaskphysError, DaskphysWarning

#: What a shell reports for a command that Ctrl-C ended (128 + SIGINT).
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Parameters
    ----------
    argv
        The arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        0 where all is well; 1 where a result differs, or something could not be done; 130 after Ctrl-C.
        Wrong usage raises ``SystemExit(2)``, as argparse does.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show ᵀ shows a question mark
    parser = argparse.ArgumentParser(prog="daskphys", description="Stacked linear imaging operators on Dask.")
    parser.add_argument("--version", action="version", version=f"daskphys {version('daskphys')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_demo(commands)
    given = parser.parse_args(argv)
    try:
        failed = _run_demo(given)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (as in `| head`).  Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (DaskphysError, OSError) as error:
        failed = [" ".join(str(error).split())]
    for line in failed:
        print(f"daskphys demo: error: {line}", file=sys.stderr)
    return 1 if failed else 0


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
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
        type=_positive,
        default=usual.img_size,
        metavar="N",
        help="pixels of the shorter side (default: %(default)s)",
    )
    local = parser.add_argument_group("a cluster to start")
    local.add_argument("--workers", type=_positive, metavar="N", help="how many (default: one a core or GPU)")
    kind = local.add_mutually_exclusive_group()
    kind.add_argument("--processes", action="store_true", default=None, help="worker processes")
    kind.add_argument(
        "--threads", dest="processes", action="store_false", default=None, help="threads of this process"
    )
    there = parser.add_argument_group("or a cluster that is there").add_mutually_exclusive_group()
    there.add_argument("--scheduler", metavar="ADDRESS", help="address of its scheduler")
    there.add_argument("--scheduler-file", metavar="FILE", help="file that its scheduler wrote")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out",
        type=Path,
        default=usual.out,
        metavar="DIR",
        help="folder for the pictures (default: this one)",
    )
    output.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(parser=parser)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text!r}")
    return int(text)


def _run_demo(given: argparse.Namespace) -> list[str]:
    foreign = given.scheduler is not None or given.scheduler_file is not None
    if foreign and (given.workers is not None or given.processes is not None):
        given.parser.error(
            "--workers, --processes and --threads are for a cluster to start, not for one that is there"
        )
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


class Progress:
    """Paragraphs on stdout and, where stderr is a terminal, a bar of steps once the work has taken a while.

    Parameters
    ----------
    total
        How many steps there will be.
    terminal
        Where the bar is drawn; nothing is drawn where it is no terminal.
    quiet
        Whether nothing is printed at all.
    delay
        After how many seconds the bar appears.
    """

    def __init__(self, total: int, terminal: TextIO, quiet: bool = False, delay: float = 1.0) -> None:
        self._total, self._terminal, self._quiet = total, terminal, quiet
        self._begun = 0
        self._text = ""
        self._visible = False
        self._lock = threading.Lock()  # the timer draws from a thread of its own
        self._timer = threading.Timer(delay, self._appear)

    def __enter__(self) -> Self:
        if not self._quiet and self._terminal.isatty():
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._erase()
            self._visible = False

    def say(self, paragraph: str) -> None:
        """Print a paragraph; the bar makes room for it."""
        if not self._quiet:
            with self._lock:
                self._erase()
                print(paragraph, end="\n\n", flush=True)
                self._draw()

    def step(self, text: str) -> None:
        """The next step begins."""
        with self._lock:
            self._begun += 1
            self._text = text
            self._draw()

    def _appear(self) -> None:
        with self._lock:
            self._visible = not self._timer.finished.is_set()
            self._draw()

    def _draw(self) -> None:
        if self._visible:
            bar = ("#" * (20 * (self._begun - 1) // self._total)).ljust(20)
            print(f"\r\x1b[K[{bar}] {self._text}", end="", file=self._terminal, flush=True)

    def _erase(self) -> None:
        if self._visible:
            print("\r\x1b[K", end="", file=self._terminal, flush=True)
