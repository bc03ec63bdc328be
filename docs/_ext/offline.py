"""Built pages load nothing from other hosts: no script, style, font or picture.  Links may lead anywhere."""

import re
from pathlib import Path

from sphinx.errors import ExtensionError

_LOADED = re.compile(
    r"""<(?:script|img|iframe|source|audio|video|embed)\b[^>]*\bsrc\s*=\s*["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?=[^>]*\brel\s*=\s*["']?(?:stylesheet|preload|icon|modulepreload|preconnect))"""
    r"""[^>]*\bhref\s*=\s*["']?((?:https?:)?//[^"'\s>]+)""",
    re.IGNORECASE,
)
_IN_STYLE = re.compile(r"""(?:@import\s+|url\()\s*["']?((?:https?:)?//[^"'\s)]+)""")


def setup(app):
    app.connect("build-finished", check)
    return {"parallel_read_safe": True}


def check(app, failed):
    """Raise where a page or a style loads from another host."""
    if failed or app.builder.format != "html":
        return
    found = []
    for pattern, kind in ((_LOADED, "*.html"), (_IN_STYLE, "*.css")):
        for path in sorted(Path(app.outdir).rglob(kind)):
            for match in pattern.finditer(path.read_text("utf-8")):
                found.append(f"{path.relative_to(app.outdir)} loads {match[1] or match[match.lastindex]}")
    if found:
        raise ExtensionError("pages load from other hosts:\n" + "\n".join(found))
