"""The pages of the repository's top: they are read there, and on the site."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
PAGES = {"changelog": ROOT / "CHANGELOG.md", "contributing": ROOT / "CONTRIBUTING.md"}
# Where a link to one of these files leads on the site.
INSTEAD = {path: DOCS / "project" / f"{name}.md" for name, path in PAGES.items()}
INSTEAD[ROOT / "README.md"] = DOCS / "index.md"

_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#]+)(#[^)]*)?\)")


def relink(text, folder, new_folder):
    """A Markdown text that moves from one folder to another, with the links that the site has.

    Files that are no part of it are for downloading, notebooks and Markdown too: ``path:`` says so.
    """

    def moved(link):
        target = Path(os.path.normpath(folder / link[1]))
        target = INSTEAD.get(target, target)
        kind = "" if target.is_relative_to(DOCS) else "path:"
        return f"]({kind}{os.path.relpath(target, new_folder)}{link[2] or ''})"

    return _LINK.sub(moved, text)


def write_page(page, text):
    """Write a page, unless it is there already: Sphinx reads again what is new."""
    page.parent.mkdir(exist_ok=True)
    if not page.exists() or page.read_text() != text:
        page.write_text(text)


def write(app, config):
    """Write the pages."""
    for path in PAGES.values():
        page = INSTEAD[path]
        write_page(page, relink(path.read_text(), ROOT, page.parent))


def relink_page(app, docname, source):
    """Turn a page's links to files at the top into those to their pages."""
    page = Path(app.env.doc2path(docname))
    if page.suffix == ".md" and page.parent != DOCS / "project":
        source[0] = relink(source[0], page.parent, page.parent)


def setup(app):
    """Join Sphinx."""
    app.connect("config-inited", write)
    app.connect("source-read", relink_page, priority=400)  # before the trees are added
    return {"parallel_read_safe": True}
