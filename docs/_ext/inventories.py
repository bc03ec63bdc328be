"""Names of other projects that the pages link to, and where their documentation has them.

Sphinx asks each project for an inventory of all its names when it builds.  This site is built where no other host is
reached, so the few names that it needs are in ``inventories.txt``, one a line: project, role, name and address.
``DASKPHYS_DOCS_ONLINE=1`` asks the projects instead, which tells whether the addresses are still right.
"""

import zlib
from pathlib import Path

BASES = {
    "python": "https://docs.python.org/3/",
    "numpy": "https://numpy.org/doc/stable/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "matplotlib": "https://matplotlib.org/stable/",
    "dask": "https://docs.dask.org/en/stable/",
    "distributed": "https://distributed.dask.org/en/stable/",
    "xarray": "https://docs.xarray.dev/en/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}
_HERE = Path(__file__).parent
_TABLE = _HERE / "inventories.txt"


def mapping(*, online=False):
    """What `intersphinx_mapping` is to be; the inventories that it names are written to ``docs/_build``."""
    if online:
        return {name: (base, None) for name, base in BASES.items()}
    folder = _HERE.parent / "_build" / "inventories"
    folder.mkdir(parents=True, exist_ok=True)
    for name in BASES:
        (folder / f"{name}.inv").write_bytes(_inventory(name))
    return {name: (base, str(folder / f"{name}.inv")) for name, base in BASES.items()}


def _rows():
    for line in _TABLE.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            project, role, name, address = line.split()
            yield project, f"{name} {role} 1 {address} -\n"


def _inventory(project):
    """An inventory in the format that Sphinx reads (version 2)."""
    head = (
        f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        "# The remainder of this file is compressed using zlib.\n"
    )
    rows = "".join(row for name, row in _rows() if name == project)
    return head.encode() + zlib.compress(rows.encode())
