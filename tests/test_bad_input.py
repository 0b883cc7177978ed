"""A part of the table of bad input; all of it is a soak run."""

import io
import random
from contextlib import redirect_stderr, redirect_stdout

import pytest

pytest.importorskip("sklearn")
from badinput import all_cells, verdict

CELLS = all_cells()
# The same ones each time, spread over all entries.
CHOSEN = random.Random(0).sample(CELLS, 1500)


def test_the_table_has_its_size():
    assert len(CELLS) >= 20_000
    assert len({cell.name for cell in CELLS}) == len(CELLS)


@pytest.mark.parametrize("part", range(10))
def test_what_is_wrong_is_refused_by_name_and_what_is_right_is_right(part):
    faults = {}
    # Progress bars and callbacks that print are among what is tried.
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        for cell in CHOSEN[part::10]:
            if fault := verdict(cell):
                faults[cell.name] = fault
    assert not faults, "\n".join(f"{name}: {fault}" for name, fault in faults.items())


def test_the_table_finds_what_is_wrong():
    """Entry points that accept anything, raise anything or forget the name are found out."""
    from badinput.accepts import Number
    from badinput.cells import Cell
    from badinput.entry import Entry, Subject

    changed = []

    def fault(call, value=-1.0, watched=()):
        entry = Entry("f(x=)", Number(low=0), lambda: Subject(call, watched), ("x",))
        return verdict(Cell(entry, "kind", lambda: value))

    def refuses(text, kind=ValueError):
        def call(value):
            raise kind(text)

        return call

    def changes(value):
        changed.append(value)
        raise ValueError("x must not be negative")

    assert fault(lambda value: None).startswith("accepted")
    assert fault(refuses("bad")).startswith("does not name x")
    assert fault(refuses("x", OverflowError)).startswith("raised OverflowError")
    assert fault(refuses("x", AttributeError)).startswith("raised AttributeError")
    assert fault(refuses("x" * 10_000)).startswith("has 10000 letters")
    assert fault(refuses("x: operands could not be broadcast")).startswith("is in words")
    assert fault(refuses("x"), value=1.0).startswith("refused what is legal")
    assert fault(changes, watched=(changed,)).startswith("changed something")
    assert fault(refuses("x must not be negative")) is None
    assert fault(lambda value: None, value=1.0) is None
