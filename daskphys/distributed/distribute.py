"""`distribute`: a user's operator on a cluster."""

from __future__ import annotations

from typing import Any

from daskphys.distributed.context import DistributedContext
from daskphys.distributed.physics import DistributedPhysics
from daskphys.distributed.recipes import recipe_of
from daskphys.errors import ParameterError, checks_keywords, describe


@checks_keywords
def distribute(
    A: Any,
    ctx: DistributedContext,
    *,
    chunks: Any = "auto",
    replicas: int = 1,
    num_operators: int | None = None,
    parameters: Any = None,
) -> DistributedPhysics:
    """Place the sensors of a stacked operator on the workers of `ctx`.

    Parameters
    ----------
    A : StackedPhysics, list of operators, or callable
        The stack; or a factory: ``A(index)``, or ``A(index, parameter, …)``, returns the operator of one
        sensor and is called on the worker that gets it.
    ctx : DistributedContext
        Where to.
    chunks : "auto", int or sequence of int
        Sensors a block.  It changes no bit of any result.
    replicas : int
        On how many workers each block is kept: with 2 or more, a lost worker's blocks need no rebuilding.
    num_operators : int
        How many sensors a factory makes; with `parameters`, as many as these have.
    parameters : array or tuple of arrays, shape (N, …), optional
        What a factory needs for each sensor (kernels, coil maps), with the sensor axis in front: Dask or
        NumPy arrays.  The factory gets ``parameters[k][index]`` of each.  A Dask array's chunks (a Zarr
        store's, say) are loaded on the workers and never pass through the client, but for the operator of
        sensor 0, which tells the client what all have in common; a lost worker's are loaded again.

    Returns
    -------
    DistributedPhysics
        An operator with the same methods, and the same bits, as the plain one.  Its multiples, sums and
        products are distributed operators of their own, whose sensors are sent when they are made.

    Notes
    -----
    What it makes of Dask arrays is lazy and needs its own client to compute: with several clients open,
    compute it under ``with ctx.client.as_current():``.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from daskphys.distributed import DistributedContext, distribute
    >>> from daskphys.physics import Blur, gaussian_blur, stack
    >>> A = stack(*[Blur(gaussian_blur(s)) for s in (1.0, 2.0, 3.0)])
    >>> x = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    >>> with DistributedContext(n_workers=2) as ctx:
    ...     D = distribute(A, ctx)
    ...     y = D(x)
    ...     bool(np.array_equal(D.A_adjoint(y), A.A_adjoint(A(x))))
    True

    Kernels in a Zarr store, or any other Dask array, are loaded on the workers:

    >>> kernels = da.random.default_rng(0).random((6, 5, 5), chunks=(2, 5, 5))
    >>> with DistributedContext(n_workers=2) as ctx:
    ...     D = distribute(lambda index, kernel: Blur(kernel), ctx, parameters=kernels)
    ...     len(D), D.A_adjoint_A(x).shape
    (6, (64, 64))
    """
    if not isinstance(ctx, DistributedContext):
        raise ParameterError(
            f"distribute expected a DistributedContext, got {describe(ctx)}: write DistributedContext(client=…)"
        )
    return DistributedPhysics(recipe_of(A, num_operators, parameters, ctx.client.get), ctx, chunks, replicas)
