"""Every snippet of the documentation runs and prints what is shown below it: a page from top to bottom."""

import contextlib
import io
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MADE = ("optimizers", "project", "reference")  # by `make docs`, from what is tested elsewhere
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted(ROOT.glob("docs/**/*.md")) if page.parent.name not in MADE),
]
WITH_CODE = [page for page in PAGES if "```python" in page.read_text()]
# Snippets of these run where they are installed; the others of their page run everywhere.
PEERS = ("torch", "keras", "jax", "optax", "pyarrow")
# What a snippet prints follows at once, in a block that says ```text.
SNIPPET = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


def named(page):
    return page.relative_to(ROOT).as_posix()


def needs_what_is_missing(block):
    used = [peer for peer in PEERS if re.search(rf"^(import|from) {peer}\b", block, re.MULTILINE)]
    return not all(map(find_spec, used))


def assert_alike(printed, shown):
    """Demand the same words and the same numbers, but for one in the last digit that is shown.

    The last bits of a sum depend on the processor, and rounding may make one digit of them.
    """
    printed, shown = " ".join(printed.split()), " ".join(shown.split())
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown)
    for came, expected in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
        places = len(expected.partition(".")[2])
        assert len(came.partition(".")[2]) == places, f"{came} where {expected} is shown"
        distance = abs(float(came.replace(",", "")) - float(expected.replace(",", "")))
        assert distance < 1.5 * 10.0**-places, f"{came} where {expected} is shown"


@pytest.mark.parametrize("page", WITH_CODE, ids=named)
def test_the_snippets_run_and_print_what_is_shown(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    for folder in set(re.findall(r"examples/data/\w+", text)):
        if not (ROOT / folder).exists():
            pytest.skip(f"reads {folder}")
        shutil.copytree(ROOT / folder, tmp_path / folder)
    names = {"__name__": page.stem}
    for block in SNIPPET.finditer(text):
        if needs_what_is_missing(block[1]):
            continue
        # Empty lines before it, so that a traceback shows the page's own line number.
        above = "\n" * text.count("\n", 0, block.start(1))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(above + block[1], page, "exec"), names)
        if block[2] is not None:
            assert_alike(printed.getvalue(), block[2])


def test_the_readme_shows_what_its_snippets_print():
    shown = [block[2] for block in SNIPPET.finditer((ROOT / "README.md").read_text())]
    assert len(shown) == 4
    assert all(shown)


@pytest.mark.parametrize(
    ("printed", "alike"),
    [
        ("loss 0.26, 1,204 rows\n", True),
        ("loss  0.25,\n1,205 rows", True),
        ("loss 0.28, 1,204 rows", False),
        ("loss 0.26, 1,206 rows", False),
        ("loss 0.260, 1,204 rows", False),
        ("loss -0.26, 1,204 rows", False),
        ("error 0.26, 1,204 rows", False),
        ("loss 0.26", False),
        ("loss nan, 1,204 rows", False),
    ],
)
def test_what_is_printed_is_compared(printed, alike):
    with contextlib.nullcontext() if alike else pytest.raises(AssertionError):
        assert_alike(printed, "loss 0.26, 1,204 rows\n")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=named)
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
