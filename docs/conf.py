"""How Sphinx makes the site out of this folder: `make docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_sphinx"), str(HERE.parent / "examples")]

import matplotlib as mpl  # noqa: E402

import schuss  # noqa: E402

mpl.use("agg")  # before a module asks for a window

project = "schuss"
copyright = "2026 The schuss authors"
release = version = schuss.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_copybutton",
    # Ours, in _sphinx.
    "navigation",
    "links",
    "project_pages",
    "notebook_pages",
    "formulas",
    "optimizer_pages",
    "reference_pages",
]
exclude_patterns = ["_sphinx"]
language = "en"

# A name in single backticks, in a docstring, is a link where there is something to link to: see links.py.
default_role = "py:obj"
nitpicky = True
myst_heading_anchors = 4

# Notebooks show what they are kept with.
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "drawn"

autodoc_typehints = "none"  # the docstrings have them, in words
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

highlight_language = "text"  # the formulas of docstrings; Python code says that it is that
pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = f"schuss {release}"
html_static_path = ["_sphinx/static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#0b5e8a", "color-brand-content": "#0b5e8a"},
    "dark_css_variables": {"color-brand-primary": "#6cc0f0", "color-brand-content": "#6cc0f0"},
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
