"""Where a store is, on this machine or another, and how messages name it."""

from __future__ import annotations

import contextlib
import os
import reprlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from daskphys.errors import MissingDependencyError, StorageError

#: The version of the format, which docs/format.md describes.
FORMAT = 1

#: The attribute of the group that says all; it is written last.
MARK = "daskphys"


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
            url = urlsplit(text)
            if url.netloc not in ("", "localhost") or url.query or url.fragment:
                raise StorageError(
                    f"the store {text!r} is no URL of a file of this machine: write file:///folder/name with %23 for # and %3F "
                    f"for ?, or its path"
                )
            return Path(unquote(url.path)).absolute()
        if "://" not in text:
            path = Path(text)
            with contextlib.suppress(RuntimeError):  # of a user who is not there: a name that begins with ~
                path = path.expanduser()
            return path.absolute()
        return None
    holds, within = (store.store, store.path) if type(store).__name__ == "StorePath" else (store, "")
    root = getattr(holds, "root", None)
    return (
        Path(root, within).absolute()
        if isinstance(root, str | os.PathLike) and "Local" in type(holds).__name__
        else None
    )


def name(store: Any) -> str:
    """A store as messages name it."""
    folder = store.path if type(store).__name__ == "ZipStore" else local(store)
    if folder is None and not isinstance(store, str):
        return f"the store {reprlib.repr(store)}"
    return f"the store {str(folder or store)!r}"
