"""Operators, clusters, and a scheduler that fails a test which computes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import dask
import numpy as np
import pytest

from daskphys.distributed import DistributedContext
from daskphys.physics import Blur, stack

#: The image that the tests send through the doors.
SHAPE = (4, 3, 12, 10)


def _kernel(*shape: int, seed: int) -> np.ndarray:
    """A kernel without any symmetry, whose blur is well away from singular."""
    made = np.random.default_rng(seed).uniform(-1, 1, shape) / np.prod(shape[-2:])
    made[(..., *(n // 2 for n in shape[-2:]))] += 1.0
    return made


_K = [_kernel(*shape, seed=i) for i, shape in enumerate([(3, 4), (5, 5), (2, 3)])]

#: A plain operator of each kind.
OPERATORS: dict[str, Any] = {
    "blur": Blur(_K[0]),
    "valid blur": Blur(_K[1], "valid"),
    "circular": stack(*map(Blur, _K)),
    "ragged": stack(*(Blur(k, "valid") for k in _K)),
    "mixed": stack(Blur(_K[0], "reflect"), Blur(_K[1], "valid"), Blur(_K[2])),
    "channels": stack(Blur(_K[0]), Blur(_kernel(3, 3, 3, seed=7), "replicate")),
}

#: The operators whose AᴴA is one merged value.
MERGING = ("blur", "circular")


@pytest.fixture(params=list(OPERATORS))
def operator(request: pytest.FixtureRequest) -> Any:
    return OPERATORS[request.param]


@pytest.fixture(params=["circular", "ragged", "mixed", "channels"])
def stacked(request: pytest.FixtureRequest) -> Any:
    return OPERATORS[request.param]


@pytest.fixture(params=["circular", "mixed"])
def either(request: pytest.FixtureRequest) -> Any:
    """A stack whose AᴴA merges, and one whose does not."""
    return OPERATORS[request.param]


@pytest.fixture(params=MERGING)
def merging(request: pytest.FixtureRequest) -> Any:
    return OPERATORS[request.param]


@pytest.fixture
def circular() -> Any:
    return OPERATORS["circular"]


@pytest.fixture
def mixed() -> Any:
    return OPERATORS["mixed"]


@pytest.fixture
def blur() -> Blur:
    return OPERATORS["blur"]


@pytest.fixture(scope="session")
def image() -> np.ndarray:
    return np.random.default_rng(0).random(SHAPE, dtype=np.float32)


@pytest.fixture(scope="module")
def threads() -> Iterator[DistributedContext]:
    """Two workers in this process."""
    with DistributedContext(n_workers=2) as ctx:
        yield ctx


@pytest.fixture(scope="module")
def processes() -> Iterator[DistributedContext]:
    """Two worker processes."""
    with DistributedContext(n_workers=2, processes=True) as ctx:
        yield ctx


@pytest.fixture
def never_computes() -> Callable[..., Any]:
    """``with never_computes():`` fails what computes inside it; with contexts given, also what reaches their
    schedulers."""

    def get(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("Dask computes here")

    def known(ctx: DistributedContext) -> set[Any]:
        found: set[Any] = ctx.client.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.tasks))
        return found

    @contextlib.contextmanager
    def watch(*contexts: DistributedContext) -> Iterator[None]:
        before = [known(ctx) for ctx in contexts]
        with dask.config.set(scheduler=get):
            yield
        assert [known(ctx) - tasks for ctx, tasks in zip(contexts, before, strict=True)] == [set()] * len(
            before
        )

    return watch
