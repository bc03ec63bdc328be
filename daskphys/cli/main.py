"""The command line's own file: arguments in, an exit code out."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version

from daskphys.cli import apply, demo, info, plan
from daskphys.errors import DaskphysError, nearest

#: What a shell reports for a command that Ctrl-C ended (128 + SIGINT).
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        0 where all is well; 1 where a result differs, a plan does not fit, or something could not be done; 130 after
        Ctrl-C.

    Raises
    ------
    SystemExit
        With 2, for wrong usage, as argparse does.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show ᵀ shows a question mark
    given, unknown = _parser().parse_known_args(argv)
    if unknown:
        given.parser.error(_unrecognized(unknown, given.parser.format_help()))
    try:
        failed = given.run(given)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (as in `| head`).  Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (DaskphysError, OSError) as error:
        if given.debug:
            raise
        failed = [" ".join(str(error).split())]
    for line in failed:
        print(f"{given.parser.prog}: error: {line}", file=sys.stderr)
    return 1 if failed else 0


def _unrecognized(unknown: list[str], help_text: str) -> str:
    """As argparse says it, with the nearest option of those that the help tells of."""
    options = sorted(set(re.findall(r"--[a-z][a-z-]*", help_text)))
    text = f"unrecognized arguments: {' '.join(unknown)}"
    first = next((argument for argument in unknown if argument.startswith("--")), None)
    return text if first is None else f"{text}: {nearest(first.partition('=')[0], options)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="daskphys",
        description="Stacked linear imaging operators on Dask.",
        allow_abbrev=False,  # --over is not --overwrite
        epilog="Exit codes: 0 all is well, 1 something differs, does not fit or failed, 2 wrong usage, 130 Ctrl-C.",
    )
    parser.add_argument("--version", action="version", version=f"daskphys {version('daskphys')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show where in the code an error came from")
    for command in (demo, info, plan, apply):
        command.add(commands, common)
    return parser
