"""Every promise of the documents has its test beside it."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "docs" / f"{name}.md" for name in ("reliability", "reproducibility")]


@cache
def names_in(file):
    path = Path(__file__).parent / ("soak" if file.startswith("soak_") else "") / file
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


@pytest.mark.skipif(not PAGES[0].exists(), reason="reads the documents")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_promise_names_a_test_that_exists(page):
    rows = [
        line for line in page.read_text().splitlines() if re.match(r"\| (?!-|promise|the same bits \|)", line)
    ]
    assert len(rows) > 10
    for row in rows:
        promise, proofs = row.strip("| ").rsplit(" | ", 1)
        named = re.findall(r"`(\w+\.py)::(test_\w+)`", proofs)
        assert named or "tests.rs" in proofs, f"{promise}: no test"
        for file, test in named:
            assert test in names_in(file), f"{promise}: {file} has no {test}"
