"""Run the notebooks that are kept with their outputs, and keep the new ones.

Run: python tools/run_notebooks.py [lecture/01_descent.ipynb ...]
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import nbclient
import nbformat

WIDGET = "application/vnd.jupyter.widget-view+json"


def client_of(path: Path) -> nbclient.NotebookClient:
    """What runs a notebook in its own folder."""
    options = {"timeout": 120, "record_timing": False, "store_widget_state": False}
    folder = {"metadata": {"path": str(path.parent)}}
    return nbclient.NotebookClient(nbformat.read(path, as_version=4), resources=folder, **options)


def joined(outputs: Iterable[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Outputs with what was printed in one piece: in how many it comes depends on the moment."""
    every: list[nbformat.NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and every and every[-1].get("name") == output.name:
            every[-1].text += output.text
        else:
            every.append(output)
    return every


def renew(path: Path) -> None:
    """Run a notebook and write it with what shows without a kernel: sliders have their picture above."""
    notebook = client_of(path).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = joined(output for output in cell.outputs if WIDGET not in output.get("data", {}))
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    lecture = Path(__file__).parent.parent / "lecture"
    for each in [Path(name) for name in sys.argv[1:]] or sorted(lecture.glob("*.ipynb")):
        print(each.name)
        renew(each)
