"""Writing operators and measurements to a store."""

from __future__ import annotations

from typing import Any

from daskphys.errors import StorageError, describe
from daskphys.physics.measurements import Measurements
from daskphys.storage.arrays import Writer
from daskphys.storage.encoding import encode
from daskphys.storage.making import written


def write(what: Any, store: Any, overwrite: bool) -> None:
    """Write an operator or measurements; what goes wrong leaves the store as it was."""
    if isinstance(what, Measurements):
        _write_measurements(what, store, overwrite)
    else:
        _write_operator(what, store, overwrite)


def _write_operator(operator: Any, store: Any, overwrite: bool) -> None:
    with written(store, overwrite, "operator") as (group, said):
        writer = Writer(group)
        tree = encode(operator, writer)
        said.update(operator=tree, arrays=writer.finish())


def _write_measurements(y: Measurements, store: Any, overwrite: bool) -> None:
    named = [array for array in y if hasattr(array, "dims")]
    if named:
        raise StorageError(
            f"to_zarr writes numbers, and would lose the names of {describe(named[0])}: xarray writes both, as in "
            f"x.phys.forward(A).to_zarr(store); for the numbers alone y.map(lambda a: a.data).to_zarr(store)"
        )
    with written(store, overwrite, "measurements") as (group, said):
        writer = Writer(group)
        numbers = [writer.add(array) for array in y]
        said.update(measurements=numbers, arrays=writer.finish())
