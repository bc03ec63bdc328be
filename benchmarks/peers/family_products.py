"""Products of a family's peers, measured in the peers' own environment.

This file is run by another interpreter and imports nothing of daskphys.  A family's peers are in
`benchmarks/peers/families/FAMILY.py`: a mapping `PEERS` from a peer's name to a function that is given the arrays of
the problem, and options by keyword, and returns its calls without arguments by product.  It imports its library
itself, so that a peer that is not installed is missed alone.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.peers.serving import Connection, flat, once, serve, turn


class Peer:
    """One problem after another: the calls of its peers."""

    def __init__(self) -> None:
        self.calls: dict[str, Mapping[str, Callable[[], Any]]] = {}

    def load(self, path: str, module: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Take a problem: the products that each peer offers, why others offer none, and their versions."""
        with np.load(path) as held:
            arrays = {name: held[name] for name in held.files}
        self.calls.clear()
        failed: dict[str, str] = {}
        for name, make in importlib.import_module(module).PEERS.items():
            try:
                self.calls[name] = make(arrays, **options)
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {error}"
        if "torch" in sys.modules:
            sys.modules["torch"].set_grad_enabled(False)
        versions = {name: found for name in self.calls for found in _versions(name)}
        offered = {name: list(calls) for name, calls in self.calls.items()}
        return {"offered": offered, "failed": failed, "versions": versions}

    def time(self, peer: str, product: str, calls: int, seconds: float, warm: int) -> dict[str, Any]:
        """Milliseconds of up to `calls` calls; none is begun after `seconds`."""
        call = self.calls[peer][product]
        return {"rounds": turn(lambda: once(call), calls, seconds, warm)}

    def result(self, peer: str, product: str, path: str) -> dict[str, Any]:
        """Write what the product gives, as one flat array."""
        np.save(path, flat(self.calls[peer][product]()))
        return {}


def _versions(peer: str) -> list[str]:
    """The version of the library that a peer is named after (before a comma), or none."""
    try:
        return [importlib.metadata.version(peer.partition(",")[0])]
    except importlib.metadata.PackageNotFoundError:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="the socket that the benchmark listens on")
    parser.add_argument("--threads", type=int, required=True, help="the environment has set them already")
    connection = Connection(parser.parse_args().address)
    connection.tell({})
    serve(Peer(), connection.ask, connection.tell)


if __name__ == "__main__":
    main()
