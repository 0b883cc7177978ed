"""The notebooks of the lecture as pages, which show what they are kept with: nothing is run."""

import json

from project_pages import DOCS, INSTEAD, ROOT, relink, write_page

PAGES = {path.stem: path for path in sorted((ROOT / "lecture").glob("*.ipynb"))}
FOLDER = DOCS / "notebooks"
INSTEAD |= {path: FOLDER / path.name for path in PAGES.values()}

NOTE = """\
The sliders move where this runs: [the notebook](path:../../lecture/{name}),
[sliders.py](path:../../lecture/sliders.py), and [what else it needs](../lecture.md#the-lecture-as-notebooks).
"""


def text(path):
    """A notebook as its page has it: with the links that the site has, and a note below its title."""
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = relink("".join(cell["source"]), path.parent, FOLDER)
    note = {"cell_type": "markdown", "id": "note", "metadata": {}, "source": NOTE.format(name=path.name)}
    notebook["cells"].insert(1, note)
    return json.dumps(notebook, indent=1)


def write(app, config):
    """Write the pages."""
    for path in PAGES.values():
        write_page(INSTEAD[path], text(path))


def setup(app):
    """Join Sphinx."""
    app.connect("config-inited", write)
    return {"parallel_read_safe": True}
