"""The whole table of bad input, in an order of its own each time, as far as the time goes."""

import io
import random
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
pytest.importorskip("sklearn")
from badinput import all_cells, verdict


def test_what_is_wrong_is_refused_by_name_and_what_is_right_is_right(soak):
    cells = all_cells()
    random.Random(soak.seed).shuffle(cells)
    faults = {}
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        for cell in cells:
            if not soak.goes_on():
                break
            soak.count("cells")
            if fault := verdict(cell):
                faults[cell.name] = fault
    assert not faults, "\n".join(f"{name}: {fault}" for name, fault in faults.items())
