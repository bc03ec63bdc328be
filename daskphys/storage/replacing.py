"""What may be replaced where a store is to be written: a store of ours, of the same kind, and nothing besides."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from daskphys.errors import StorageError, StoreExistsError
from daskphys.storage.places import MARK, name

# The keys of a store of ours, and the number of the array that one belongs to.
_KEYS = re.compile(r"zarr\.json|arrays/zarr\.json|arrays/(\d+)/(?:zarr\.json|c(?:/\d+)*)")

#: How the names end of what is written before it is put in its place.
STAGED = ".daskphys"

# What file browsers leave in folders that they show.
_NOTES = re.compile(r"(?:.*/)?(?:\.DS_Store|\._[^/]*|Thumbs\.db|desktop\.ini)")
_STAGED = re.compile(r"\.[0-9a-f]{8}\.daskphys/.*")

# What may take the place of what: what `apply` writes is one kind or the other, as its operator has it.
_TAKES_PLACE_OF = {
    "operator": {"operator"},
    "measurements": {"measurements", "array"},
    "array": {"measurements", "array"},
}


def check_place(folder: Path, overwrite: bool, kind: str) -> None:
    """Refuse to write over what is there; even if asked, to replace anything but a store of ours of its kind."""
    if "\0" in str(folder):  # pathlib says of such a name that it is not there
        raise StorageError(f"{name(folder)} cannot be written: no name of a file has a zero character")
    try:
        if folder.is_symlink():
            raise StoreExistsError(
                f"{name(folder)} is a link, which is not replaced: give the folder that it leads to"
            )
        if not folder.exists():
            above = next(path for path in folder.parents if path.exists())
            if not above.is_dir():
                raise StorageError(
                    f"{name(folder)} cannot be written: {str(above)!r} is a file, not a folder"
                )
            return
        keys = list(_files(folder)) if folder.is_dir() else None
    except (OSError, ValueError) as error:  # a name that is too long, or that no file system takes
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{name(folder)} cannot be written: {error}") from error
    said = None
    if keys is not None and "zarr.json" in keys:
        try:
            said = json.loads((folder / "zarr.json").read_text()).get("attributes", {})
        except (OSError, ValueError, AttributeError, RecursionError):
            said = None
    elif keys == [] and not any(folder.iterdir()):
        return
    check_replaced(folder, overwrite, kind, said, keys or ())


def _raised(error: OSError) -> None:
    """What cannot be listed may be anybody's."""
    raise error


def _files(folder: Path) -> Iterator[str]:
    for path, folders, files in os.walk(folder, onerror=_raised):
        links = [own for own in folders if Path(path, own).is_symlink()]  # whose files are elsewhere
        for file in (*files, *links):
            yield Path(path, file).relative_to(folder).as_posix()


def check_replaced(store: Any, overwrite: bool, kind: str, attributes: Any, keys: Iterable[str]) -> None:
    """Refuse to replace a store with these attributes and keys, or to do it unasked."""
    said = attributes.get(MARK) if isinstance(attributes, dict) else None
    if not isinstance(said, dict):
        raise StoreExistsError(
            f"{name(store)} is there and was not written by daskphys, so overwrite=True does not replace it: remove it "
            f"yourself, or choose another name"
        )
    others = [*_strange(keys, said), *(f"the attribute {other!r}" for other in attributes if other != MARK)]
    held = said.get("kind", kind)  # what was cut short does not say
    why = ""
    if others:
        why = f"holds {', '.join(others[:3])}{', …' if len(others) > 3 else ''}, which daskphys did not write"
    elif held not in list(_TAKES_PLACE_OF[kind]):  # a damaged file may say what cannot be hashed
        why = f"its kind is {held!r}, not {kind!r}"
    if why:
        raise StoreExistsError(
            f"{name(store)} is there and {why}, so overwrite=True does not replace it: remove it yourself, or choose another "
            f"name"
        )
    if not overwrite:
        raise StoreExistsError(
            f"{name(store)} is there already: write overwrite=True, or choose another name", replaceable=True
        )


def is_staged(key: str) -> bool:
    """Whether a key belongs to what another process writes, or to what one that was killed left of it."""
    return _STAGED.fullmatch(key) is not None


def own_keys(keys: Iterable[str]) -> list[str]:
    """Those keys that a store of ours may have."""
    return [key for key in keys if _KEYS.fullmatch(key)]


def _strange(keys: Iterable[str], said: dict[str, Any]) -> Iterator[str]:
    """The keys that are no part of a store that says this of itself."""
    listed = said.get("arrays")
    count = len(listed) if isinstance(listed, list) else None
    for key in keys:
        own = _KEYS.fullmatch(key)
        if own is None:
            if not (_NOTES.fullmatch(key) or is_staged(key)):
                yield repr(key)
        elif own[1] is not None and count is not None and int(own[1]) >= count:
            yield repr(key)
