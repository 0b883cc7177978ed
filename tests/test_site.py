"""What the site is made of: its pages, its reference and the lecture's table are complete."""

import ast
import importlib
import json
import os
import re
from pathlib import Path

import pytest

import schuss as sc

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MADE = ("optimizers", "project", "reference")
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="reads the documents")


def test_each_row_of_the_lecture_has_a_place_a_notebook_and_a_test():
    lecture = (DOCS / "lecture.md").read_text()
    row = r"^\| (\d+) \| [^|]+ \| \[[^]]+\]\(#([^)]+)\) \| ([\d, to]+) \| `(\w+)` \|"
    rows = re.findall(row, lecture, re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, 23))
    body = ast.parse((ROOT / "tests" / "test_lecture.py").read_text()).body
    tests = {node.name for node in body if hasattr(node, "name")}
    titles = re.findall(r"^## (.+)$", lecture, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    kept = {path.name[:2] for path in (ROOT / "lecture").glob("*.ipynb")}
    for number, anchor, notebooks, test in rows:
        assert {f"0{each}" for each in re.findall(r"\d+", notebooks)} <= kept
        assert test in tests
        assert test.startswith(f"test_row_{int(number):02}_")
        assert anchor in anchors


def test_each_optimizer_has_a_row_in_each_table():
    tables = re.split(r"^\| class \|.*$", (DOCS / "optimizers.md").read_text(), flags=re.MULTILINE)[1:]
    assert len(tables) == 3
    names = {rule["name"] for rule in sc.optimizers.rules()} | {"LBFGS"}
    for table in tables:
        rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        assert {name for row in rows for name in re.findall(r"`([A-Z]\w+)`", row.split(", for ")[0])} == names


def test_each_page_is_in_the_index():
    index = (DOCS / "index.md").read_text()
    for page in DOCS.glob("**/*.md"):
        if page.parent.name in MADE or page.stem == "index":
            continue
        assert f"({page.relative_to(DOCS).as_posix()})" in index, page


def pages_of_notebooks():
    return sorted((ROOT / "lecture").glob("*.ipynb"))


@pytest.fixture
def makers(monkeypatch):
    """Import one of the modules that make the site."""
    pytest.importorskip("matplotlib").use("agg")
    pytest.importorskip("sklearn")
    if not (ROOT / "examples").exists():
        pytest.skip("draws with the examples")
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.syspath_prepend(DOCS / "_sphinx")
    return importlib.import_module


@pytest.mark.parametrize("path", pages_of_notebooks(), ids=lambda path: path.stem)
def test_each_notebook_is_a_page_with_what_it_shows(makers, path):
    pages = makers("notebook_pages")
    kept, page = json.loads(path.read_text()), json.loads(pages.text(path))
    note = page["cells"].pop(1)
    assert f"../../lecture/{path.name}" in note["source"]
    assert [cell.get("outputs") for cell in page["cells"]] == [cell.get("outputs") for cell in kept["cells"]]
    assert f"notebooks/{path.stem}" in makers("navigation").TREES["lecture"][""]
    text = "".join(cell["source"] for cell in page["cells"] if cell["cell_type"] == "markdown")
    for link in re.findall(r"\]\((?:path:)?([^)#:]+)", text):
        # The folder of pages is made with the site, and may not be there.
        shown = Path(os.path.normpath(pages.FOLDER / link))
        assert shown.exists() or ROOT / "lecture" / link in pages.PAGES.values(), link


def test_formulas_are_drawn_where_their_line_is(makers):
    formulas = makers("formulas")
    plain, deep = formulas.drawing("x"), formulas.drawing(r"\frac{x}{y}")
    below = [float(re.search(r"vertical-align: (-?[\d.]+)em", each)[1]) for each in (plain, deep)]
    assert below[1] < below[0] - 0.2 < 0
    assert 'aria-label="\\frac{x}{y}"' in deep
    assert len(re.findall("[MLQCZ]", deep)) > len(re.findall("[MLQCZ]", plain))


def test_the_reference_has_every_public_name(makers):
    from test_docstrings import public_names

    listed = makers("reference_pages").documented()
    for name in public_names():
        *_, last = name.split(".")
        assert any(known.endswith(f".{last}") for known in listed), name


def test_the_snippet_of_each_optimizers_page_runs(makers, tmp_path):
    pages = makers("optimizer_pages")
    for name in pages.pages():
        exec(pages.snippet(name), {})
        assert f"sc.{name}(" in pages.text(name)


def test_each_optimizer_has_a_picture(makers, tmp_path):
    pictures = makers("optimizer_pictures")
    pictures.draw("Adam", tmp_path / "Adam.png")
    assert (tmp_path / "Adam.png").stat().st_size > 20_000
    for name in ("SGD", "LBFGS", "ScheduleFreeAdamW"):
        paths = pictures.runs(name)
        assert any(label.startswith(name) for label in paths)
        assert all((points[0] == pictures.START).all() for points in paths.values())
