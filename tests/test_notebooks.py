"""Notebooks are kept without outputs (``pytest --nbmake notebooks`` runs them)."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stripped(path):
    notebook = json.loads(path.read_text("utf-8"))
    assert notebook["metadata"] == METADATA
    assert notebook["nbformat"] == 4
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        assert "".join(cell["source"]).strip()
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_explains_before_it_computes(path):
    kinds = [cell["cell_type"] for cell in json.loads(path.read_text("utf-8"))["cells"]]
    assert kinds[0] == "markdown"
    assert kinds.count("markdown") >= kinds.count("code") / 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_links_of_a_notebook_lead_somewhere(path):
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        for target in re.findall(r"\]\(([^)\s]+)\)", "".join(cell["source"])):
            if cell["cell_type"] == "markdown" and not re.match(r"https?://|#", target):
                assert (path.parent / target.partition("#")[0]).exists(), target


def test_every_notebook_is_in_the_list():
    listed = re.findall(
        r"^\| \[\w+\]\((\w+\.ipynb)\)", (ROOT / "notebooks" / "README.md").read_text("utf-8"), re.M
    )
    assert listed == [path.name for path in NOTEBOOKS]
