"""The public names: those that the reference lists."""

import re
from pathlib import Path

REFERENCE = Path(__file__).parent.parent / "reference"


def listed():
    """Full name of each name in a table of the reference, in their order."""
    found = []
    for page in sorted(REFERENCE.glob("*.md")):
        module, inside = "", False
        for line in page.read_text("utf-8").splitlines():
            if line.startswith(".. currentmodule:: "):
                module = line.split()[-1]
            elif line.startswith(".. autosummary::"):
                inside = True
            elif line and not line.startswith(" "):
                inside = False
            elif inside and re.fullmatch(r"   \w+", line):
                found.append(f"{module}.{line.strip()}")
    return found


def short():
    """Full name by the last part of it, where that is one name's alone."""
    names = listed()
    last = [name.rpartition(".")[2] for name in names]
    return {key: name for key, name in zip(last, names, strict=True) if last.count(key) == 1}


def setup(app):
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True}


def resolve(app, env, node, contents):
    """`ShapeError` leads to `daskphys.errors.ShapeError` from every page."""
    if node.get("refdomain") != "py" or node["reftarget"] not in (known := short()):
        return None
    node["reftarget"] = known[node["reftarget"]]
    return env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], node["reftarget"], node, contents
    )
