"""Clusters and operators that the tests of this folder share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from daskphys.distributed import DistributedContext
from daskphys.distributed.resident.residence import residence
from daskphys.physics import Blur, StackedPhysics, gaussian_blur, stack


@pytest.fixture(scope="module")
def threads() -> Iterator[DistributedContext]:
    """Three workers in this process."""
    with DistributedContext(n_workers=3) as ctx:
        yield ctx


@pytest.fixture(scope="module")
def processes() -> Iterator[DistributedContext]:
    """Two worker processes."""
    with DistributedContext(n_workers=2, processes=True) as ctx:
        yield ctx


@pytest.fixture(scope="session")
def image() -> np.ndarray:
    return np.random.default_rng(0).random((3, 61, 48), dtype=np.float32)


@pytest.fixture(scope="session")
def blurs() -> StackedPhysics:
    """Seven circular blurs: an odd number, so that the tree is not full."""
    return stack(*[Blur(gaussian_blur((0.5 + 0.3 * i, 1.0), angle=20 * i)) for i in range(7)])


@pytest.fixture(scope="session")
def mixed() -> StackedPhysics:
    """A ragged stack whose normal operators do not merge."""
    paddings = ("circular", "valid", "replicate", "reflect", "valid")
    return stack(*[Blur(gaussian_blur(0.6 + 0.2 * i), padding=p) for i, p in enumerate(paddings)])


@pytest.fixture(scope="session")
def left_of_solves() -> Callable[[DistributedContext], dict[str, Any]]:
    """A function: what the workers of a context keep of solves, by worker; those that keep nothing are not named."""

    def look(dask_worker: Any) -> Any:
        keys = [k for k in dask_worker.data if str(k).startswith(("measurements", "start-", "solve-"))]
        return len(residence(dask_worker).sessions), keys

    def left(ctx: DistributedContext) -> dict[str, Any]:
        return {w: found for w, found in ctx.client.run(look).items() if found != (0, [])}

    return left


@pytest.fixture(scope="session")
def nothing_stays(left_of_solves: Callable[..., dict[str, Any]]) -> Callable[[DistributedContext], None]:
    """A function: wait until the workers of a context keep nothing of solves."""

    def check(ctx: DistributedContext) -> None:
        deadline = time.monotonic() + 20
        while (left := left_of_solves(ctx)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not left

    return check
