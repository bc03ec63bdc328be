"""Benchmarks of families whose products are compute-bound, on one and on two workers of one thread each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from distributed import LocalCluster

from benchmarks.families import noncartesian, radio, tomography
from benchmarks.timing import TIMES, Bench, Case
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Interferometry, MultiCoilMRI, NonCartesianMRI


def on_workers(bench: Bench) -> Case:
    """Aᵀ A there and back, image in, image out: what workers send is one image each."""
    case = Case("on_workers", f"AᵀA on one and two processes of one thread, float32 and complex64 ({TIMES})")
    with contextlib.ExitStack() as stack:
        contexts = {}
        for n in (1, 2):
            cluster = LocalCluster(
                n_workers=n, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
            )
            contexts[n] = stack.enter_context(DistributedContext(cluster=stack.enter_context(cluster)))
        for label, A, x in _problems(bench.quick):
            calls = {}
            for n, ctx in contexts.items():
                D = distribute(A, ctx)
                assert np.array_equal(D.A_adjoint_A(x), A.A_adjoint_A(x))
                calls["one worker" if n == 1 else "two workers"] = partial(D.A_adjoint_A, x)
            times = bench.time(calls, seconds=15)
            case.timings[f"AᵀA by workers, {label}"] = times
            row: dict[str, Any] = {"problem": label} | {name: times.ms(name) for name in calls}
            case.rows.append(row | {"one ÷ two": times.ratio("one worker", "two workers")})
    return case


def _problems(quick: bool) -> Iterator[tuple[str, Any, np.ndarray]]:
    """An operator with a sensor axis and an image, by what they are."""
    A, x = tomography.problem(*((67, 30, 16) if quick else (255, 180, 16)))
    yield f"tomography, 16 slices of {A.image_shape[0]}², {len(A)} angles", A, x
    side, coils = (64, 4) if quick else (256, 32)
    k, maps, x = noncartesian.problem(side, coils)
    yield f"Cartesian MRI, {coils} coils of {side}²", MultiCoilMRI(maps, np.ones((side, side))), x
    yield f"non-Cartesian MRI, {coils} coils of {side}², Toeplitz", NonCartesianMRI(k, maps), x
    size, times = (128, 30) if quick else (512, 1500)
    uvw = radio.tracks(times)
    x = np.random.default_rng(0).random((size, size), dtype=np.float32)
    yield (
        f"radio with w, {len(uvw):,} visibilities of {size}²",
        Interferometry(uvw, radio.CELL, (size, size)),
        x,
    )


CASES = (on_workers,)
