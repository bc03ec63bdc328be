"""``python -m benchmarks``: measure, print a table, keep it with its JSON, and draw the picture.

`README.md` says what each case shows and how the environments of the peers are made.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import (
    cluster_comparison,
    comparison,
    dashboard,
    engine,
    figure,
    foundation,
    graphs,
    operators,
    outofcore,
    products,
    runner,
)
from benchmarks.peers.launch import DEEPINV, FAMILIES, Peers
from benchmarks.timing import Bench

RESULTS = Path(__file__).parent / "results"

#: The groups in the order in which they run; a module of cases is one line.  Each has a table and a JSON file.
GROUPS: dict[str, Sequence[runner.Measure]] = {
    "peers": (*comparison.CASES, *cluster_comparison.CASES),
    "foundation": foundation.CASES,
    "products": products.CASES,
    "graphs": graphs.CASES,
    "engine": engine.CASES,
    "dashboard": dashboard.CASES,
    "outofcore": outofcore.CASES,
    "operators": operators.CASES,
}

#: The group whose rounds the targets and the picture are made of.
HEADLINE = "peers"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 where a case failed, 2 where there is no such case."""
    names = [case.__name__ for cases in GROUPS.values() for case in cases]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, epilog=f"cases: {', '.join(names)}"
    )
    parser.add_argument("groups", nargs="*", metavar="group", help=f"of {', '.join(GROUPS)}; all by default")
    parser.add_argument("--only", action="append", metavar="case", help="this case alone; may be repeated")
    parser.add_argument(
        "--quick", action="store_true", help="a look: few rounds, for a twentieth of the time"
    )
    parser.add_argument(
        "--out", type=Path, help="the folder to write to; a part or a look goes to a new one by default"
    )
    for peers in (DEEPINV, FAMILIES):
        parser.add_argument(
            peers.option,
            metavar="python",
            default=os.environ.get(peers.variable),
            help=f"the interpreter that has {peers.name} (or {peers.variable})",
        )
    options = parser.parse_args(argv)
    unknown = set(options.groups) - set(GROUPS) | set(options.only or ()) - set(names)
    if unknown:
        parser.error(
            f"there is no {', '.join(sorted(unknown))}: groups {', '.join(GROUPS)}; cases {', '.join(names)}"
        )
    chosen = _chosen(options.groups or list(GROUPS), options.only)
    part = options.quick or options.only
    folder = options.out or (Path(tempfile.mkdtemp(prefix="benchmarks-")) if part else RESULTS)
    bench = Bench(options.quick, Peers(options.deepinv), Peers(options.peers, FAMILIES))
    reports, made = runner.run(chosen, bench, folder, HEADLINE)
    if HEADLINE in reports:
        figure.draw(reports[HEADLINE].timings, made, folder / HEADLINE)
    print(f"written to {folder}")
    failed = [name for report in reports.values() for name in report.failed]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _chosen(groups: Sequence[str], only: Sequence[str] | None) -> Mapping[str, Sequence[runner.Measure]]:
    """The cases to run, by group."""
    chosen = {g: [c for c in GROUPS[g] if only is None or c.__name__ in only] for g in groups}
    return {group: cases for group, cases in chosen.items() if cases}


if __name__ == "__main__":
    sys.exit(main())
