"""Clusters and operators that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from daskphys.distributed import DistributedContext
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
