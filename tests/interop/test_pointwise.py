"""Diagonals, and sums and stacks with them, on chunks of the image's own axes."""

import dask.array as da
import numpy as np
import pytest

from daskphys.distributed import distribute
from daskphys.errors import ShapeError
from daskphys.physics import Blur, FourierMultiplier, Inpainting, stack
from daskphys.physics.normal import Diagonal, NormalSum

_rng = np.random.default_rng(7)
SPACE = (24, 30)

MASK = Diagonal(_rng.integers(0, 2, SPACE))
DIAGONALS = {
    "mask": MASK,
    "one row": Diagonal(_rng.normal(size=(1, 30))),
    "channels": Diagonal(_rng.normal(size=(3, *SPACE))),
    "complex": Diagonal(_rng.normal(size=SPACE) + 1j * _rng.normal(size=SPACE)),
    "inpainting": Inpainting(_rng.random(SPACE) < 0.4),
    "inpainting of channels": Inpainting(_rng.random((3, *SPACE))),
}
BLUR = Blur(_rng.normal(size=(3, 3)))
MIXED = {
    "blur and mask": stack(BLUR, MASK),
    "valid blur and mask": stack(Blur(_rng.normal(size=(3, 3)), "valid"), MASK),
    "sum": BLUR.normal(SPACE) + MASK,
    "blur and inpainting": stack(BLUR, Inpainting(_rng.random(SPACE) < 0.4)),
    "mask after blur": stack(MASK @ BLUR, BLUR),
}


def image(dtype):
    x = _rng.normal(size=(2, 3, *SPACE))
    x = (x + 1j * _rng.normal(size=x.shape) if dtype.startswith("c") else x).astype(dtype)
    return x, da.from_array(x, chunks=(1, 2, (10, 5, 9), (16, 14)))


def close(lazy, eager):
    assert (lazy.shape, lazy.dtype) == (eager.shape, eager.dtype)
    made = lazy.compute(scheduler="threads")
    assert made.dtype == eager.dtype
    np.testing.assert_allclose(made, eager, rtol=0, atol=2e-6 * abs(eager).max())


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("name", DIAGONALS)
def test_a_diagonal_keeps_chunks_and_bits(name, dtype, never_computes):
    A, (x, X) = DIAGONALS[name], image(dtype)
    with never_computes():
        lazy = [A(X), A.H(X), A.A_adjoint_A(X)]
    for made, eager in zip(lazy, [A(x), A.H(x), A.A_adjoint_A(x)], strict=True):
        assert made.chunks == X.chunks
        assert made.dtype == eager.dtype
        np.testing.assert_array_equal(made.compute(scheduler="threads"), eager)


@pytest.mark.parametrize("name", ["mask", "inpainting"])
def test_an_image_that_does_not_fit(name):
    with pytest.raises(
        ShapeError, match=r"expected an image whose last axes are \(24, 30\) .*got \(24, 32\)"
    ):
        DIAGONALS[name](da.ones((24, 32), chunks=(24, 8)))


def test_masks_on_a_cluster_say_that_the_plain_operator_takes_the_chunks(threads):
    A, (x, X) = MIXED["blur and inpainting"], image("float32")
    D = distribute(A, threads)
    with pytest.raises(
        ShapeError, match=r"sensor 1 \(Inpainting.*pixel by pixel.*plain operator.*x\.rechunk"
    ):
        D(X)
    close(A(X)[1], A(x)[1])


def test_a_task_has_its_own_part_of_the_entries():
    _, X = image("float32")
    graph = MASK(X).dask.to_dict()
    held = [v for task in graph.values() for v in [getattr(task, "value", None)] if isinstance(v, np.ndarray)]
    assert all(part.shape[-2] < SPACE[0] for part in held if part.ndim == 2)
    assert len(graph) <= 3 * X.npartitions + 10


@pytest.mark.parametrize("name", MIXED)
def test_mosaics_of_unlike_sensors(name):
    A, (x, X) = MIXED[name], image("float32")
    y = A(x)
    if isinstance(A, NormalSum):
        close(A(X), y)
        close(A.H(X), A.H(x))
    else:
        for lazy, eager in zip(A(X), y, strict=True):
            close(lazy, eager)
        close(A.A_adjoint(A(X)), A.A_adjoint(y))
    close(A.A_adjoint_A(X), A.A_adjoint_A(x))


def test_weighted_sums_with_a_mask():
    A, (x, X) = MIXED["valid blur and mask"], image("float32")
    N = A.normal(x.shape, weights=[0.5, 2.0])
    close(N(X), N(x))


def test_a_merged_sum_made_before_it_is_used():
    A, (x, X) = MIXED["blur and mask"], image("float64")
    N = A.normal(x.shape)
    assert isinstance(N, NormalSum)
    assert any(isinstance(t, FourierMultiplier) for t in N.terms)
    close(N(X), N(x))
