"""A picture of a call's task graph, by Graphviz."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daskphys.distributed import calls
from daskphys.distributed.blocks import Blocks
from daskphys.errors import MissingDependencyError, ParameterError, nearest
from daskphys.graph.blocks import Bounds
from daskphys.graph.builder import GraphBuilder, Ref
from daskphys.markup import span
from daskphys.physics.transform import Plain

METHODS = ("A", "A_adjoint", "A_adjoint_A", "normal")


def call_graph(method: str, bounds: Bounds) -> Mapping[Any, Any]:
    """The tasks of a call of `method`, with the blocks and the image as tasks of their own."""
    if method not in METHODS:
        raise ParameterError(f"visualize has no method {method!r}: {nearest(method, METHODS)}")
    builder = GraphBuilder("call")
    refs = [builder.add(span(start, stop), tuple) for start, stop in bounds]
    blocks = Blocks(bounds, refs, [None] * len(bounds), Plain())
    if method == "A_adjoint":
        y = [builder.add(f"measurement {i}", tuple) for i in range(bounds[-1][1])]
        calls.adjoint(builder, "call", blocks, y, shape=None)
    elif method == "normal":
        calls.normal(builder, "call", blocks, shape=None)
    else:
        image: Ref = builder.add("image", tuple)
        (calls.forward if method == "A" else calls.gram)(builder, "call", blocks, image)
    return dict(builder.build().to_dict())


def draw(graph: Mapping[Any, Any], filename: str | None, format: str | None) -> Any:
    """The picture of a graph; written to ``filename.format`` where a name is given.

    Raises
    ------
    MissingDependencyError
        The graphviz package, or its program ``dot``, is not there.
    """
    try:
        import graphviz
    except ImportError as error:
        raise MissingDependencyError(
            "visualize needs the graphviz package: pip install 'daskphys[notebooks]'"
        ) from error
    from dask.dot import dot_graph

    try:
        return dot_graph(graph, filename=filename, format=format)
    except graphviz.ExecutableNotFound as error:
        raise MissingDependencyError(
            "visualize needs Graphviz's program `dot`, which the extra daskphys[notebooks] cannot bring: install "
            "graphviz by your system's package manager"
        ) from error
