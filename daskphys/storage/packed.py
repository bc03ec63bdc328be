"""Stores that were packed into a zip, which are read and never written."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from daskphys.errors import StorageError
from daskphys.storage import places


@contextlib.contextmanager
def unpacked(store: Any) -> Iterator[Any]:
    """What Zarr opens: `store` itself, or of a file that ends in .zip a store of Zarr, closed afterwards."""
    path = places.local(store)
    if path is None or path.suffix.lower() != ".zip" or not path.is_file():
        yield store
        return
    library = places.zarr()
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
        if "zarr.json" not in names:
            raise StorageError(
                f"{places.name(path)} has no zarr.json at its top: pack what is in a store's folder and not the folder, as "
                f"shutil.make_archive(name, 'zip', folder) does"
            )
        with library.storage.ZipStore(path, mode="r") as opened:
            yield opened
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise StorageError(
            f"{places.name(path)} is no zip that can be read: damaged, cut short or encrypted ({error}): get a whole copy, without a password"
        ) from error
