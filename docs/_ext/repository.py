"""Files of the repository that lie outside ``docs/``, as pages of the site.

On a code host every page links to others by relative paths, also to those outside ``docs/``.  Here a link to a file
that is a page of the site leads to the page; one to any other file lets it be downloaded, which Sphinx does by itself.

Notebooks are copied to ``docs/notebooks`` from the folder that ``DASKPHYS_NOTEBOOKS`` names, where they may have been
executed, or else as they are kept: without outputs.
"""

import os
import re
import shutil
from pathlib import Path

DOCS = Path(__file__).parent.parent
ROOT = DOCS.parent

#: The page that shows a file.  Its own source is a line that links to the file, for readers on a code host.
PAGES = {
    "project/readme": "README.md",
    "project/contributing": "CONTRIBUTING.md",
    "project/changelog": "CHANGELOG.md",
    "project/examples": "examples/README.md",
    "project/benchmarks": "benchmarks/README.md",
    "project/notebooks": "notebooks/README.md",
}
_SHOWN = {ROOT / file: DOCS / f"{page}.md" for page, file in PAGES.items()}
_NOTEBOOKS = ROOT / "notebooks"


def setup(app):
    app.connect("builder-inited", copy_notebooks)
    app.connect("source-read", read)
    return {"parallel_read_safe": True}


def copy_notebooks(app):
    """The notebooks that the site shows, each written only where it is not there already."""
    source, target = Path(os.environ.get("DASKPHYS_NOTEBOOKS", _NOTEBOOKS)), DOCS / "notebooks"
    target.mkdir(exist_ok=True)
    wanted = {path.name: path for path in source.glob("*.ipynb")}
    for path in target.glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    for name, path in wanted.items():
        if not (target / name).exists() or (target / name).read_bytes() != path.read_bytes():
            shutil.copyfile(path, target / name)


def read(app, page, source):
    """The text of a page: of the file that it shows, with links that lead to pages."""
    file = DOCS / f"{page}.md"
    if page in PAGES:
        file = ROOT / PAGES[page]
        app.env.note_dependency(str(file))
        source[0] = file.read_text("utf-8")
    elif page.startswith("notebooks/"):
        file = ROOT / f"{page}.ipynb"
    source[0] = re.sub(
        r"(\]\()([^()\s#:]+)((?:#[^()\s]*)?\))",
        lambda link: link[1] + _target(link[2], file.parent, (DOCS / page).parent) + link[3],
        source[0],
    )


def _target(link, here, there):
    """Where a link of a file in the folder `here` leads to from a page in the folder `there`."""
    found = Path(os.path.normpath(here / link))
    if not found.exists():
        return link
    if found.is_dir() and (found / "README.md").exists():
        found = found / "README.md"
    if found in _SHOWN:
        found = _SHOWN[found]
    elif found.parent == _NOTEBOOKS and found.suffix == ".ipynb":
        found = DOCS / "notebooks" / found.name
    return os.path.relpath(found, there)
