"""The pictures that the installed packages ship, by their names, and files by their paths."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from daskphys.errors import ImageNotFoundError, ParameterError, closest, nearest

# The GIF and TIFF files in those folders are there to try readers on; Pillow cannot open one of them.
_PICTURES = {".jpg", ".jpeg", ".png"}
#: A slice of a magnetic resonance scan, which Matplotlib ships without a header.
BRAIN = "mri_brain"


def example_names() -> list[str]:
    """The names that `load_example` knows on this machine, sorted.

    Matplotlib ships a few; scikit-image, if it is installed, ships more.

    Returns
    -------
    list of str
        What `load_example` takes.

    Examples
    --------
    >>> "grace_hopper" in example_names()
    True
    """
    return sorted(examples())


def examples() -> dict[str, Path]:
    """Name to file.  The folder of scikit-image is found without importing it (which takes a second)."""
    import matplotlib

    folders = [Path(matplotlib.get_data_path(), "sample_data")]
    skimage = importlib.util.find_spec("skimage")
    if skimage is not None:
        folders += [Path(root, "data") for root in skimage.submodule_search_locations or ()]
    found: dict[str, Path] = {}
    for folder in filter(Path.is_dir, folders):
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in _PICTURES:
                found.setdefault(file.stem, file)
    brain = folders[0] / "s1045.ima.gz"
    return {BRAIN: brain, **found} if brain.is_file() else found


def find(name: str | os.PathLike[str]) -> Path:
    """The file of an example's name, or of a path."""
    if not isinstance(name, str | os.PathLike):
        raise ParameterError(f"name is {name!r}: expected the name of an example or a path")
    known = examples()
    text = os.fsdecode(name)
    if isinstance(name, str):
        for stem, file in known.items():
            if name in (stem, file.name):
                return file
    path = os.path.expanduser(text)
    if os.path.exists(path):
        return Path(path)
    if os.path.dirname(text) or (os.path.splitext(text)[1] and closest(text, known) is None):
        raise ImageNotFoundError(
            f"there is no file {text!r}: check the path, and the folder that it is relative to"
        )
    more = ""
    if importlib.util.find_spec("skimage") is None:
        more = "; pip install 'daskphys[notebooks]' adds those of scikit-image"
    raise ImageNotFoundError(f"no example and no file is named {text!r}: {nearest(text, known)}{more}")
