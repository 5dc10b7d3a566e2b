"""How the documentation is built: ``nox -s docs``, without a network."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import gradx  # noqa: E402

project = "gradx"
author = "The gradx authors"
project_copyright = f"2026, {author}"
version = release = gradx.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",  # reads "Raises:", all that our docstrings have of sections
    "extension",
]
exclude_patterns = ["_build"]

myst_heading_anchors = 3  # [text](page.md#a-heading), as forges have it
napoleon_numpy_docstring = False

autodoc_typehints_format = "short"
autodoc_preserve_defaults = True  # bias_init=zeros, not <function zeros at 0x...>
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

nitpicky = True
nitpick_ignore_regex = [
    # What other projects define: their inventories would have to be downloaded.
    (r"py:.*", r"(?!gradx\b).*"),
    # Types of arguments and fields that are shown, and are nobody's to make.
    (
        r"py:class",
        r"gradx\.(backends\.settings|data\.rows|dtypes|graph\.\w+|inspection|nn\.module"
        r"|nn\.summary|saving\.trees|train\.state|transforms\.(checkpoint|custom))\.\w+",
    ),
]

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"gradx {release}"
html_sidebars = {"getting-started": [], "index": []}  # they have no pages below them
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": True,
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
