"""How products are computed on a cluster: the whole stack decides, and every block is told."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from daskphys import backend
from daskphys.distributed import DistributedContext, distribute
from daskphys.physics import Blur, StackedPhysics, stack


def sensor(index: int) -> Blur:
    """Kernels of unlike sizes: a block alone would choose another FFT size, or none."""
    side = (3, 9, 2, 7, 5)[index]
    return Blur(np.random.default_rng(index).standard_normal((side, side)) / side**2)


def small(index: int) -> Blur:
    """Small kernels, so that the stack is convolved directly; the third alone would cost an FFT."""
    side = (2, 2, 4, 2, 2)[index]
    return Blur(np.random.default_rng(index).standard_normal((side, side)))


CASES = {
    "FFT of 144×135, wrapped": (sensor, (2, 131, 127)),
    "direct, 32 multiply-adds a sample": (small, (2, 181, 191)),
}


@pytest.mark.parametrize("method", CASES)
@pytest.mark.parametrize("chunks", [1, 2, 5])
@pytest.mark.parametrize("by", ["stack", "factory"])
def test_bits_do_not_depend_on_chunks(
    processes: DistributedContext, method: str, chunks: int, by: str
) -> None:
    make, shape = CASES[method]
    A: StackedPhysics = stack(*map(make, range(5)))
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    y = A(x)
    assert A._method(shape) == method
    D = distribute(A if by == "stack" else make, processes, chunks=chunks, num_operators=5)
    assert [a.tobytes() for a in D(x)] == [a.tobytes() for a in y]
    assert D.report().algorithm == method
    assert f"method{' ' * 2}" in " ".join(str(D.report()).split("\n")) or method in str(D.report())
    assert D.A_adjoint(y).tobytes() == A.A_adjoint(y).tobytes()
    assert D.A_dagger(y).tobytes() == A.A_dagger(y).tobytes()
    assert D.report().algorithm == "FFT"


def test_lazy_products_have_the_same_bits() -> None:
    for make, shape in CASES.values():
        A = stack(*map(make, range(5)))
        x = np.random.default_rng(0).random(shape, dtype=np.float32)
        lazy = da.from_array(x, chunks=(1, *shape[1:]))
        y = A(x)
        made = A(lazy)
        assert [a.compute(scheduler="threads").tobytes() for a in made] == [a.tobytes() for a in y]
        assert A.A_adjoint(made).compute(scheduler="threads").tobytes() == A.A_adjoint(y).tobytes()
        assert A.A_dagger(made).compute(scheduler="threads").tobytes() == A.A_dagger(y).tobytes()


def test_blocks_make_no_more_transforms_than_sensors(processes: DistributedContext) -> None:
    D = distribute(stack(*map(sensor, range(5))), processes, chunks=5)
    x = np.random.default_rng(0).random((131, 127), dtype=np.float32)
    D(x)
    y = D(x)
    assert D.report().transforms == 1 + 5
    D.A_adjoint(y)
    D.A_adjoint(y)
    assert D.report().transforms == 5 + 1


def test_a_mixed_stack_says_so(processes: DistributedContext) -> None:
    A = stack(sensor(0), Blur(np.ones((3, 3)), "reflect"))
    D = distribute(A, processes)
    D(np.ones((131, 127)))
    assert D.report().algorithm == A._method((131, 127))
    assert "sensor by sensor" in D.report().algorithm
    D.A_adjoint_A(np.ones((131, 127)))
    assert D.report().algorithm == ""


def test_tasks_use_one_thread(processes: DistributedContext) -> None:
    """Else sensors of a block would be spread over cores that other tasks use."""
    from daskphys.distributed.ledger import measured

    with measured("call", None):
        assert backend.threads_left() == 1
