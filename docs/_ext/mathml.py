"""Formulas as MathML, which browsers draw by themselves: no script, and none from another host."""

from docutils import nodes
from docutils.utils.math.latex2mathml import MathError, tex2mathml
from sphinx.util import logging

_LOG = logging.getLogger(__name__)


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True}


def inline(writer, node):
    """``$…$``."""
    writer.body.append(_drawn(node, as_block=False))
    raise nodes.SkipNode


def block(writer, node):
    """``$$…$$``."""
    writer.body.append(f'<div class="formula">{_drawn(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def _drawn(node, *, as_block):
    try:
        return tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
        _LOG.warning("a formula that MathML lacks: %s", error, location=node)
        return ""
