"""A task graph with a worker for each task, as one high-level graph.

Tasks are `dask.task_spec` tasks, five times cheaper to make than delayed objects.  Dask places tasks by
annotations, which belong to layers: here there is one layer for each step and worker.  Pins are soft
(`allow_other_workers`): a task pinned to a worker that is gone would pend for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeAlias

from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.task_spec import List, Task, TaskRef

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
        self._layers: dict[tuple[int, Hashable], dict[Any, Task]] = {}
        self._layer_of: dict[Any, tuple[int, Hashable]] = {}

    def __len__(self) -> int:
        return len(self._layer_of)

    def add(self, key: Any, function: Callable[..., Any], *args: Any, worker: Hashable = None) -> Ref:
        """Add a task; an argument that is a `Ref` (or a list of them) is another task's result."""
        task = Task(key, function, *(List(*a) if isinstance(a, list) else a for a in args))
        inner = [self._layer_of[k][0] for k in task.dependencies if k in self._layer_of]
        layer = (max(inner, default=-1) + 1, worker)
        self._layers.setdefault(layer, {})[key] = task
        self._layer_of[key] = layer
        return TaskRef(key)

    def build(self, inputs: Iterable[Any] = ()) -> HighLevelGraph:
        """The graph, on top of the graphs of Dask collections `inputs`."""
        names = {layer: f"{self.name}-{layer[0]}-{layer[1]}" for layer in self._layers}
        below: dict[str, Any] = {}
        dependencies: dict[str, set[str]] = {}
        outside: dict[Any, str] = {}
        for collection in inputs:
            graph = collection.__dask_graph__()
            below.update(graph.layers)
            dependencies.update(graph.dependencies)
            outside.update(dict.fromkeys(_flat(collection.__dask_keys__()), collection.__dask_layers__()[0]))
        for layer, tasks in self._layers.items():
            needed = {k for task in tasks.values() for k in task.dependencies}
            dependencies[names[layer]] = {
                names[self._layer_of[k]] if k in self._layer_of else outside[k]
                for k in needed
                if k in outside or (k in self._layer_of and self._layer_of[k] != layer)
            }
            below[names[layer]] = MaterializedLayer(tasks, annotations=_pins(layer[1]))
        return HighLevelGraph(below, dependencies)


def _pins(worker: Hashable) -> Mapping[str, Any] | None:
    return None if worker is None else {"workers": [worker], "allow_other_workers": True}


def _flat(keys: Any) -> Iterable[Any]:
    for key in keys:
        if isinstance(key, list):
            yield from _flat(key)
        else:
            yield key
