"""The operator that `distribute` returns."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal

from daskphys import backend, doors
from daskphys.distributed import calls, drawing
from daskphys.distributed.context import DistributedContext
from daskphys.distributed.given import recipe_of
from daskphys.distributed.gram import METHODS, DistributedGram
from daskphys.distributed.holding import Holding
from daskphys.distributed.memory import Guard
from daskphys.distributed.merged import MergedOnWorkers
from daskphys.distributed.planning import Planned
from daskphys.distributed.pricing import Stack
from daskphys.distributed.recipes import Recipe
from daskphys.distributed.report import Report
from daskphys.distributed.resident.solved import Solved
from daskphys.distributed.runner import Runner
from daskphys.errors import ContextClosedError, DaskphysError, DeviceError, ParameterError, checks_keywords
from daskphys.graph.blocks import cut
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.markup import bytes_text, counted, listed
from daskphys.physics.base import LinearPhysics
from daskphys.physics.equals import first_equal
from daskphys.physics.measurements import Measurements
from daskphys.physics.noise.adding import Noise, SensorNoise
from daskphys.physics.noise.model import NoiseModel, Seeds
from daskphys.physics.normal_kind import NormalKind
from daskphys.physics.spaces import Images, Sensors, check_as_many
from daskphys.physics.stack import StackedPhysics, widened
from daskphys.physics.transform import Transform
from daskphys.physics.weighted import Weights, weighted_normal


class DistributedPhysics(Planned, Solved, LinearPhysics):
    """A stacked operator whose sensors live on the workers of a cluster; made by `distribute`.

    It has the methods of the plain operator and returns the same kinds with the same bits.
    """

    def __init__(self, recipe: Recipe, ctx: DistributedContext, chunks: Any, replicas: int) -> None:
        bounds = cut(len(recipe), chunks)
        holding = Holding(recipe, ctx, bounds, replicas)
        priced = Stack(recipe, holding.facts)
        runner = Runner(ctx, holding, Guard(ctx, priced))
        self.__dict__.update(recipe=recipe, ctx=ctx, bounds=bounds, holding=holding, runner=runner)
        self.__dict__.update(priced=priced, merged=MergedOnWorkers(runner, priced))

    recipe: Recipe
    ctx: DistributedContext
    bounds: tuple[tuple[int, int], ...]
    holding: Holding
    runner: Runner
    priced: Stack
    merged: MergedOnWorkers

    def _fields(self) -> dict[str, Any]:
        return {"token": self.recipe.token, "bounds": self.bounds, "scheduler": self.holding.scheduler}

    def __getstate__(self) -> dict[str, Any]:
        raise DaskphysError(
            f"{self!r} is bound to its cluster and cannot be pickled: send the plain operator"
        )

    def __setattr__(self, name: str, _: Any) -> None:
        raise AttributeError(f"{self!r} is immutable: cannot set {name!r}")

    # -- the sensor axis -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.recipe)

    def __getitem__(self, index: Any) -> Any:
        """One sensor's operator on the client, or a distributed operator of a slice of sensors."""
        chosen = range(len(self))[index]
        if isinstance(chosen, int):
            return self.recipe.sensor(chosen)
        replicas = self.holding.replicas
        return DistributedPhysics(self.recipe.chosen(chosen), self.ctx, "auto", replicas)

    def __iter__(self) -> Iterator[LinearPhysics]:
        return (self.recipe.sensor(i) for i in range(len(self)))

    @property
    def physics_list(self) -> list[LinearPhysics]:
        """The sensors' operators, on the client."""
        return list(self)

    @property
    def local_indexes(self) -> list[int]:
        """The sensors that this client commands: all of them."""
        return list(range(len(self)))

    @property
    def placement(self) -> dict[Any, list[int]]:
        """Worker → the sensors whose operators it holds now."""
        return self.holding.placement()

    @property
    def nbytes(self) -> int:
        """Bytes of all parameters, on all workers."""
        return self.holding.facts.nbytes

    def to(self, device: Any) -> DistributedPhysics:
        """Itself, where `device` is its context's: that is where a distributed operator computes."""
        kind = backend.parse_device(device).partition(":")[0]
        if kind != self.ctx.device:
            raise DeviceError(
                f"{self!r} computes on its context's device, {self.ctx.device!r}, got {device!r}"
            )
        return self

    # -- what the algebra asks of an operator -----------------------------------------------------------------

    @property
    def domain(self) -> Images | Sensors:
        return Images(self, self.holding.facts.domain_ndim, self.of_real_images)

    @property
    def range(self) -> Images | Sensors:
        return self.recipe.range(self)

    def _range_shape(self, shape: Any) -> Any:
        return self.recipe.range_shape(shape)

    def _domain_shape(self, shape: Any) -> Any:
        return self.recipe.domain_shape(shape)

    def _result_dtype(self, dtype: str) -> str:
        return backend.complex_name(dtype) if self.holding.facts.makes_complex else dtype

    def _adjoint_dtype(self, dtype: str) -> str:
        return self.holding.facts.sum_dtype(dtype)

    @property
    def transform(self) -> Transform:
        return self.holding.facts.transform

    @property
    def normal_kind(self) -> NormalKind | None:
        return self.holding.facts.normal_kind

    def _forward(self, x: Any) -> Measurements:
        return self._noised(x, None)

    @functools.cached_property
    def _noise_models(self) -> tuple[NoiseModel | None, ...]:
        models = self.holding.facts.noise_models
        return models if any(models) else ()

    @property
    def _seed(self) -> int | None:
        return self.ctx.seed

    def _noisy(self, x: Any, seeds: Seeds) -> Measurements:
        return self._noised(x, SensorNoise(seeds))

    def _noised(self, x: Any, noise: Noise | None) -> Measurements:
        """A x with `noise`, which each sensor's worker adds."""
        expected, how = self.recipe.expected(x.shape), self._method(x.shape)
        add = functools.partial(calls.forward, noise=noise)
        blocks = self.runner.run("A", x, add, expected, algorithm=how)
        return Measurements(backend.like(a, x) for block in blocks for a in block)

    def _adjoint(self, y: Any, shape: Any) -> Any:
        y, how = widened(y, self._result_dtype), self._method(shape)
        return self.runner.run("A_adjoint", y, calls.adjoint, shape, algorithm=how)

    def _adjoint_to(self, y: Any, shape: Any, transform: Transform) -> Any:
        def add(builder: GraphBuilder, call: str, blocks: calls.Blocks, y: Any) -> Ref:
            return calls.adjoint(builder, call, replace(blocks, transform=transform.outline()), y, None)

        how = transform.method(shape)
        return self.runner.run("A_adjoint", widened(y, self._result_dtype), add, algorithm=how)

    def _method(self, shape: Any) -> str:
        return self.transform.method(shape)

    def _gram(self, x: Any, weights: Weights | None = None) -> Any:
        add = functools.partial(calls.gram, expected=self.recipe.expected(x.shape), weights=weights)
        return self.runner.run("A_adjoint_A by the tree", x, add)

    def _make_normal(self, shape: Any, weights: Weights | None = None) -> Any:
        def add(builder: GraphBuilder, call: str, blocks: calls.Blocks, _: Any) -> Ref:
            return calls.normal(builder, call, blocks, shape, weights)

        return self.runner.run("normal", None, add)

    @property
    def _keeper(self) -> Any:
        return first_equal(self)

    def _weighted_normal(self, shape: Any, weights: Any) -> LinearPhysics:
        return weighted_normal(self, shape, weights)

    # -- algebra: sensor by sensor, as the plain stack's, so that the bits are the same ----------------------

    def _mapped(self, f: Callable[..., LinearPhysics], *others: Recipe) -> DistributedPhysics:
        sizes = [stop - start for start, stop in self.bounds]
        return DistributedPhysics(self.recipe.mapped(f, *others), self.ctx, sizes, self.holding.replicas)

    @property
    def _noiseless(self) -> DistributedPhysics:
        return self  # what the algebra makes, it makes of the sensors

    def with_noise(self, noise_model: NoiseModel | None) -> DistributedPhysics:
        """The same operator with another noise model for each of its sensors, which are sent once more."""
        if noise_model is None and not self._noise_models:
            return self
        return self._mapped(functools.partial(_with_noise, noise_model))

    def _scaled(self, number: complex) -> DistributedPhysics:
        return self._mapped(functools.partial(operator.mul, number))

    def _merge(self, other: Any) -> DistributedPhysics | None:
        if isinstance(other, DistributedPhysics):
            recipe = other.recipe
        elif isinstance(other, StackedPhysics):
            recipe = recipe_of(other, None)
        else:
            return None
        check_as_many(self, other)
        return self._mapped(operator.add, recipe)

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, LinearPhysics) and isinstance(other.domain, Images):
            return self._mapped(functools.partial(_before, other))
        return super().__matmul__(other)

    # -- products ------------------------------------------------------------------------------------------

    @checks_keywords
    def A_dagger(self, y: Any, rtol: float | None = None) -> Any:
        before = self.runner.last
        result = super().A_dagger(y, rtol)
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
        """
        if method not in METHODS:
            raise ParameterError(
                f"{self!r}.A_adjoint_A expected method {', '.join(map(repr, METHODS))}, got {method!r}"
            )
        return doors.apply(DistributedGram(self, method), x)

    # -- what a call did, and how it looks --------------------------------------------------------------------

    def report(self) -> Report:
        """What the last call did, by block and worker."""
        if self.runner.last is None:
            raise ParameterError(f"{self!r} has run nothing yet: call it, then report()")
        return self.runner.report(self.runner.last)

    def visualize(
        self, method: str = "A_adjoint", filename: str | None = "daskphys", format: str | None = None
    ) -> Any:
        """The task graph of a call as a picture (Graphviz).

        Parameters
        ----------
        method : {"A", "A_adjoint", "A_adjoint_A", "normal"}
            The call; "A_adjoint_A" as the tree computes it, "normal" the set-up of the merged one.
        filename : str, optional
            The file to write, without its ending; None writes none.
        format : str, optional
            ``"png"`` by default; ``"svg"``, ``"pdf"``, …

        Returns
        -------
        IPython.display.Image, IPython.display.SVG or None
            What a notebook shows.

        Raises
        ------
        MissingDependencyError
            Graphviz is not installed; the message names the extra.
        """
        return drawing.draw(drawing.call_graph(method, self.bounds), filename, format)

    def _summary(self) -> str:
        return f"{self.recipe.summary()}; {counted(len(self.bounds), 'block')}"

    def _rows(self) -> list[tuple[str, str]]:
        try:
            held = [(f"worker {w}", listed(sensors)) for w, sensors in self.placement.items()]
        except ContextClosedError:
            held = [("workers", "none: the context is closed")]
        return [
            ("sensors", str(len(self))),
            ("blocks", str(len(self.bounds))),
            ("parameters", bytes_text(self.nbytes)),
            *held,
        ]

    def _thumbnails(self) -> list[tuple[str, Any]]:
        return self.recipe.template._thumbnails()


def _with_noise(noise_model: NoiseModel | None, sensor: LinearPhysics) -> LinearPhysics:
    return sensor.with_noise(noise_model)


def _before(first: LinearPhysics, sensor: LinearPhysics) -> Any:
    return sensor @ first
