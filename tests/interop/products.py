"""What the tests of the doors do to operators, and how a lazy result is held to an eager one."""

import dask
import dask.array as da
import numpy as np

from daskphys.physics import Blur, LinearPhysics, Measurements, value

#: The chunks of the image that the tests send through the doors.
CHUNKS = ((2, 1, 1), (3,), (12,), (10,))

INNER = Blur([[0.25, 0.5], [1.0, -0.5]])

#: What is done to an operator, and which argument the result takes: an image x or measurements y.
PRODUCTS = {
    "A": (lambda A: A, "x"),
    "A.H": (lambda A: A.H, "y"),
    "A.H.H": (lambda A: A.H.H, "x"),
    "A_adjoint_A": (lambda A: A.A_adjoint_A, "x"),
    "A_A_adjoint": (lambda A: A.A_A_adjoint, "y"),
    "2A": (lambda A: 2 * A, "x"),
    "(2A).H": (lambda A: (2 * A).H, "y"),
    "-A/3": (lambda A: -A / 3, "x"),
    "(2A).A_adjoint_A": (lambda A: (2 * A).A_adjoint_A, "x"),
    "2(3A)": (lambda A: (2 * (3 * A)).A_adjoint_A, "x"),
    "A + 2A + A": (lambda A: A + 2 * A + A, "x"),
    "(A + 2A + A).H": (lambda A: (A + 2 * A + A).H, "y"),
    "(A + A).A_adjoint_A": (lambda A: (A + A).A_adjoint_A, "x"),
    "A - 2A": (lambda A: A - 2 * A, "x"),
    "A @ B": (lambda A: A @ INNER, "x"),
    "(A @ B).H": (lambda A: (A @ INNER).H, "y"),
    "(A @ B).A_adjoint_A": (lambda A: (A @ INNER).A_adjoint_A, "x"),
    "A.H @ A": (lambda A: A.H @ A, "x"),
    "A.H.A_adjoint_A": (lambda A: A.H.A_adjoint_A, "y"),
}

COMPLEX = {
    "2jA": (lambda A: 2j * A, "x"),
    "(2jA).H": (lambda A: (2j * A).H, "y"),
    "(2jA).A_adjoint_A": (lambda A: (2j * A).A_adjoint_A, "x"),
    "A + 2jA": (lambda A: A + 2j * A, "x"),
    "A + A + 2jA": (lambda A: A + A + 2j * A, "x"),
}


def boom(block_info=None):
    raise AssertionError("the source array was computed")


def source(dtype="float32"):
    """A Dask array that fails the test which computes it."""
    return da.map_blocks(boom, chunks=CHUNKS, dtype=dtype, meta=np.empty((0,) * 4, dtype))


def arrays(result):
    return list(result) if isinstance(result, Measurements) else [result]


def check_lazy(lazy, eager, *, scheduler="threads", bits=True):
    """`lazy` says beforehand what it is, has the leading chunks of the image, and computes to `eager`.

    ``scheduler=None`` is the cluster of the last context.
    """
    assert isinstance(lazy, Measurements) == isinstance(eager, Measurements)
    assert dask.is_dask_collection(lazy)
    computed = lazy.compute(scheduler=scheduler)
    assert type(computed) is type(eager)
    for a, c, e in zip(arrays(lazy), arrays(computed), arrays(eager), strict=True):
        assert isinstance(a, da.Array)
        assert (a.shape, a.dtype) == (e.shape, e.dtype)
        assert (type(a._meta), a._meta.dtype, a._meta.ndim) == (np.ndarray, e.dtype, e.ndim)
        assert a.chunks[0] == CHUNKS[0]
        assert (type(c), c.dtype) == (type(e), e.dtype)
        if bits:
            np.testing.assert_array_equal(c, e)


# -- torch -------------------------------------------------------------------------------------------------

SHORT = {
    name: product
    for name, product in (PRODUCTS | COMPLEX).items()
    if name in ("A", "A.H", "A_adjoint_A", "A_A_adjoint", "2jA", "(2jA).H", "A + 2A + A", "A.H @ A", "A @ B")
}


def tensors(array):
    """An array, or measurements, as tensors on the same memory."""
    import torch

    return array.map(torch.from_numpy) if isinstance(array, Measurements) else torch.from_numpy(array)


def check_tensors(got, expected):
    """Tensors, contiguous, of the dtype and the bits of NumPy arrays."""
    import torch

    assert isinstance(got, Measurements) == isinstance(expected, Measurements)
    for t, e in zip(arrays(got), arrays(expected), strict=True):
        assert type(t) is torch.Tensor
        assert t.is_contiguous()
        assert t.numpy().dtype == e.dtype
        np.testing.assert_array_equal(t.numpy(), e)


SEEN: list = []


@value
class Witness(LinearPhysics):
    """Twice the image; what came in and what went out is noted."""

    def _forward(self, x):
        SEEN.append((x, 2 * x))
        return SEEN[-1][1]

    def _adjoint(self, y, shape):
        return self._forward(y)


@value
class Mirror(LinearPhysics):
    """Its results are views of what it was given: they have its byte order."""

    def _forward(self, x):
        return x[..., ::-1]

    def _adjoint(self, y, shape):
        return y[..., ::-1]
