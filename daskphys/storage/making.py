"""Zarr groups that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from daskphys.errors import MissingDependencyError, ParameterError, StorageError
from daskphys.storage.places import FORMAT, MARK, local, name, zarr
from daskphys.storage.replacing import STAGED, check_place, check_replaced, is_staged, own_keys


@contextlib.contextmanager
def written(store: Any, overwrite: bool, kind: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A new group of a kind, and a dictionary to fill: what it says of itself, which is written last.

    A folder is written beside its place and moved there when it is complete; of another store the mark comes last, so
    that what was cut short is no store of ours.
    """
    library = zarr()
    if not isinstance(overwrite, bool | np.bool_):
        raise ParameterError(f"to_zarr expected overwrite=True or False, got {overwrite!r}")
    if store is None or not getattr(store, "supports_deletes", True) or getattr(store, "read_only", False):
        raise StorageError(
            f"{name(store)} cannot be written: expected a path, a URL or a Zarr store whose entries can be replaced; a folder "
            f"may be packed afterwards, as by shutil.make_archive"
        )
    folder = local(store)
    if folder is None:
        with _in_place(library, store, overwrite, kind) as (group, said):
            yield group, said
        return
    said = {"kind": kind}
    check_place(folder, overwrite, kind)
    beside = folder.parent / f".{uuid.uuid4().hex[:8]}{STAGED}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        group = library.create_group(beside / "new", zarr_format=3)
        yield group, said
        _mark(group, said)
        check_place(folder, overwrite, kind)  # again, for something may have come meanwhile
        if overwrite and folder.exists():
            os.rename(folder, beside / "old")
        os.rename(beside / "new", folder)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{name(store)} could not be written: {error}") from error
    finally:
        if (beside / "old").exists() and not folder.exists():  # the second move failed
            os.rename(beside / "old", folder)
        shutil.rmtree(beside, ignore_errors=True)


@contextlib.contextmanager
def _in_place(library: Any, store: Any, overwrite: bool, kind: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """`written`, of a store that cannot be moved: what fails is removed again.

    What replaces something is written below it first, and then copied, for it may be read from there.
    """
    from zarr.core.sync import sync
    from zarr.storage._common import make_store_path

    said: dict[str, Any] = {"kind": kind}
    try:
        place = sync(make_store_path(store, mode="r+"))
        old = [key for key in sync(_keys(place)) if not is_staged(key)]
        if old:
            there = dict(library.open(place, mode="r").attrs) if "zarr.json" in old else {}
            check_replaced(store, overwrite, kind, there, old)
        new = place / f".{uuid.uuid4().hex[:8]}{STAGED}" if old else place
        group = library.create_group(new, zarr_format=3, attributes={MARK: {}})
    except (TypeError, ValueError, KeyError, OSError) as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{name(store)} could not be written: {error}") from error
    except ImportError as error:  # the file system of a URL
        raise MissingDependencyError(
            f"{name(store)} needs a package that is not installed: {error}"
        ) from error
    try:
        yield group, said
        _mark(group, said)
    except BaseException:
        sync(_removed(new, own_keys(sync(_keys(new)))))
        raise
    if old:
        _put(library, store, new, place, old)


async def _keys(place: Any) -> list[str]:
    """What is in a store below a path, named from there."""
    prefix = f"{place.path}/" if place.path else ""
    return [
        key.removeprefix(prefix) async for key in place.store.list_prefix(prefix) if key.startswith(prefix)
    ]


async def _removed(place: Any, keys: list[str]) -> None:
    """Remove these keys, and nothing that has come since they were listed."""
    for key in keys:
        await (place / key).delete()


def _put(library: Any, store: Any, new: Any, place: Any, old: list[str]) -> None:
    """Put what was written in the place of what was there; what says that it is complete comes last."""
    from zarr.core.sync import sync

    keys = sync(_keys(new))
    if "zarr.json" not in keys:
        raise StorageError(f"{name(store)} was changed while it was written: write it again")
    try:
        sync(_removed(place, old))
        library.create_group(place, zarr_format=3, attributes={MARK: {}})  # cut short, until all is copied
        sync(_copied(new, place, sorted(keys, key=lambda key: key == "zarr.json")))
    except OSError as error:
        raise StorageError(
            f"{name(store)} could not be replaced ({error}); what was written is complete at {new}"
        ) from error
    sync(_removed(new, keys))


async def _copied(new: Any, place: Any, keys: list[str]) -> None:
    for key in keys:
        await (place / key).set(await (new / key).get())


def _mark(group: Any, said: Mapping[str, Any]) -> None:
    group.attrs[MARK] = {"format": FORMAT, "version": version("daskphys"), **said}
