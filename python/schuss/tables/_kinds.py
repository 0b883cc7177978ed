"""Of what kind each column is: what its values and its dtype say, or what the user has said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import check_name, check_sequence, shown
from .._meant import did_you_mean
from ._doubts import doubt_of
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
    day_comes_first,
    families,
    is_mark,
    reads_as_date,
    reads_as_number,
    text_of,
)

KINDS = ("number", "category", "date", "drop")
ALL_MISSING = "all missing"
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
    categories: dict[int, str] = {}
    if categorical_features is not None and not _is(categorical_features, "from_dtype"):
        places = _places("categorical_features", categorical_features, table)
        categories = dict.fromkeys(places, "category")
    if columns is None:
        return categories
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns must be a mapping from columns to their kinds, got {shown(columns)}")
    found: dict[int, str] = {}
    labels: dict[int, object] = {}
    for label, kind in columns.items():
        place = _place("columns", label, table)
        if check_name(f"columns[{label!r}]", kind, KINDS) not in KINDS:
            meant = did_you_mean(kind, KINDS)
            raise ValueError(f"columns[{label!r}] must be one of {', '.join(KINDS)}, got {kind!r}{meant}")
        if categories.get(place, kind) != kind:
            raise ValueError(f"columns[{label!r}] is {kind!r}, but categorical_features has it as well")
        if found.get(place, kind) != kind:
            raise ValueError(
                f"columns has one column as {labels[place]!r} and {label!r}, {found[place]!r} and {kind!r}"
            )
        found[place], labels[place] = kind, label
    return categories | found


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
    is_number = _is_number(label)
    if not isinstance(label, bool) and isinstance(label, Hashable) and label in table.labels:
        return list(table.labels).index(label)
    if is_number and not table.headings.are_places and all(map(_is_number, table.labels)):
        # What a frame calls its columns goes before their places.
        called = shown(list(map(int, table.labels)))
        raise ValueError(f"{argument} has {label!r}, which is no column of X: they are called {called}")
    if is_number and -count <= label < count:
        return int(label) % count
    raise ValueError(f"{argument} must have names or places of the {count} columns of X, got {shown(label)}")


def _is_number(label: Any) -> bool:
    return isinstance(label, int | np.integer) and not isinstance(label, bool)


# What the values say


@dataclass(frozen=True)
class Finding:
    """The kind of a column, a word on why where it is not plain, and how often each value is there."""

    kind: str
    why: str = ""
    counts: Counter[Any] | None = None
    # Whether `why` says what it might be instead.
    doubtful: bool = False


def kind_of_column(column: Column, n_rows: int, wish: str | None) -> Finding:
    """What a column is: what the user says, or its dtype, or its values."""
    if wish is not None:
        _check_wish(column, wish)
        return Finding(wish, "as asked")
    if column.hint is not None:
        return Finding(column.hint)
    found: set[str | None] = set()
    counts: Counter[Any] = Counter()
    for block in blocks(column, n_rows):
        values = block.tolist()
        found |= families(values)
        # Numbers and dates are too many to be counted.
        if found <= {TEXT, FLAG, MISSING}:
            counts.update(values)
    if None in found:
        raise _refused(column, n_rows)
    found.discard(MISSING)
    if not found:
        return Finding("drop", ALL_MISSING)
    if (found <= {NUMERIC, FLAG} and NUMERIC in found) or found in ({DURATION}, {TIME}):
        return Finding("number")
    if found == {DATED}:
        return Finding("date")
    if found == {TEXT}:
        return _finding_of_text(column, counts)
    if found <= {TEXT, FLAG}:
        return Finding("category", "", counts)
    return _finding_of_mixed(column, n_rows, found)


def _check_wish(column: Column, wish: str) -> None:
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
        "each entry of this argument must be a string, a date or a real number; "
        "convert it, or say columns={...: 'drop'}"
    )


def _finding_of_text(column: Column, counts: Counter[Any]) -> Finding:
    texts = [text_of(text) for text in counts if isinstance(text, str | bytes)]
    known = [text for text in texts if not is_mark(text)]
    if known and all(map(reads_as_number, known)) and not any(map(LEADING_ZERO.match, known)):
        # Whole numbers that are text in a frame are meant to be text, unless a mark has made them so.
        marks = sorted(set(texts) - set(known))
        if column.all_text or marks or not all(text.strip().lstrip("+-").isdigit() for text in known):
            mark = f", {marks[0]!r} is missing" if marks else ""
            return Finding("number", f"text that reads as numbers{mark}")
    if known and _read_as_dates(known):
        order = {None: "", True: ", the day first", False: ", the month first"}[day_comes_first(known)]
        return Finding("date", f"text that reads as dates{order}")
    if is_free_text(counts):
        raise ValueError(
            f"{column.name} is free text, which is not read ({shown(known[0])}): leave it out, "
            "say columns={...: 'drop'}, or make numbers of it; columns={...: 'category'} takes it as it is"
        )
    doubt = doubt_of(known)
    return Finding("category", doubt, counts, bool(doubt))


def _read_as_dates(texts: Sequence[str]) -> bool:
    day_first = day_comes_first(texts)
    return all(reads_as_date(text, day_first) for text in texts)


def is_free_text(counts: Mapping[Any, int]) -> bool:
    """Whether most rows have a text of their own, long or of many words."""
    tally = {text: count for text, count in counts.items() if isinstance(text, str | bytes)}
    rows = sum(tally.values())
    if len(tally) < max(TEXT_LEAST, TEXT_DISTINCT * rows):
        return False
    letters = sum(len(text) * count for text, count in tally.items()) / rows
    words = sum(len(text.split()) * count for text, count in tally.items()) / rows
    return letters >= TEXT_LETTERS or words >= TEXT_WORDS


def _finding_of_mixed(column: Column, n_rows: int, found: set[str | None]) -> Finding:
    values = (value for block in blocks(column, n_rows) for value in block.tolist())
    texts = sorted({text_of(value) for value in values if isinstance(value, str | bytes)})
    if found <= {NUMERIC, TEXT, FLAG} and all(is_mark(text) or reads_as_number(text) for text in texts):
        return Finding("number", "text among the numbers is read as numbers")
    if found == {DATED, TEXT} and _read_as_dates(texts):
        return Finding("date", "text among the dates is read as dates")
    what = " and ".join(sorted(str(each) for each in found))
    example = next((text for text in texts if not reads_as_number(text)), None)
    seen = "" if example is None else f", such as {shown(example)}"
    raise ValueError(
        f"{column.name} has values of different kinds ({what}{seen}): make them one, "
        "or say columns={...: 'category'}, which takes each by what it reads"
    )
