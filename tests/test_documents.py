"""What the documents say: their code runs, what they point to exists, and no file knows a particular machine."""

import doctest
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from daskphys import __version__
from daskphys.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

COMMANDS = [
    "python -m pip install -e . && python -m daskphys demo",
    "python -m pip install -e '.[test]' && python -m pytest",
]
PICTURES = {"distributed_physics_forward.png": (1500, 400), "distributed_physics_adjoint.png": (1200, 400)}

#: What tools make, and the site with what is copied for it.
CACHES = {"__pycache__", ".ipynb_checkpoints", "_build", "generated"}
COPIES = ROOT / "docs" / "notebooks"
FOLDERS = (".ci", "benchmarks", "daskphys", "docs", "examples", "notebooks", "tests")


def files():
    """The project's own files, and no tool's."""
    yield from (*ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / "LICENSE", ROOT / ".gitignore")
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not CACHES & set(path.parts) and path.parent != COPIES:
                yield path


DOCUMENTS = sorted(path for path in files() if path.suffix == ".md")


def blocks(language):
    """The README's code of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def rows(heading, text=README):
    """The cells of the table whose first cell is `heading`, without its head."""
    table = re.search(rf"^\| {heading} \|.*\n\|[ |-]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table, f"no table begins with {heading!r}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


# -- the README ---------------------------------------------------------------------------------------------


def test_the_two_commands():
    assert [line for line in README.splitlines() if line.startswith("python -m pip")] == COMMANDS
    assert [command for block in blocks("sh") for command in block.splitlines()] == COMMANDS


def test_the_code_runs(tmp_path):
    (code,) = blocks("python")
    (tmp_path / "script.py").write_text(code, "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_errors_are_as_shown():
    (session,) = blocks("pycon")
    shown = doctest.DocTestParser().get_doctest(session, {}, "README", "README.md", 0)
    report = []
    doctest.DocTestRunner().run(shown, out=report.append)
    assert not report, "".join(report)


def test_the_demo_prints_what_is_shown(tmp_path, monkeypatch, capsys):
    """But for numbers, and for which task ran where."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--workers", "2", "--threads"]) == 0
    (shown,) = blocks("text")
    assert shown.count("mean 0, max 0") == 3
    printed = capsys.readouterr().out
    assert [form(line) for line in steady(shown)] == [form(line) for line in steady(printed)]


def steady(output):
    """The lines of the demo's output without the report of its last call, which says what ran where."""
    return [line for line in output.splitlines() if line and not re.match(r"worker \d", line)]


def form(line):
    """A line without its numbers."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.]*(e[-+]?\d+)?", "0", line))


def test_the_pictures_are_the_demos():
    for name, size in PICTURES.items():
        assert f"](docs/images/{name})" in README
        with Image.open(ROOT / "docs" / "images" / name) as picture:
            assert picture.size == size


def test_every_claim_names_a_test_that_exists():
    claims = rows("what", (ROOT / "docs" / "evidence.md").read_text("utf-8"))
    assert len(claims) > 10
    for claim, shown_by in claims:
        for name in shown_by.split(", "):
            assert re.fullmatch(r"`(tests/([a-z]+/)?test_\w+\.py|\.ci/\w+)`", name), claim
            assert (ROOT / name.strip("`")).is_file(), name


def test_every_file_that_is_named_exists():
    for document in DOCUMENTS:
        for name in re.findall(
            r"`((?:tests|benchmarks|docs|examples)/[\w./]+)`", document.read_text("utf-8")
        ):
            assert (ROOT / name).exists(), f"{document.name} names {name}"


def test_every_extra_is_explained():
    named = {extra for cells in rows("extra") for extra in re.findall(r"`(\w+)`", cells[0])}
    assert named == set(PROJECT["optional-dependencies"])


# -- all documents ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_local_links_lead_somewhere(document):
    text = re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?://|mailto:|#", target):
            assert (document.parent / target.partition("#")[0]).exists(), target


def test_the_changelog_has_the_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"(?m)^(## \[{re.escape(__version__)}\]|To be {re.escape(__version__)}\b)", text)
    assert PROJECT["version"] == __version__


def test_contributing_names_every_room():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for path in (ROOT / "daskphys").iterdir():
        if not path.name.startswith(("_", ".")) and path.name not in ("py.typed", "daskphys.yaml"):
            assert f"`{path.stem}`" in text, f"{path.stem} is not in the list of rooms"


# -- machines -----------------------------------------------------------------------------------------------


def test_ci_names_no_host():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text("utf-8")
    assert not re.findall(r"\w+://|\b[\w-]+\.(?:org|com|io|net|dev)\b|index.url|\d+\.\d+\.\d+\.\d+", text)


def test_no_file_knows_a_particular_machine():
    homes = re.compile(rb"(?<![\w.])/(work|root|tmp|home|Users)/")
    for path in files():
        found = homes.search(path.read_bytes()) if path.suffix not in {".png", ".npz"} else None
        assert not found, f"{path.relative_to(ROOT)}: {found}"


def test_the_first_steps_print_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "first_steps.md"
    session = "\n".join(
        re.findall(r"^```pycon\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )
    shown = doctest.DocTestParser().get_doctest(session, {}, page.stem, str(page), 0)
    report = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(shown, out=report.append)
    assert not report, "".join(report)
    assert (tmp_path / "first_steps.png").stat().st_size > 10_000


def test_the_code_of_the_sites_first_page_runs():
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "index.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    exec(compile(code, "index.md", "exec"), {})


PAGES = sorted((ROOT / "docs" / "operators").glob("*.md"))
GUIDES = sorted(set((ROOT / "docs" / "howto").glob("*.md")) - {ROOT / "docs" / "howto" / "index.md"})


@pytest.mark.parametrize("page", PAGES + GUIDES, ids=lambda path: path.stem)
def test_the_code_of_the_pages_runs(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    module = ModuleType(f"page_{page.stem}")  # where pickle finds its classes
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for code in found:
        exec(compile(code, page.name, "exec"), vars(module))


def test_every_operators_page_is_in_the_list():
    index = (ROOT / "docs" / "operators.md").read_text("utf-8")
    assert PAGES
    assert all(f"](operators/{page.name})" in index for page in PAGES)
