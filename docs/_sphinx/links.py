"""Names in code lead to their place in the reference, where they have one."""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

import schuss

LONG = 28  # letters without a space: site.css breaks such code where it must
# `Adam`, `sc.Adam(lr=0.01)`, `schuss.schedules.cosine`: what begins with a public name.
_NAME = re.compile(r"(?:(?:schuss|sc)\.)?([A-Za-z_]+(?:\.[a-z_]+)*)(?:\(.*\))?", re.DOTALL)


def link_code(app, doctree):
    """Make a link of each public name that stands alone in a Markdown page's code."""
    if Path(app.env.doc2path(app.env.docname)).suffix not in (".md", ".ipynb"):
        return
    for code in list(doctree.findall(nodes.literal)):
        if max(map(len, code.astext().split()), default=0) > LONG:
            code["classes"].append("long")
        match = _NAME.fullmatch(code.astext())
        if not match or match[1].split(".")[0] not in schuss.__all__ or _inside_a_link(code):
            continue
        link = addnodes.pending_xref(
            "",
            refdomain="py",
            reftype="obj",
            reftarget=f"schuss.{match[1]}",
            refdoc=app.env.docname,
            guess=True,
        )
        code.replace_self(link)
        link += code


def _inside_a_link(node):
    while node := node.parent:
        if isinstance(node, (nodes.reference, nodes.title, addnodes.pending_xref)):
            return True
    return False


def plain_code(app, env, node, contnode):
    """A name in backticks that has no place, as that of a parameter, is code and no more.

    What says that it is ours, as ``schuss.x``, must have one: it is left, and becomes a warning.
    """
    ours = node["reftarget"].startswith(("schuss.", "sc.")) and "guess" not in node
    return contnode if node.get("reftype") == "obj" and not ours else None


def setup(app):
    """Join Sphinx."""
    app.connect("doctree-read", link_code)
    app.connect("missing-reference", plain_code)
    return {"parallel_read_safe": True}
