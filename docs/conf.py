"""How the site is built: ``sphinx-build -W -n --keep-going -b html docs docs/_build/html``."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import inventories
import names

from daskphys import __version__

project = "daskphys"
author = "daskphys developers"
copyright = "daskphys developers, BSD-3-Clause"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "mathml",
    "names",
    "repository",
    "offline",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True

# -- text ---------------------------------------------------------------------------------------------------

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

# Notebooks are executed where they are tested; `repository` says how their outputs come here.
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # scripts of widgets would come from other hosts: a page shows what stands in for them
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

# -- reference ----------------------------------------------------------------------------------------------

templates_path = ["_templates"]
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say it in words
autodoc_inherit_docstrings = False  # what a class only implements is said once, where it is declared
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # types are prose: "array, shape (h, w)"
numpydoc_xref_aliases = names.short() | {
    "Client": "distributed.Client",
    "Figure": "matplotlib.figure.Figure",
}

# A name in single backticks becomes a link where it is the name of something, and is code elsewhere.
default_role = "py:obj"
nitpick_ignore_regex = [("py:obj", ".*")]

# Links to other projects need no network: `inventories` has the few names that are asked for.  With
# DASKPHYS_DOCS_ONLINE=1 they are looked up in the projects' own inventories instead.
intersphinx_mapping = inventories.mapping(online=os.environ.get("DASKPHYS_DOCS_ONLINE") == "1")

# -- looks --------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "daskphys"
html_static_path = ["_static"]
html_css_files = ["daskphys.css"]
html_show_sourcelink = False
html_math_renderer = "mathml"
toc_object_entries_show_parents = "hide"
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"tutorial": [], "index": []}
