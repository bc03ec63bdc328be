"""The operator that `distribute` returns."""

from __future__ import annotations

import functools
import operator
from dataclasses import replace
from typing import Any, Literal

from daskphys import doors
from daskphys.distributed import calls
from daskphys.distributed.blocks import Blocks
from daskphys.distributed.context import DistributedContext
from daskphys.distributed.given import recipe_of
from daskphys.distributed.gram import METHODS, DistributedGram
from daskphys.distributed.merged import MergedOnWorkers
from daskphys.distributed.recipes import Recipe
from daskphys.distributed.resident.solved import Solved
from daskphys.distributed.sensors import Distributed
from daskphys.errors import ParameterError, checks_keywords
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.physics.base import LinearPhysics
from daskphys.physics.equals import first_equal
from daskphys.physics.normal_kind import NormalKind
from daskphys.physics.spaces import check_as_many
from daskphys.physics.stack import StackedPhysics, widened
from daskphys.physics.transform import Transform
from daskphys.physics.weighted import Weights, weighted_normal


class DistributedPhysics(Solved, Distributed, LinearPhysics, linear=True):
    """A stacked operator whose sensors live on the workers of a cluster; made by `distribute`.

    It has the methods of the plain operator and returns the same kinds with the same bits.

    Parameters
    ----------
    recipe : object
        How each sensor's operator is made on a worker.
    ctx : DistributedContext
        Where.
    chunks : "auto", int or sequence of int
        As of `distribute`.
    replicas : int
        As of `distribute`.

    Raises
    ------
    ShapeError, DtypeError, UnsupportedArrayError
        At a call, as the plain operator.
    MemoryPlanError
        At a call that cannot fit into its workers' memory; nothing was submitted.
    SensorError
        A sensor's operator failed; the message gives its index.
    NoWorkersError, WorkersLostError
        There are no workers, or they were lost at each attempt.
    ContextClosedError
        The context was closed.

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.distributed import DistributedContext, distribute
    >>> from daskphys.physics import Blur, gaussian_blur, stack
    >>> x = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    >>> with DistributedContext(n_workers=2) as ctx:
    ...     D = distribute(stack(*[Blur(gaussian_blur(s)) for s in (1.0, 2.0, 3.0)]), ctx)
    ...     D.placement, len(D), D.A_adjoint(D(x)).shape
    (Placement({0: sensors 0, 1, 1: sensor 2}), 3, (64, 64))
    """

    def __init__(self, recipe: Recipe, ctx: DistributedContext, chunks: Any, replicas: int) -> None:
        super().__init__(recipe, ctx, chunks, replicas)
        self.__dict__["merged"] = MergedOnWorkers(self.runner, self.priced)

    merged: MergedOnWorkers

    # -- what the algebra asks of an operator -----------------------------------------------------------------

    def _domain_shape(self, shape: Any) -> Any:
        return self.recipe.domain_shape(shape)

    def _adjoint_dtype(self, dtype: str) -> str:
        return self.holding.facts.sum_dtype(dtype)

    @property
    def normal_kind(self) -> NormalKind | None:
        return self.holding.facts.normal_kind

    def _adjoint(self, y: Any, shape: Any) -> Any:
        y, how = widened(y, self._result_dtype), self._method(shape)
        return self.runner.run("A_adjoint", y, calls.adjoint, shape, algorithm=how)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        def add(builder: GraphBuilder, call: str, blocks: Blocks, y: Any) -> Ref:
            return calls.adjoint(builder, call, replace(blocks, transform=transform.outline()), y, None)

        how = transform.method(shape)
        return self.runner.run("A_adjoint", widened(y, self._result_dtype), add, algorithm=how)

    def _gram(self, x: Any, weights: Weights | None = None) -> Any:
        add = functools.partial(calls.gram, expected=self.recipe.expected(x.shape), weights=weights)
        return self.runner.run("A_adjoint_A by the tree", x, add)

    def _make_normal(self, shape: Any, weights: Weights | None = None) -> Any:
        def add(builder: GraphBuilder, call: str, blocks: Blocks, _: Any) -> Ref:
            return calls.normal(builder, call, blocks, shape, weights)

        return self.runner.run("normal", None, add)

    @property
    def _keeper(self) -> Any:
        return first_equal(self)

    def _weighted_normal(self, shape: Any, weights: Any) -> LinearPhysics:
        return weighted_normal(self, shape, weights)

    # -- algebra: sensor by sensor, as the plain stack's, so that the bits are the same ----------------------

    def _scaled(self, number: complex) -> DistributedPhysics:
        return self._mapped(functools.partial(operator.mul, number))

    def _merge(self, other: Any) -> DistributedPhysics | None:
        if isinstance(other, DistributedPhysics):
            recipe = other.recipe
        elif isinstance(other, StackedPhysics) and other._travels:
            recipe = recipe_of(other, None)
        else:
            return None
        check_as_many(self, other)
        return self._mapped(operator.add, recipe)

    # -- products ------------------------------------------------------------------------------------------

    @checks_keywords
    def A_dagger(
        self, y: Any, rtol: float | None = None, *, max_iter: int | None = None, progress: bool = False
    ) -> Any:
        before = self.runner.last
        result = super().A_dagger(y, rtol, max_iter=max_iter, progress=progress)
        if self.runner.last is not None and self.runner.last is not before:
            self.runner.last = replace(
                self.runner.last, method=f"A_dagger, of which this is {self.runner.last.method}"
            )
        return result

    A_dagger.__doc__ = LinearPhysics.A_dagger.__doc__

    @checks_keywords
    def A_adjoint_A(self, x: Any, method: Literal["auto", "tree", "client", "workers"] = "auto") -> Any:
        """AᴴA x.

        Parameters
        ----------
        x : array
            An image.
        method : {"auto", "tree", "client", "workers"}
            "client" applies the merged normal operator beside the image, and touches no worker once it is set
            up.  "workers" applies it on the workers, a batch in one piece for each thread.  "auto" takes
            "workers" where by the estimate they are clearly faster (a batch and workers on other machines, an
            image in host memory and workers with GPUs), "client" elsewhere, and "tree" where nothing merges.
            "tree" computes every sensor's part on its worker and reduces them.

        Returns
        -------
        array
            Of the kind, shape and dtype of `x` (complex where AᴴA is).

        Raises
        ------
        ShapeError, DtypeError, UnsupportedArrayError
            The image does not fit.
        ParameterError
            Another method than these.
        """
        if method not in METHODS:
            raise ParameterError(
                f"{self!r}.A_adjoint_A expected method {', '.join(map(repr, METHODS))}, got {method!r}"
            )
        return doors.apply(DistributedGram(self, method), x)
