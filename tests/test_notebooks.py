"""The notebooks run from top to bottom as in Jupyter, and show what their text says."""

import re
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

FOLDER = Path(__file__).parent.parent / "examples" / "notebooks"


def outputs_of(name):
    """Run a notebook; all that its cells showed."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    # A warning would be a red box in the middle of the page.
    assert [o.text for o in outputs if o.output_type == "stream" and "Warning" in o.text] == []
    return outputs


def printed(outputs):
    return "".join(output.text for output in outputs if output.get("name") == "stdout")


def html(outputs):
    return "".join(output.get("data", {}).get("text/html", "") for output in outputs)


def pictures(outputs):
    return sum("image/png" in output.get("data", {}) for output in outputs)


def test_fashion_mnist_learns_and_shows_its_mistakes():
    outputs = outputs_of("fashion_mnist.ipynb")
    assert float(re.search(r"([\d.]+)% of 500 test images are right", printed(outputs))[1]) > 80
    assert "<b>History</b>: 30 epochs" in html(outputs)
    assert "235,146" in html(outputs)
    assert pictures(outputs) == 4


def test_replacing_scikit_learn_finds_a_better_model():
    outputs = outputs_of("replace_scikit_learn.ipynb")
    # The mean training price as the prediction for all is off by 91,000 dollars.
    assert int(re.search(r"off by ([\d,]+) dollars", printed(outputs))[1].replace(",", "")) < 45_000
    assert "stopped: converged" in html(outputs)
    assert "absolute_error" in html(outputs)
    assert pictures(outputs) == 1


@pytest.mark.parametrize("notebook", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(notebook):
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert [(cell.outputs, cell.execution_count) for cell in cells] == [([], None)] * len(cells)
