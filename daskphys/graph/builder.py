"""A task graph with a worker for each task, as one high-level graph.

Tasks are `dask.task_spec` tasks, five times cheaper to make than delayed objects.  Dask places tasks by
annotations, which belong to layers: here there is one layer for each step and worker.  Pins are soft
(`allow_other_workers`): a task pinned to a worker that is gone would pend for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeAlias

from dask.core import flatten
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.task_spec import GraphNode, List, Task, TaskRef

Ref: TypeAlias = TaskRef


class GraphBuilder:
    """Collects tasks; `build` makes the graph.

    Parameters
    ----------
    name
        Begins the name of each layer.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._layers: dict[str, dict[Any, GraphNode]] = {}
        self._pins: dict[str, Hashable] = {}
        self._place: dict[Any, tuple[int, str]] = {}  # the level and the layer of each key

    def __len__(self) -> int:
        return len(self._place)

    def __contains__(self, key: Any) -> bool:
        return key in self._place

    def add(
        self,
        key: Any,
        function: Callable[..., Any],
        *args: Any,
        worker: Hashable = None,
        layer: str | None = None,
    ) -> Ref:
        """Add a task; an argument that is a `Ref` (or a list of them) is another task's result.

        A `layer` of its own name is what a Dask collection needs for its keys.
        """
        return self.adopt(
            Task(key, function, *(List(*a) if isinstance(a, list) else a for a in args)), worker, layer
        )

    def adopt(self, task: GraphNode, worker: Hashable = None, layer: str | None = None) -> Ref:
        """Add a task that another graph has made; what it needs is added before it."""
        level = max((self._place[k][0] for k in task.dependencies if k in self._place), default=-1) + 1
        name = layer or f"{self.name}-{level}-{worker}"
        self._layers.setdefault(name, {})[task.key] = task
        self._pins[name] = worker
        self._place[task.key] = (level, name)
        return TaskRef(task.key)

    def tasks(self) -> dict[Any, tuple[GraphNode, Hashable]]:
        """Each task and the worker it is pinned to, in the order in which they were added."""
        return {key: (self._layers[name][key], self._pins[name]) for key, (_, name) in self._place.items()}

    def build(self, inputs: Iterable[Any] = ()) -> HighLevelGraph:
        """The graph, on top of the graphs of Dask collections `inputs`."""
        layers: dict[str, Any] = {}
        dependencies: dict[str, set[str]] = {}
        outside: dict[Any, str] = {}
        for collection in inputs:
            graph = collection.__dask_graph__()
            layers.update(graph.layers)
            dependencies.update(graph.dependencies)
            outside.update(
                dict.fromkeys(flatten(collection.__dask_keys__()), collection.__dask_layers__()[0])
            )
        for name, tasks in self._layers.items():
            needed = {k for task in tasks.values() for k in task.dependencies}
            below = {self._place[k][1] if k in self._place else outside.get(k, name) for k in needed}
            dependencies[name] = below - {name}
            layers[name] = MaterializedLayer(tasks, annotations=_pins(self._pins[name]))
        return HighLevelGraph(layers, dependencies)


def _pins(worker: Hashable) -> Mapping[str, Any] | None:
    return None if worker is None else {"workers": [worker], "allow_other_workers": True}
