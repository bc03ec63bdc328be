"""What the site's own extensions do: links that leave docs/, pages that load from elsewhere, addresses of other projects."""

import runpy
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parent.parent
EXTENSIONS = ROOT / "docs" / "_ext"


def extension(name):
    return runpy.run_path(str(EXTENSIONS / f"{name}.py"))


def shown(page, text):
    """The source of a page as Sphinx gets it."""
    source = [text]
    app = SimpleNamespace(env=SimpleNamespace(note_dependency=lambda file: None))
    extension("repository")["read"](app, page, source)
    return source[0]


@pytest.mark.parametrize(
    ("page", "written", "led"),
    [
        ("evidence", "../README.md#what-has-not-been-run", "project/readme.md#what-has-not-been-run"),
        ("operators/radio", "../../examples/radio.py", "../../examples/radio.py"),  # is downloaded
        ("operators/radio", "../../examples/", "../project/examples.md"),
        ("first_steps", "../notebooks/01_demo.ipynb", "notebooks/01_demo.ipynb"),
        ("operators/mri", "noncartesian.md", "noncartesian.md"),
        ("notebooks/02_mri", "../docs/operators/mri.md", "../operators/mri.md"),
        ("notebooks/01_demo", "02_mri.ipynb", "02_mri.ipynb"),
        ("design", "https://zarr.dev", "https://zarr.dev"),
        ("design", "nowhere.md", "nowhere.md"),  # which Sphinx will say
    ],
)
def test_links_lead_to_pages_of_the_site(page, written, led):
    assert shown(page, f"see [this]({written}), `D[0](x)`") == f"see [this]({led}), `D[0](x)`"


def test_a_page_shows_the_file_that_it_stands_for():
    text = shown("project/contributing", (ROOT / "docs/project/contributing.md").read_text("utf-8"))
    assert text.startswith("# Contributing\n")
    assert "](changelog.md)" in text
    assert "](../design.md)" in text


def test_every_page_that_stands_for_a_file_links_to_it():
    """For who reads it on a code host."""
    pages = extension("repository")["PAGES"]
    assert {f"project/{path.stem}" for path in (ROOT / "docs" / "project").glob("*.md")} == set(pages)
    for page, file in pages.items():
        assert f"](../../{file})" in (ROOT / "docs" / f"{page}.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script async src="https://cdn.example/x.js"></script>'),
        ("a.html", '<link href="//fonts.example/x.css" rel="stylesheet">'),
        ("a.html", '<img alt="x" src="http://pictures.example/x.png">'),
        ("_static/a.css", '@font-face { src: url("https://fonts.example/x.woff2"); }'),
    ],
)
def test_what_loads_from_another_host_fails_the_build(tmp_path, name, text):
    app = SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=str(tmp_path))
    check = extension("offline")["check"]
    (tmp_path / "_static").mkdir()
    (tmp_path / "b.html").write_text(
        '<a href="https://zarr.dev">z</a><script src="_static/x.js"></script><link rel="canonical" href="https://x.y">'
    )
    check(app, None)
    (tmp_path / name).write_text(text)
    with pytest.raises(ExtensionError, match=rf"{name} loads .*\.example/x"):
        check(app, None)


def test_addresses_of_other_projects_are_inventories_of_theirs():
    inventories = extension("inventories")
    assert {project for project, _ in inventories["_rows"]()} <= set(inventories["BASES"])
    *head, packed = inventories["_inventory"]("python").split(b"\n", 4)
    assert head[0] == b"# Sphinx inventory version 2"
    assert b"int py:class 1 library/functions.html#$ -\n" in zlib.decompress(packed)
