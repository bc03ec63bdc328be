"""Zarr groups that appear whole or not at all, and that hold nothing from outside."""

from __future__ import annotations

import contextlib
import json
import os
import reprlib
import shutil
import uuid
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from daskphys.errors import (
    MissingDependencyError,
    StorageError,
    StoreExistsError,
    StoreNotFoundError,
    describe,
)
from daskphys.physics.checks import is_count

#: The version of the format, which docs/format.md describes.
FORMAT = 1

#: The attribute of the group that says all; it is written last.
MARK = "daskphys"

# What stores hold, in words.
_A = {"operator": "an operator", "measurements": "measurements", "array": "an array"}
# What file browsers leave in folders that they show.
_NOTES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def zarr() -> Any:
    """The zarr package, or an error that says how to get it."""
    mend = "python -m pip install 'zarr>=3'"
    try:
        import zarr
    except ImportError as error:
        raise MissingDependencyError(
            f"operators on disk are Zarr stores, and zarr is not installed: {mend}"
        ) from error
    if int(zarr.__version__.partition(".")[0]) < 3:
        raise MissingDependencyError(
            f"operators on disk need zarr 3 or newer, and zarr {zarr.__version__} is installed: {mend}"
        )
    return zarr


def local(store: Any) -> Path | None:
    """The folder of a store on this machine's file systems, or None."""
    if isinstance(store, str | os.PathLike):
        text = os.fspath(store)
        if text.startswith(("file://", "local://")):
            return Path(unquote(urlsplit(text).path)).absolute()
        if "://" not in text:
            return Path(text).expanduser().absolute()
    root = getattr(store, "root", None)
    return (
        Path(root).absolute()
        if isinstance(root, str | os.PathLike) and "Local" in type(store).__name__
        else None
    )


def name(store: Any) -> str:
    """A store as messages name it."""
    folder = store.path if type(store).__name__ == "ZipStore" else local(store)
    if folder is None and not isinstance(store, str):
        return f"the store {reprlib.repr(store)}"
    return f"the store {str(folder or store)!r}"


@contextlib.contextmanager
def written(store: Any, overwrite: bool, kind: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A new group of a kind, and a dictionary to fill: what it says of itself, which is written last.

    A folder is written beside its place and moved there when it is complete; of another store the mark comes last, so
    that what was cut short is no store of ours.
    """
    library = zarr()
    folder = local(store)
    if folder is None:
        with _in_place(library, store, overwrite, kind) as (group, said):
            yield group, said
        return
    said = {"kind": kind}
    check_place(folder, overwrite, kind)
    beside = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        group = library.create_group(beside / "new", zarr_format=3)
        yield group, said
        _mark(group, said)
        if folder.exists():
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
    """`written`, of a store that cannot be moved: what fails is removed again."""
    said: dict[str, Any] = {"kind": kind}
    if store is None or not getattr(store, "supports_deletes", True):
        raise StorageError(
            f"{name(store)} cannot be written: expected a path, a URL or a Zarr store whose entries can be replaced; a folder "
            f"may be packed afterwards, as by shutil.make_archive"
        )
    try:
        _check_other(library, store, overwrite, kind)
        group = library.create_group(store, zarr_format=3, overwrite=overwrite, attributes={MARK: {}})
    except (TypeError, ValueError, OSError) as error:
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
        from zarr.core.sync import sync

        sync(group.store_path.delete_dir())
        raise


def _check_other(library: Any, store: Any, overwrite: bool, kind: str) -> None:
    """`check_place`, of a store that is no folder."""
    try:
        there = library.open(store, mode="r+")
    except FileNotFoundError:
        return
    held = sorted(there.keys()) if isinstance(there, library.Group) else []
    attributes = dict(there.attrs)
    if isinstance(there, library.Group) and not attributes and not held:
        return
    _refuse(store, overwrite, kind, attributes.get(MARK), [name for name in held if name != "arrays"])


def check_place(folder: Path, overwrite: bool, kind: str) -> None:
    """Refuse to write over what is there, and to replace what is no store of ours of its kind even if asked.

    An operator replaces an operator; what was measured, or made of it, another such.
    """
    if not (folder.exists() or folder.is_symlink()):
        above = next(path for path in folder.parents if path.exists())
        if not above.is_dir():
            raise StorageError(f"{name(folder)} cannot be written: {str(above)!r} is a file, not a folder")
        return
    try:
        said = json.loads((folder / "zarr.json").read_text()).get("attributes", {}).get(MARK)
    except (OSError, ValueError, AttributeError):
        said = {} if folder.is_dir() and not any(folder.iterdir()) else None
    ours = None if folder.is_symlink() else said
    _refuse(folder, overwrite, kind, ours, [] if ours is None else list(_others(folder)))


def _others(folder: Path) -> Iterator[str]:
    """What is in a store's folder that is no part of it, down to the arrays' chunks; notes of file browsers are no loss."""
    for path in (*folder.glob("*"), *folder.glob("arrays/*"), *folder.glob("arrays/*/*")):
        parts = path.relative_to(folder).parts
        own = (("zarr.json", "arrays"), None, ("zarr.json", "c"))[len(parts) - 1]
        fits = path.name in own if own else path.name == "zarr.json" or path.name.isdecimal()
        if not fits and path.name not in _NOTES:
            yield "/".join(parts)


def _refuse(store: Any, overwrite: bool, kind: str, said: Any, others: list[str]) -> None:
    """An error where there is something that may not be replaced: no store of ours, more than that, or one of another kind."""
    if said is None:
        raise StoreExistsError(
            f"{name(store)} is there and was not written by daskphys, so overwrite=True does not replace it: remove it "
            f"yourself, or choose another name"
        )
    there = said.get("kind", kind) if isinstance(said, dict) else kind
    why = ""
    if others:
        why = f"holds {', '.join(map(repr, others[:3]))}{', …' if len(others) > 3 else ''}, which daskphys did not write"
    elif (there == "operator") != (kind == "operator"):
        why = f"holds {_A[there]}, and {_A[kind]} would be written" if there in _A else f"holds {there!r}"
    if why:
        raise StoreExistsError(
            f"{name(store)} is there and {why}, so overwrite=True does not replace it: remove it yourself, or choose another "
            f"name"
        )
    if not overwrite:
        raise StoreExistsError(
            f"{name(store)} is there already: write overwrite=True, or choose another name", replaceable=True
        )


def _mark(group: Any, said: Mapping[str, Any]) -> None:
    group.attrs[MARK] = {"format": FORMAT, "version": version("daskphys"), **said}


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
