"""Benchmarks of radio interferometry: ducc0 called by hand, and AᵀA as a convolution against there and back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.family_rivals import add_rows
from benchmarks.timing import CORES, TIMES, Bench, Case
from daskphys.physics import Interferometry
from daskphys.physics.radio import VLA_LONGITUDE, itrf_to_equatorial, uv_coverage, vla_positions
from daskphys.physics.radio.gridder import EPS, LIGHT, wgridder

#: Radians a pixel: 20 arc seconds, of which the VLA's longest baseline at 1.4 GHz needs two.
CELL = 9.6e-5


def radio_by_hand(bench: Bench) -> Case:
    """A and Aᵀ, with and without w, against ducc0 with all cores in one call: its sums are in another order."""
    case = Case("radio_by_hand", f"A and Aᵀ of visibilities, float32 ({TIMES})")
    for size, times in ((256, 300),) if bench.quick else ((256, 300), (512, 1500), (1024, 3000)):
        uvw = tracks(times)
        for wterm in (False, True):
            A = Interferometry(uvw, CELL, (size, size), wterm=wterm)
            x = np.random.default_rng(0).random((size, size), dtype=np.float32)
            y = A(x)
            products: dict[str, dict[str, Callable[[], Any]]] = {
                "A": {"daskphys": partial(A, x), "ducc0": partial(_forward, uvw, x, wterm)},
                "Aᵀ": {"daskphys": partial(A.A_adjoint, y), "ducc0": partial(_adjoint, uvw, y, size, wterm)},
            }
            label = f"{len(uvw):,} visibilities of {size}², {'with w' if wterm else 'w = 0'}"
            for product, calls in products.items():
                ours, theirs = (call() for call in calls.values())
                assert np.linalg.norm(ours - theirs) < 1e-4 * np.linalg.norm(ours)
                add_rows(case, label, product, bench.time(calls, seconds=4), "daskphys")
    case.notes.append(f"ducc0 has {CORES} threads in one call; ours has one a run of rows")
    return case


def radio_normal(bench: Bench) -> Case:
    """AᵀA merged into the convolution with the beam, against there and back by ducc0."""
    case = Case("radio_normal", f"AᵀA of visibilities with w = 0, float32 ({TIMES})")
    for size, times in ((256, 300),) if bench.quick else ((256, 300), (512, 1500), (1024, 3000)):
        uvw = tracks(times)
        A = Interferometry(uvw, CELL, (size, size), wterm=False)
        x = np.random.default_rng(0).random((size, size), dtype=np.float32)
        calls: dict[str, Callable[[], Any]] = {
            "merged": partial(A.A_adjoint_A, x),
            "there and back": lambda A=A, x=x: A.A_adjoint(A(x)),
            "ducc0": lambda u=uvw, x=x, n=size: _adjoint(u, _forward(u, x, False), n, False),
        }
        label = f"{len(uvw):,} visibilities of {size}²"
        add_rows(case, label, "AᵀA", bench.time(calls, seconds=4), "merged")
    return case


def tracks(times: int) -> np.ndarray:
    """(u, v, w) of the VLA in its D configuration, eight hours at 1.4 GHz."""
    hours = np.radians(15 * np.linspace(-4, 4, times))
    antennas = itrf_to_equatorial(vla_positions(), VLA_LONGITUDE)
    return uv_coverage(antennas, hours, declination=0.7, frequency=1.4e9)


def _fixed(uvw: np.ndarray, wterm: bool) -> dict[str, Any]:
    return {
        "uvw": np.ascontiguousarray(uvw[:, [1, 0, 2]]),
        "freq": np.array([LIGHT]),
        "pixsize_x": CELL,
        "pixsize_y": CELL,
        "epsilon": EPS["float32"],
        "do_wgridding": wterm,
        "nthreads": CORES,
        "flip_w": True,
        "divide_by_n": False,
    }


def _forward(uvw: np.ndarray, x: np.ndarray, wterm: bool) -> np.ndarray:
    seen: np.ndarray = wgridder().dirty2vis(dirty=x, **_fixed(uvw, wterm))[:, 0]
    return seen / np.float32(np.sqrt(x.size))


def _adjoint(uvw: np.ndarray, y: np.ndarray, size: int, wterm: bool) -> np.ndarray:
    made: np.ndarray = wgridder().vis2dirty(vis=y[:, None], npix_x=size, npix_y=size, **_fixed(uvw, wterm))
    return made / np.float32(size)


CASES = (radio_by_hand, radio_normal)
