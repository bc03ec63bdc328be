"""`distribute`: a user's operator on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from daskphys import config
from daskphys.distributed import defaults
from daskphys.distributed.blockdiagonal import DistributedBlockDiagonal, placed
from daskphys.distributed.context import DistributedContext
from daskphys.distributed.given import recipe_of
from daskphys.distributed.joined import DistributedJoined, parts_recipe
from daskphys.distributed.nonlinear import DistributedNonlinear
from daskphys.distributed.physics import DistributedPhysics
from daskphys.distributed.sensors import Distributed
from daskphys.errors import ParameterError, checks_keywords, describe
from daskphys.physics.base import Adjoint, LinearPhysics
from daskphys.physics.blockdiagonal import BlockDiagonal
from daskphys.physics.parts import Joined
from daskphys.physics.physics import Physics
from daskphys.physics.stack import NonlinearStack, StackedPhysics


@overload
def distribute(
    A: Joined,
    ctx: DistributedContext,
    *,
    chunks: Any = None,
    replicas: int | None = None,
    num_operators: int | None = None,
) -> DistributedJoined: ...
@overload
def distribute(
    A: StackedPhysics,
    ctx: DistributedContext,
    *,
    chunks: Any = None,
    replicas: int | None = None,
    num_operators: int | None = None,
) -> DistributedPhysics: ...
@overload
def distribute(
    A: NonlinearStack,
    ctx: DistributedContext,
    *,
    chunks: Any = None,
    replicas: int | None = None,
    num_operators: int | None = None,
) -> DistributedNonlinear: ...
@overload
def distribute(
    A: Sequence[Physics] | Callable[..., Physics],
    ctx: DistributedContext,
    *,
    chunks: Any = None,
    replicas: int | None = None,
    num_operators: int | None = None,
    parameters: Any = None,
) -> Any: ...
@overload
def distribute(
    A: BlockDiagonal, ctx: DistributedContext, *, chunks: Any = None, replicas: int | None = None
) -> DistributedBlockDiagonal: ...
@overload
def distribute(
    A: Adjoint, ctx: DistributedContext, *, chunks: Any = None, replicas: int | None = None
) -> LinearPhysics: ...
@checks_keywords
def distribute(
    A: Any,
    ctx: DistributedContext,
    *,
    chunks: Any = None,
    replicas: int | None = None,
    num_operators: int | None = None,
    parameters: Any = None,
) -> Any:
    """Place the sensors of a stacked operator on the workers of `ctx`.

    Parameters
    ----------
    A : StackedPhysics, NonlinearStack, operator with a sensor axis, BlockDiagonal, an adjoint of these, list of operators, or callable
        The stack; an operator that can be sliced along its sensor axis (coils, angles), whose parameters along it may
        be Dask arrays, which are loaded on the workers; or a factory: ``A(index)``, or ``A(index, parameter, …)``, returns the operator of one
        sensor and is called on the worker that gets it.
    ctx : DistributedContext
        Where to.
    chunks : "auto", int or sequence of int, optional
        Sensors a block (of an operator with a sensor axis: parts, of several sensors where it evaluates these
        together): as configured, else "auto".  It changes no bit of any result.
    replicas : int, optional
        On how many workers each block is kept: with 2 or more, a lost worker's blocks need no rebuilding.  As
        configured (at most one for each worker), else 1.
    num_operators : int
        How many sensors a factory makes; with `parameters`, as many as these have.
    parameters : array or tuple of arrays, shape (N, …), optional
        What a factory needs for each sensor (kernels, coil maps), with the sensor axis in front: Dask or
        NumPy arrays.  The factory gets ``parameters[k][index]`` of each.  A Dask array's chunks (a Zarr
        store's, say) are loaded on the workers and never pass through the client, but for the operator of
        sensor 0, which tells the client what all have in common; a lost worker's are loaded again.

    Returns
    -------
    DistributedPhysics, DistributedNonlinear, DistributedJoined, DistributedBlockDiagonal, or an adjoint of them
        An operator with the same methods, and the same bits, as the plain one.  Its multiples, sums and
        products are distributed operators of their own, whose sensors are sent when they are made.  What
        is itself made of distributed operators cannot be sent: in ``D @ D.H`` and ``D + E @ D.H @ D`` this client
        applies one factor or term after the other, A x and a product's Aᴴ y with the bits of the plain
        operator, AᴴA x and a sum's Aᴴ y to rounding.

    Raises
    ------
    ParameterError
        `A` is no operator, list or factory, or is distributed already; `chunks`, `replicas`, `num_operators` or
        `parameters` do not fit it; `ctx` is no `DistributedContext`; Dask's configuration has a key below ``daskphys``
        that is none, or a value that its key cannot have.
    SensorError
        The factory fails, or makes no operator, for a sensor.
    NoWorkersError
        The cluster has no worker.

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
    for given in A if isinstance(A, list | tuple) else (A,):
        if isinstance(given, Physics) and not given._travels:
            raise ParameterError(
                f"distribute expected an operator that is not distributed yet, nor made of such, got {given!r}"
            )
    if isinstance(A, Joined | BlockDiagonal | Adjoint) and (
        parameters is not None or num_operators not in (None, *([] if isinstance(A, Adjoint) else [len(A)]))
    ):
        raise ParameterError(
            f"distribute got {A!r}, whose sensors have their parameters, and num_operators={num_operators} or parameters "
            f"beside it: give these with a factory alone"
        )
    chunks = config.default("distribute.chunks", chunks)
    replicas = defaults.replicas(replicas, lambda: ctx.world_size)
    if isinstance(A, Adjoint):
        return distribute(A.parent, ctx, chunks=chunks, replicas=replicas).H.with_noise(A.noise_model)
    if isinstance(A, BlockDiagonal):
        return placed(A, ctx, chunks, replicas)
    if isinstance(A, Joined):
        recipe = parts_recipe(A, ctx.client.get)
        parts = DistributedPhysics(recipe, ctx, chunks, replicas)
        return DistributedJoined(parts, A.counts, A.own_sensor_axis, noise_model=A.noise_model)
    return Distributed.of(recipe_of(A, num_operators, parameters, ctx.client.get), ctx, chunks, replicas)
