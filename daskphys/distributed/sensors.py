"""What distributed operators have in common, linear or not: sensors on the workers of a cluster, and measurements."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

from daskphys import backend
from daskphys.distributed import calls, drawing, placed
from daskphys.distributed.context import DistributedContext
from daskphys.distributed.holding import Holding
from daskphys.distributed.memory import Guard
from daskphys.distributed.planning import Planned
from daskphys.distributed.pricing import Stack
from daskphys.distributed.recipes import Recipe
from daskphys.distributed.report import Report
from daskphys.distributed.runner import Runner
from daskphys.errors import DaskphysError, DeviceError, ParameterError
from daskphys.graph.blocks import cut
from daskphys.markup import counted
from daskphys.physics.measurements import Measurements
from daskphys.physics.noise.adding import Noise, SensorNoise
from daskphys.physics.noise.model import NoiseModel, Seeds
from daskphys.physics.physics import Physics
from daskphys.physics.spaces import Images, Sensors
from daskphys.physics.stacked import sensor_by_sensor
from daskphys.physics.transform import Plain, Transform


class Distributed(Planned, Physics):
    """A stack whose sensors live on the workers of a cluster; made by `distribute`.

    It has the methods of the plain operator and returns the same kinds with the same bits.
    """

    _kinds: ClassVar[dict[bool, type[Distributed]]] = {}

    def __init_subclass__(cls, linear: bool) -> None:
        """`linear`: whether it is for stacks of linear sensors."""
        cls._kinds[linear], cls.linear = cls, linear

    linear: ClassVar[bool]
    recipe: Recipe
    ctx: DistributedContext
    bounds: tuple[tuple[int, int], ...]
    holding: Holding
    runner: Runner
    priced: Stack

    def __init__(self, recipe: Recipe, ctx: DistributedContext, chunks: Any, replicas: int) -> None:
        bounds = cut(len(recipe), chunks)
        holding = Holding(recipe, ctx, bounds, replicas)
        if self.linear and not holding.facts.linear:
            raise ParameterError(
                f"distribute expected sensors that are all linear, as sensor 0 of {recipe.summary()} is, got others: make "
                f"one that is not linear the first"
            )
        priced = Stack(recipe, holding.facts)
        runner = Runner(ctx, holding, Guard(ctx, priced))
        self.__dict__.update(recipe=recipe, ctx=ctx, bounds=bounds, holding=holding, runner=runner)
        self.__dict__["priced"] = priced

    @classmethod
    def of(cls, recipe: Recipe, ctx: DistributedContext, chunks: Any, replicas: int) -> Any:
        """The distributed operator of the kind that the recipe's sensors make it."""
        return cls._kinds[recipe.linear](recipe, ctx, chunks, replicas)

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
        return Distributed.of(self.recipe.chosen(chosen), self.ctx, "auto", replicas)

    def __iter__(self) -> Iterator[Physics]:
        if self.recipe.on_cluster:
            return self.holding.sensors()
        return (self.recipe.sensor(i) for i in range(len(self)))

    @property
    def physics_list(self) -> list[Physics]:
        """The sensors' operators, on the client."""
        return list(self)

    @property
    def local_indexes(self) -> list[int]:
        """The sensors that this client commands: all of them."""
        return list(range(len(self)))

    @property
    def placement(self) -> placed.Placement:
        """Worker → the sensors whose operators it holds now."""
        return self.holding.placement()

    @property
    def nbytes(self) -> int:
        """Bytes of all parameters, on all workers."""
        return self.holding.facts.nbytes

    def to(self, device: Any) -> Self:
        """Itself, where `device` is its context's: that is where a distributed operator computes.

        Parameters
        ----------
        device : str or torch.device
            ``"cpu"`` or ``"cuda"``.

        Returns
        -------
        DistributedPhysics
            This one.

        Raises
        ------
        DeviceError
            The context computes on another device.
        """
        kind = backend.parse_device(device).partition(":")[0]
        if kind != self.ctx.device:
            raise DeviceError(
                f"{self!r} computes on its context's device, {self.ctx.device!r}, got {device!r}"
            )
        return self

    # -- what is asked of an operator ---------------------------------------------------------------------------

    @property
    def domain(self) -> Images | Sensors:
        return Images(self, self.holding.facts.domain_ndim, self.of_real_images)

    @property
    def range(self) -> Images | Sensors:
        return self.recipe.range(self)

    def _range_shape(self, shape: Any) -> Any:
        return self.recipe.range_shape(shape)

    def _result_dtype(self, dtype: str) -> str:
        return self.holding.facts.result_dtype(dtype)

    @property
    def transform(self) -> Transform:
        return self.holding.facts.transform

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

    def _method(self, shape: Any) -> str:
        if not isinstance(self.transform, Plain):
            return self.transform.method(shape)
        return sensor_by_sensor(self.recipe.alike(0, min(3, len(self))), len(self), shape)

    # -- algebra: sensor by sensor, as the plain stack's, so that the bits are the same ----------------------

    def _mapped(self, f: Callable[..., Physics], *others: Recipe) -> Self:
        sizes = [stop - start for start, stop in self.bounds]
        made: Self = Distributed.of(self.recipe.mapped(f, *others), self.ctx, sizes, self.holding.replicas)
        return made

    @property
    def _noiseless(self) -> Self:
        return self  # what the algebra makes, it makes of the sensors

    def with_noise(self, noise_model: NoiseModel | None) -> Any:
        """The same operator with another noise model for each of its sensors, which are sent once more.

        Parameters
        ----------
        noise_model : NoiseModel or None
            The model; None for no noise.

        Returns
        -------
        DistributedPhysics
            A new one, on the same context.

        Raises
        ------
        ParameterError
            It is no `NoiseModel`.
        """
        if noise_model is None and not self._noise_models:
            return self
        return self._mapped(functools.partial(_with_noise, noise_model))

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, Physics) and isinstance(other.domain, Images) and other._travels:
            return self._mapped(functools.partial(_before, other))
        return super().__matmul__(other)

    def _distant(self) -> Iterator[Any]:
        yield self

    # -- what a call did, and how it looks --------------------------------------------------------------------

    def report(self) -> Report:
        """What the last call did, by block and worker.

        Returns
        -------
        Report
            A table when it is printed, and a card in a notebook: tasks, transforms, bytes and times.

        Raises
        ------
        ParameterError
            Nothing has run yet.
        """
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
        return self._listed("sensor")

    def _listed(self, what: str) -> str:
        """How many there are of what the sensors are called here, some of them, and the blocks."""
        return f"{self.recipe.summary(what)}; {counted(len(self.bounds), 'block')}"

    def _rows(self) -> list[tuple[str, str]]:
        return placed.rows(self, len(self.bounds))

    def _thumbnails(self) -> list[tuple[str, Any]]:
        result: list[tuple[str, Any]] = self.recipe.template._thumbnails()
        return result


def _with_noise(noise_model: NoiseModel | None, sensor: Physics) -> Physics:
    return sensor.with_noise(noise_model)


def _before(first: Physics, sensor: Physics) -> Any:
    return sensor @ first
