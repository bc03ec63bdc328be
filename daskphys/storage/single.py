"""One array on disk, written whole or not at all: an image, or what an operator without sensors measures."""

from __future__ import annotations

from typing import Any

import dask.array as da

from daskphys.errors import StorageError
from daskphys.storage import groups, places
from daskphys.storage.arrays import Writer, check_numbers
from daskphys.storage.making import written
from daskphys.storage.reading import Reader


def write_array(array: Any, store: Any, overwrite: bool) -> None:
    """Write one array, in a group as that of measurements."""
    with written(store, overwrite, "array") as (group, said):
        writer = Writer(group)
        number = writer.add(array)
        said.update(array=number, arrays=writer.finish())


def open_array(store: Any) -> Any:
    """What `write_array` wrote, or any other Zarr array, as a Dask array."""
    where = places.name(store)
    if groups.kind(store) is None:
        try:
            array = places.zarr().open_array(store, mode="r")
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise StorageError(
                f"{where} is no Zarr array, and nothing that daskphys wrote: of a group, give the path of one of its arrays"
            ) from error
        check_numbers(array, where)
        return da.from_array(array)
    group, said = groups.opened(store, "array")
    return Reader(group, tuple(said["arrays"]), where, True).dask(said["array"])
