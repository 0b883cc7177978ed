"""The notebooks of the lecture are kept with what they show: a new run shows the same, and sliders move."""

import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")

ROOT = Path(__file__).parent.parent
if not (ROOT / "lecture").exists():
    pytest.skip("reads the notebooks", allow_module_level=True)
NOTEBOOKS = sorted((ROOT / "lecture").glob("*.ipynb"))
TOOL = {"__name__": "run_notebooks"}
exec((ROOT / "tools" / "run_notebooks.py").read_text(), TOOL)

# The sliders are the value of the cell that shows their picture.
MOVE = """
(box,) = (shown for shown in Out.values() if type(shown).__name__ == "VBox")
for slider in box.children:
    slider.index = 0 if slider.index else 1
"""


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(cell):
    """What a cell has printed and shown, without pictures and sliders."""
    outputs = [output for output in cell.outputs if TOOL["WIDGET"] not in output.get("data", {})]
    return [
        output.text if output.output_type == "stream" else output.data["text/plain"]
        for output in TOOL["joined"](outputs)
    ]


def pictures(cell):
    return [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_new_run_shows_what_is_kept_and_sliders_move(path):
    kept = code_of(nbformat.read(path, as_version=4))
    client = TOOL["client_of"](path)
    cells = code_of(client.nb)
    mover = nbformat.v4.new_code_cell(MOVE)
    client.nb.cells.append(mover)
    with client.setup_kernel():
        for number, cell in enumerate(client.nb.cells[:-1]):
            client.execute_cell(cell, number)
        # Warnings would be among the words.
        assert [words(cell) for cell in cells] == [words(cell) for cell in kept], (
            f"if this is right: python tools/run_notebooks.py {path.relative_to(ROOT)}"
        )
        before = [pictures(cell) for cell in cells]
        assert [len(each) for each in before] == [len(pictures(cell)) for cell in kept]
        client.execute_cell(mover, len(client.nb.cells) - 1)
    # Only the picture above the sliders is another one.
    changed = [cell for cell, old in zip(cells, before, strict=True) if pictures(cell) != old]
    assert ["with_sliders(" in cell.source for cell in changed] == [True]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_each_has_a_formula_a_picture_sliders_and_checks(path):
    notebook = nbformat.read(path, as_version=4)
    prose = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    code = "".join(cell.source for cell in code_of(notebook))
    assert "$" in prose
    assert "\nassert " in code
    assert code.count("with_sliders(") == 1
    assert any(pictures(cell) for cell in code_of(notebook))
    assert path.stat().st_size < 300_000
    # What cannot be seen without a kernel is not kept: Jupyter would show an error in its place.
    assert TOOL["WIDGET"] not in path.read_text()


def test_the_lecture_is_complete_and_its_page_names_each():
    page = (ROOT / "docs" / "lecture.md").read_text()
    assert [path.name[:2] for path in NOTEBOOKS] == [f"0{number}" for number in range(1, 9)]
    assert [path.name for path in NOTEBOOKS if f"](../lecture/{path.name})" not in page] == []


def test_without_ipywidgets_the_picture_is_there(monkeypatch, capsys):
    import matplotlib as mpl

    mpl.use("agg")
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.syspath_prepend(str(ROOT / "lecture"))
    from matplotlib import pyplot as plt
    from sliders import with_sliders

    drawn = []

    def draw(lr=0.1):
        drawn.append(lr)
        return plt.figure()

    assert with_sliders(draw, lr=[0.1, 0.2]) is None
    assert drawn == [0.1]
    assert "Figure" in capsys.readouterr().out
    assert plt.get_fignums() == []
