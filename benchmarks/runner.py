"""Running cases one after another: what has been measured is on disk before the next one begins."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import targets
from benchmarks.timing import Bench, Case, Timings, environment, load

Measure = Callable[[Bench], Case]


class Report:
    """The cases of one group, kept as a table and as JSON."""

    def __init__(self, group: str, folder: Path, environment: Mapping[str, Any]) -> None:
        self.group, self.folder = group, folder
        self.environment = dict(environment)
        self.cases: list[Case] = []
        self.failed: list[str] = []

    @property
    def timings(self) -> dict[str, Timings]:
        """All rounds that the cases have kept."""
        return {key: found for case in self.cases for key, found in case.timings.items()}

    def measure(self, name: str, measure: Measure, bench: Bench) -> Case:
        """Run one case; one that fails is a case that says so."""
        begin = time.perf_counter()
        try:
            case = measure(bench)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.failed.append(name)
            case = Case(name, "failed", notes=[f"failed: {type(error).__name__}: {error}"])
        case.notes.append(f"took {time.perf_counter() - begin:.0f} s")
        self.cases.append(case)
        self.environment |= {"load at end": load()} | bench.peers.versions | bench.family_peers.versions
        self.write([])
        return case

    def write(self, closing: Sequence[Case]) -> None:
        """The table and the JSON file, `closing` cases at the end."""
        cases = [*self.cases, *closing]
        text = "\n".join([head(self.environment), *(case.text() for case in cases)])
        (self.folder / f"{self.group}.txt").write_text(text, encoding="utf-8")
        report = {"environment": self.environment, "cases": [case.json() for case in cases]}
        written = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        (self.folder / f"{self.group}.json").write_text(written, encoding="utf-8")


def run(
    groups: Mapping[str, Sequence[Measure]], bench: Bench, folder: Path, group_of_targets: str
) -> tuple[dict[str, Report], list[targets.Target]]:
    """Measure all cases, print each as it comes, and work out the targets."""
    folder.mkdir(parents=True, exist_ok=True)
    found = environment(bench.quick)
    print(head(found))
    reports: dict[str, Report] = {}
    made: list[targets.Target] = []
    try:
        for group, measures in groups.items():
            report = reports[group] = Report(group, folder, found)
            for measure in measures:
                print(report.measure(measure.__name__, measure, bench).text(), flush=True)
            if group == group_of_targets:
                made = targets.targets(report.timings)
                closing = targets.table(made)
                report.write([closing])
                print(closing.text(), flush=True)
    finally:
        bench.close()
    return reports, made


def head(environment: Mapping[str, Any]) -> str:
    """What the figures depend on, a line each."""
    return "".join(f"{k}: {v}\n" for k, v in environment.items())
