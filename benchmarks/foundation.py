"""What the foundation of the library costs, each part against something real (`README.md` says what each shows)."""

from __future__ import annotations

from benchmarks import clusters, plain

CASES = (
    clusters.fan_in,
    plain.import_time,
    clusters.wire_bytes,
    plain.inverse_pair,
    clusters.allocator,
)
