"""Groups of ours, opened: what they say of themselves, and nothing from outside their folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from daskphys.errors import MissingDependencyError, StorageError, StoreNotFoundError, describe
from daskphys.physics.checks import is_count
from daskphys.storage.places import FORMAT, MARK, local, name, zarr


def kind(store: Any) -> Any:
    """What a store of ours says that it holds; None of any other."""
    try:
        said = dict(zarr().open_group(store, mode="r").attrs).get(MARK)
    except (ValueError, KeyError, TypeError, OSError, AttributeError):
        return None
    return said.get("kind") if isinstance(said, dict) else None


def opened(store: Any, wanted: str) -> tuple[Any, Any]:
    """The group of a store of ours, and what it says of itself."""
    library = zarr()
    where = name(store)
    folder = local(store)
    if folder is not None:
        if not folder.exists():
            raise StoreNotFoundError(
                f"{where} is not there: check the path, and the folder that it is relative to"
            )
        if folder.is_dir():
            _check_inside(folder, where)
        store = str(folder)
    try:
        # Version 2 of Zarr has codecs that run code; what is consolidated may say other than the arrays do.
        group = library.open_group(store, mode="r", zarr_format=3, use_consolidated=False)
        said = dict(group.attrs)[MARK]
    except FileNotFoundError as error:
        if folder is None:
            raise StoreNotFoundError(f"{where} is not there: check its name") from error
        raise StorageError(_no_store(where, error)) from error
    except ImportError as error:  # the file system of a URL
        raise MissingDependencyError(f"{where} needs a package that is not installed: {error}") from error
    except (ValueError, KeyError, TypeError, OSError, AttributeError, RecursionError) as error:
        raise StorageError(_no_store(where, error)) from error
    if said == {}:
        raise StorageError(f"{where} was cut short while it was written: write it again")
    number = said.get("format") if isinstance(said, dict) else None
    if not is_count(number) or number < 1:
        raise StorageError(f"{where} is damaged: expected a format's number, got {number!r}")
    if number > FORMAT:
        raise StorageError(
            f"{where} is of format {number}, which daskphys {said.get('version', '')} wrote; this version reads up to format "
            f"{FORMAT}: update daskphys"
        )
    if said.get("kind") != wanted:
        readers = {"operator": "open_physics", "measurements": "open_measurements"}
        mend = "".join(f": {reader} reads it" for what, reader in readers.items() if said.get("kind") == what)
        raise StorageError(f"{where} expected to hold {wanted}, got {said.get('kind')!r}{mend}")
    arrays = said.get("arrays")
    if wanted not in said or not isinstance(arrays, list) or not all(isinstance(a, dict) for a in arrays):
        raise StorageError(f"{where} is damaged: it does not say which arrays and which {wanted} it holds")
    return group, said


def _no_store(where: str, error: Exception) -> str:
    return (
        f"{where} holds no operator or measurements of daskphys, or was cut short while it was written ({describe(error)}): "
        f"A.to_zarr(store) and y.to_zarr(store) write such"
    )


def _check_inside(folder: Path, where: str) -> None:
    """Refuse links that lead out of a folder, for a stranger's file must not read others of this machine."""
    root = folder.resolve()
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root):
                    raise StorageError(
                        f"{where} points outside its folder: {os.path.relpath(entry.path, folder)} is a link to "
                        f"{os.readlink(entry.path)!r}, and is not followed"
                    )
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
