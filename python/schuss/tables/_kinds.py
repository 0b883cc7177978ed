"""Of what kind each column is: what its values and its dtype say, or what the user has said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .._checks import check_name, check_sequence, shown
from .._meant import did_you_mean
from ._reading import Column, Table
from ._values import (
    DATED,
    DURATION,
    FLAG,
    LEADING_ZERO,
    MISSING,
    NUMERIC,
    TEXT,
    TIME,
    families,
    is_mark,
    moment,
    reads_as_number,
)

KINDS = ("number", "category", "date", "drop")
BLOCK = 16_384  # rows that are read at a time

# Free text: most rows have a text of their own, of many words or very long. Names and addresses have fewer.
TEXT_LEAST, TEXT_DISTINCT, TEXT_WORDS, TEXT_LETTERS = 10, 0.5, 6, 60


def blocks(column: Column, n_rows: int) -> Iterator[np.ndarray[Any, Any]]:
    """The rows of a column, some thousand at a time."""
    for start in range(0, n_rows, BLOCK):
        yield column.read(start, min(start + BLOCK, n_rows))


# What the user says


def wished(table: Table, columns: Any, categorical_features: Any) -> dict[int, str]:
    """The kinds that the user has chosen, by the places of the columns."""
    found = {}
    if categorical_features is not None and not _is(categorical_features, "from_dtype"):
        places = _places("categorical_features", categorical_features, table)
        found = dict.fromkeys(places, "category")
    if columns is None:
        return found
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns must be a mapping from columns to their kinds, got {shown(columns)}")
    for label, kind in columns.items():
        place = _place("columns", label, table)
        if check_name(f"columns[{label!r}]", kind, KINDS) not in KINDS:
            meant = did_you_mean(kind, KINDS)
            raise ValueError(f"columns[{label!r}] must be one of {', '.join(KINDS)}, got {kind!r}{meant}")
        if found.get(place, kind) != kind:
            raise ValueError(f"columns[{label!r}] is {kind!r}, but categorical_features has it as well")
        found[place] = kind
    return found


def _is(value: Any, word: str) -> bool:
    return isinstance(value, str) and value == word


def _places(argument: str, given: Any, table: Table) -> list[int]:
    if isinstance(given, np.ndarray):
        given = given.tolist()
    expected = "a list of names or places of columns, or of True and False for each column"
    entries = check_sequence(argument, given, expected)
    if entries and all(isinstance(entry, bool | np.bool_) for entry in entries):
        if len(entries) != len(table.columns):
            raise ValueError(
                f"{argument} must have {len(table.columns)} entries, one for each column, got {len(entries)}"
            )
        return [place for place, entry in enumerate(entries) if entry]
    return [_place(argument, entry, table) for entry in entries]


def _place(argument: str, label: Any, table: Table) -> int:
    count = len(table.columns)
    if isinstance(label, str):
        if table.names is None:
            raise ValueError(
                f"{argument} has the name {label!r}, but the columns of X have no names, only places"
            )
        if label not in table.names:
            meant = did_you_mean(label, table.names)
            raise ValueError(f"{argument} has {label!r}, which is no column of X{meant}")
        return table.names.index(label)
    if isinstance(label, int | np.integer) and not isinstance(label, bool) and -count <= label < count:
        return int(label) % count
    raise ValueError(f"{argument} must have names or places of the {count} columns of X, got {shown(label)}")


# What the values say


def kind_of_column(column: Column, n_rows: int, wish: str | None) -> tuple[str, str]:
    """The kind of a column, and a word on why where it is not plain."""
    if wish is not None:
        _check_wish(column, n_rows, wish)
        return wish, "as asked"
    if column.hint is not None:
        return column.hint, ""
    found: set[str | None] = set()
    for block in blocks(column, n_rows):
        found |= families(block.tolist())
    if None in found:
        raise _refused(column, n_rows)
    found.discard(MISSING)
    if not found:
        return "drop", "all missing"
    if (found <= {NUMERIC, FLAG} and NUMERIC in found) or found in ({DURATION}, {TIME}):
        return "number", ""
    if found == {DATED}:
        return "date", ""
    if found <= {TEXT, FLAG}:
        return ("category", "") if FLAG in found else _kind_of_text(column, n_rows)
    return _kind_of_mixed(column, n_rows, found)


def _check_wish(column: Column, n_rows: int, wish: str) -> None:
    if wish == "number" and column.hint == "date":
        raise ValueError(
            f"{column.name} has dates, which are no numbers: columns may call it 'date' or 'drop'"
        )
    if wish == "date" and column.hint == "number":
        raise ValueError(f"{column.name} has numbers, and no unit that would make them dates: convert them")


def _refused(column: Column, n_rows: int) -> TypeError:
    values = (value for block in blocks(column, n_rows) for value in block.tolist())
    bad = next(value for value in values if None in families([value]))
    return TypeError(
        f"{column.name} has {shown(bad)}, of {type(bad).__name__}: "
        "each entry of this argument must be a string, a date or a number"
    )


def _texts(column: Column, n_rows: int) -> Counter[Any]:
    """How often each text is there; other things are left out."""
    tally: Counter[Any] = Counter()
    for block in blocks(column, n_rows):
        values = block.tolist()
        tally.update(value for value in values if isinstance(value, str | bytes))
    return tally


def _kind_of_text(column: Column, n_rows: int) -> tuple[str, str]:
    tally = _texts(column, n_rows)
    texts = [text if isinstance(text, str) else text.decode("utf-8", "replace") for text in tally]
    known = [text for text in texts if not is_mark(text)]
    if known and all(map(reads_as_number, known)) and not any(map(LEADING_ZERO.match, known)):
        # Whole numbers that are text in a frame are meant to be text, unless a mark has made them so.
        marks = sorted(set(texts) - set(known))
        if column.all_text or marks or not all(text.strip().lstrip("+-").isdigit() for text in known):
            return "number", "text that reads as numbers" + (f", {marks[0]!r} is missing" if marks else "")
    if known and all(map(_reads_as_date, known)):
        return "date", "text that reads as dates"
    if is_free_text(tally):
        raise ValueError(
            f"{column.name} is free text, which is not read ({shown(known[0])}): leave it out, "
            "say columns={...: 'drop'}, or make numbers of it; columns={...: 'category'} takes it as it is"
        )
    return "category", ""


def _reads_as_date(text: str) -> bool:
    try:
        return bool(moment(text) == moment(text))
    except ValueError:
        return False


def is_free_text(tally: Mapping[str, int]) -> bool:
    """Whether most rows have a text of their own, long or of many words."""
    rows = sum(tally.values())
    if len(tally) < max(TEXT_LEAST, TEXT_DISTINCT * rows):
        return False
    letters = sum(len(text) * count for text, count in tally.items()) / rows
    words = sum(len(text.split()) * count for text, count in tally.items()) / rows
    return letters >= TEXT_LETTERS or words >= TEXT_WORDS


def _kind_of_mixed(column: Column, n_rows: int, found: set[str | None]) -> tuple[str, str]:
    texts = [text if isinstance(text, str) else text.decode() for text in _texts(column, n_rows)]
    if found <= {NUMERIC, TEXT, FLAG} and all(is_mark(text) or reads_as_number(text) for text in texts):
        return "number", "text among the numbers is read as numbers"
    if found == {DATED, TEXT} and all(is_mark(text) or _reads_as_date(text) for text in texts):
        return "date", "text among the dates is read as dates"
    what = " and ".join(sorted(str(each) for each in found))
    example = next((text for text in texts if not reads_as_number(text)), None)
    seen = "" if example is None else f", such as {shown(example)}"
    raise ValueError(
        f"{column.name} has values of different kinds ({what}{seen}): make them one, "
        "or say columns={...: 'category'}, which takes each by what it reads"
    )


def check_places(places: Sequence[int], count: int) -> None:
    """A state's places, which must be those of a table of `count` columns."""
    if any(not 0 <= place < count for place in places):
        raise ValueError(f"state must have places of {count} columns, got {shown(list(places))}")
