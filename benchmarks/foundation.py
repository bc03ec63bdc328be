"""What the foundation of the library costs, each part against something real.

``python -m benchmarks.foundation`` writes a table and a JSON file; `README.md` says what each case shows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import clusters, plain
from benchmarks.timing import Bench, Case, environment, load
from daskphys.distributed import DistributedContext

RESULTS = Path(__file__).parent / "results" / "foundation.json"

CASES = (
    plain.merged_normal,
    plain.plain_products,
    clusters.distributed_products,
    clusters.fan_in,
    plain.import_time,
    clusters.wire_bytes,
    plain.inverse_pair,
    clusters.allocator,
    clusters.task_size,
)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.foundation", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help="the JSON file; the table goes beside it")
    parser.add_argument(
        "--quick", action="store_true", help="a look in less than 40 s: few rounds, fewer sizes"
    )
    options = parser.parse_args(argv)
    found = environment(options.quick)
    print(_head(found))
    cases: list[Case] = []
    with (
        DistributedContext(n_workers=2) as threads,
        DistributedContext(n_workers=2, processes=True) as processes,
    ):
        bench = Bench(threads, processes, options.quick)
        for measure in CASES:
            cases.append(measure(bench))
            print(cases[-1].text(), flush=True)
    found["load at end"] = load()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table = "\n".join([_head(found), *(c.text() for c in cases)])
    options.out.with_suffix(".txt").write_text(table, encoding="utf-8")
    report = {"environment": found, "cases": [c.json() for c in cases]}
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _head(environment: dict[str, object]) -> str:
    return "".join(f"{k}: {v}\n" for k, v in environment.items())


if __name__ == "__main__":
    main()
