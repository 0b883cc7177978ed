"""Any table as columns that are read block by block, so that no second copy of it is ever made."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._checks import shown
from .._extras import needed
from ._names import Headings, called
from ._values import WHOLE, moment_in_utc, text_of
from ._zones import NO_ZONE, fixed, refused, zone_called

ACCEPTED = "a data frame (pandas, polars, pyarrow), a 2-dimensional array, or a list of rows"

# The kinds of a dtype that say of what kind a column is.
DTYPES = {"f": "number", "i": "number", "u": "number", "m": "number", "b": "category", "M": "date"}


@dataclass(frozen=True)
class Column:
    """One column of a table: how errors call it, the kind that its dtype says, and how rows are read."""

    name: str
    hint: str | None
    read: Callable[[int, int], np.ndarray[Any, Any]]
    # Whether nothing in this table is anything but text, so that its numbers must be text as well.
    all_text: bool = False
    # Of dates whose dtype has a zone: what it is called, and the column on the clock of another one.
    zone: str | None = NO_ZONE
    moved: Callable[[str], Column] | None = None


@dataclass(frozen=True)
class Table:
    """Columns of equal length; `names` is None where they have only places, or other `labels`."""

    columns: list[Column]
    names: list[str] | None
    n_rows: int
    labels: Sequence[Any] = ()

    @property
    def headings(self) -> Headings:
        """What the columns are called."""
        return Headings(self.names, None if self.names is not None else list(map(called, self.labels)))

    def take(self, rows: np.ndarray[Any, np.dtype[np.intp]]) -> Table:
        """Some of the rows, or some of them more than once, read where they are."""
        return replace(self, columns=[_taken(column, rows) for column in self.columns], n_rows=len(rows))


def _taken(column: Column, rows: np.ndarray[Any, np.dtype[np.intp]]) -> Column:
    def read(start: int, stop: int) -> np.ndarray[Any, Any]:
        wanted = rows[start:stop]
        if not len(wanted):
            return column.read(0, 0)
        first = int(wanted.min())
        return column.read(first, int(wanted.max()) + 1)[wanted - first]

    moved = column.moved
    return replace(column, read=read, moved=None if moved is None else lambda zone: _taken(moved(zone), rows))


def in_zone(column: Column, zone: str | None) -> Column:
    """A column of dates on the clock of a zone, None for their own; objects and texts are moved when read."""
    if zone is None or column.hint != "date" or column.zone == zone:
        return column
    if column.moved is not None and zone != NO_ZONE:
        return column.moved(zone)

    def read(start: int, stop: int) -> np.ndarray[Any, Any]:
        values = column.read(start, stop)
        if not np.isnat(values).all():
            raise ValueError(f"{column.name} {refused(zone, column.zone or 'none')}")
        return values

    return replace(column, read=read)


def as_levels(column: Column) -> Column:
    """A column whose values are levels: those that have a zone only in their dtype are called by it."""
    if column.moved is None:
        return column
    there = column.moved("UTC")

    def read(start: int, stop: int) -> np.ndarray[Any, Any]:
        return objects([None if date != date else moment_in_utc(date) for date in there.read(start, stop)])

    return replace(column, read=read)


def read_table(X: Any) -> Table:
    """`X` as a table; what is none is refused, and a table is itself."""
    if isinstance(X, Table):
        return X
    if hasattr(X, "tocsr") or hasattr(X, "tocoo"):
        raise TypeError(f"X must be dense, got a sparse {type(X).__name__}: X.toarray() is")
    if isinstance(X, np.ndarray):
        return _of_array(X)
    if isinstance(X, Mapping):
        return _of_mapping(X)
    if isinstance(X, list | tuple):
        return _of_rows(list(X))
    if getattr(X, "ndim", 2) == 1 or isinstance(X, str | bytes):
        raise ValueError(f"X must be {ACCEPTED}, got {shown(X)}, which has one dimension. {RESHAPE}")
    if hasattr(X, "collect") and not hasattr(X, "__len__"):
        raise TypeError(f"X must be {ACCEPTED}, got a {type(X).__name__}: X.collect() is one")
    if _names_of(X) is not None:
        return _of_frame(X)
    if hasattr(X, "__array__") or hasattr(X, "__array_interface__"):
        return _of_array(np.asarray(X))
    raise TypeError(f"X must be {ACCEPTED}, got {shown(X)}")


RESHAPE = (
    "Reshape your data either using array.reshape(-1, 1) if your data has a single feature "
    "or array.reshape(1, -1) if it contains a single sample."
)


def _table(columns: list[Column], names: list[str] | None, n_rows: int, labels: Sequence[Any] = ()) -> Table:
    shape = f"(shape=({n_rows}, {len(columns)}))"
    if n_rows == 0:
        raise ValueError(f"X has 0 sample(s) {shape} while a minimum of 1 is required.")
    if not columns:
        raise ValueError(f"X has 0 feature(s) {shape} while a minimum of 1 is required.")
    return Table(columns, names, n_rows, labels)


# Arrays


def _of_array(X: np.ndarray[Any, Any]) -> Table:
    if not isinstance(X, np.ma.MaskedArray):
        X = np.asarray(X)  # rows of a matrix are matrices
    if X.dtype.names is not None:
        raise TypeError(
            f"X must hold single values, got records of {X.dtype}: pandas.DataFrame(X) is a table"
        )
    if X.ndim != 2:
        reshape = f". {RESHAPE}" if X.ndim < 2 else ""
        raise ValueError(f"X must have 2 dimensions, rows and columns, got {X.ndim}{reshape}")
    all_text = X.dtype.kind in "UST" or (X.dtype.kind == "O" and _are_text(X.flat))
    columns = [
        array_column(X[:, place], f"column {place} of X", all_text=all_text) for place in range(X.shape[1])
    ]
    return _table(columns, None, len(X))


def array_column(values: np.ndarray[Any, Any], name: str, all_text: bool = False) -> Column:
    """A column of a 1-dimensional array."""
    kind = values.dtype.kind
    if kind == "c":
        raise ValueError(f"Complex data not supported: {name} has {values.dtype}")
    if kind == "V":
        raise TypeError(f"{name} must hold single values, got {values.dtype}")
    if isinstance(values, np.ma.MaskedArray):
        values = _unmasked(values)
    return Column(name, DTYPES.get(kind), lambda start, stop: values[start:stop], all_text)


def _unmasked(values: Any) -> np.ndarray[Any, Any]:
    """A new array with what is missing where a masked array hides something."""
    kind = values.dtype.kind
    # As floats, long whole numbers would lose digits.
    long = kind in "iu" and np.abs(values.compressed().astype(np.float64)).max(initial=0.0) >= WHOLE
    dtype: Any
    nothing: Any
    if kind in "mM":
        dtype, nothing = values.dtype, np.array("NaT", values.dtype)
    else:
        dtype, nothing = (np.float64, np.nan) if kind in "fiu" and not long else (object, None)
    array = np.array(values.data, dtype=dtype)
    array[np.ma.getmaskarray(values)] = nothing
    return array


# Frames


def _names_of(X: Any) -> list[Any] | None:
    names = getattr(X, "column_names", None)
    names = getattr(X, "columns", None) if names is None else names
    try:
        return None if names is None or callable(names) else list(names)
    except TypeError:
        return None


def _of_frame(X: Any) -> Table:
    labels = _names_of(X) or []
    names = _checked_names(labels)
    with needed(f"reading a {type(X).__name__}", "narwhals", "sklearn"):
        import narwhals as nw
    # By place: pandas may have numbers for names, or what was just refused twice.
    if hasattr(X, "iloc"):
        series = [nw.from_native(X.iloc[:, place], series_only=True) for place in range(len(labels))]
        n_rows = len(X)
    else:
        if type(X).__name__ == "RecordBatch" and hasattr(X, "__arrow_c_stream__"):
            X = nw.from_arrow(X, backend="pyarrow")
        try:
            frame = nw.from_native(X, eager_only=True)
        except TypeError as error:
            raise TypeError(f"X must be {ACCEPTED}, got a {type(X).__name__}") from error
        series = [frame.get_column(label) for label in labels]
        n_rows = len(frame)
    called = [f"column {label!r} of X" for label in labels]
    columns = [_frame_column(each, name) for each, name in zip(series, called, strict=True)]
    return _table(columns, names, n_rows, labels)


def _checked_names(labels: Sequence[Any]) -> list[str] | None:
    twice = (
        sorted({str(label) for label in labels if list(labels).count(label) > 1})
        if len(set(labels)) < len(labels)
        else []
    )
    if twice:
        raise ValueError(f"X must have a name of its own for each column, got more than one {_listed(twice)}")
    are_text = [isinstance(label, str) for label in labels]
    if any(are_text) and not all(are_text):
        raise TypeError(
            "X must have names that are all strings, or none that is, "
            f"got {shown(labels[are_text.index(True)])} and {shown(labels[are_text.index(False)])}"
        )
    return [text_of(label) for label in labels] if all(are_text) else None


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more


def _frame_column(series: Any, name: str) -> Column:
    import narwhals as nw

    dtype = series.dtype
    if dtype.is_nested():
        # Nothing that is read, but it may be dropped.
        return Column(name, None, lambda start, stop: objects(series[start:stop].to_list()))
    if isinstance(dtype, nw.Categorical | nw.Enum):
        if series.implementation.is_pyarrow():
            # Its own conversion to NumPy misplaces what is missing.
            return Column(name, "category", lambda start, stop: objects(series[start:stop].to_list()))
        cat = getattr(series.to_native(), "cat", None) if series.implementation.is_pandas_like() else None
        if cat is not None and (levels := _long_levels(cat.categories)) is not None:
            codes = cat.codes.to_numpy()  # -1 for what is missing
            return Column(name, "category", lambda start, stop: levels[codes[start:stop]])
        return Column(name, "category", lambda start, stop: series[start:stop].to_numpy())
    if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
        return _zoned_column(series, name)
    wide = isinstance(dtype, nw.Decimal | nw.Int128 | nw.UInt128)
    if (wide or (isinstance(dtype, nw.Int64 | nw.UInt64) and series.null_count())) and _is_long(series):
        return Column(name, "number", lambda start, stop: objects(series[start:stop].to_list()))
    if wide:
        series = series.cast(nw.Float64)
    if isinstance(dtype, nw.Time) and series.implementation.is_pyarrow():
        series = _in_microseconds(series)
    hint = DTYPES.get(np.asarray(series[:1].to_numpy()).dtype.kind)
    if isinstance(dtype, nw.Boolean):
        hint = "category"
    return Column(name, hint, lambda start, stop: series[start:stop].to_numpy())


def _in_microseconds(series: Any) -> Any:
    """Arrow's times of day, of which NumPy and Python take no nanoseconds."""
    import narwhals as nw
    import pyarrow

    times = series.to_native().cast(pyarrow.time64("us"), safe=False)
    return nw.from_native(times, series_only=True)


def _zoned_column(series: Any, name: str) -> Column:
    """A column of dates with a zone, on its clock."""

    def moved(zone: str) -> Column:
        ahead = fixed(zone)
        # Not every library has zones that are called by what they are ahead.
        there = series.dt.convert_time_zone(zone if ahead is None else "UTC").dt.replace_time_zone(None)
        return Column(
            name,
            "date",
            lambda start, stop: there[start:stop].to_numpy() + np.timedelta64(ahead or datetime.timedelta(0)),
            zone=zone,
            moved=moved,
        )

    wall = series.dt.replace_time_zone(None)
    zone = zone_called(series.dtype.time_zone)
    return Column(name, "date", lambda start, stop: wall[start:stop].to_numpy(), zone=zone, moved=moved)


def _is_long(numbers: Any) -> bool:
    """Whether whole numbers would lose digits as floats, which they are where others are missing."""
    if numbers.null_count() == len(numbers):
        return False
    return bool(max(abs(int(numbers.min())), abs(int(numbers.max()))) > WHOLE)


def _long_levels(categories: Any) -> np.ndarray[Any, Any] | None:
    """The levels of a category of pandas with None as the last one, where its own array may round them."""
    listed = categories.tolist() if getattr(categories.dtype, "kind", "") in ("i", "u") else []
    return objects([*listed, None]) if any(abs(level) > WHOLE for level in listed) else None


# Lists and mappings


def objects(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """An array that holds these values as they are."""
    return np.fromiter(values, dtype=object, count=len(values))


def _of_rows(rows: list[Any]) -> Table:
    if not rows:
        raise ValueError("X has 0 sample(s) (shape=(0,)) while a minimum of 1 is required.")
    if are_records(rows):
        return _of_records(rows)
    if any(isinstance(row, str | bytes | Mapping) or not hasattr(row, "__len__") for row in rows):
        raise ValueError(f"X must be {ACCEPTED}, got {shown(rows)}. {RESHAPE}")
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise ValueError(f"X must have rows of one length, got {min(widths)} to {max(widths)}")
    cells = [objects(list(column)) for column in zip(*rows, strict=True)]
    all_text = _are_text(value for column in cells for value in column)
    columns = [
        array_column(column, f"column {place} of X", all_text=all_text) for place, column in enumerate(cells)
    ]
    return _table(columns, None, len(rows))


def _are_text(values: Iterable[Any]) -> bool:
    return all(type(value) is str for value in values)


def are_records(X: Any) -> bool:
    """Whether it is a list of mappings: rows by name, in any order."""
    return isinstance(X, list | tuple) and len(X) > 0 and all(isinstance(row, Mapping) for row in X)


def _of_records(rows: list[Mapping[str, Any]]) -> Table:
    names = list(rows[0])
    for place, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            other = sorted(str(name) for name in row.keys() ^ rows[0].keys())
            raise ValueError(
                f"X must have the same names in every row, but row {place} differs in {_listed(other)}"
            )
    return _of_mapping({name: [row[name] for row in rows] for name in names})


def _of_mapping(X: Mapping[Any, Any]) -> Table:
    labels = list(X)
    names = _checked_names(labels)
    read = {label: _series_of(values) for label, values in X.items()}
    are_columns = [series is not None or _is_column(X[label]) for label, series in read.items()]
    if X and not any(are_columns):
        X, are_columns = {name: [value] for name, value in X.items()}, [True]
    lengths = {len(values) for values in X.values()} if all(are_columns) else set()
    if X and len(lengths) != 1:
        raise ValueError(f"X must have columns of one length, got {shown(X)}")
    lists = all(isinstance(values, list | tuple) for values in X.values())
    all_text = lists and _are_text(value for values in X.values() for value in values)
    columns = []
    for label, values in X.items():
        name = f"column {label!r} of X"
        if (series := read[label]) is not None:
            columns.append(_frame_column(series, name))
        else:
            array = values if isinstance(values, np.ndarray) else objects(list(values))
            columns.append(array_column(array, name, all_text))
    return _table(columns, names, lengths.pop() if lengths else 0, labels)


def _is_column(values: Any) -> bool:
    return isinstance(values, list | tuple) or (
        hasattr(values, "__len__") and getattr(values, "ndim", 0) == 1
    )


def _series_of(values: Any) -> Any:
    """A column of a data frame as narwhals has it, so that its dtype counts as there; None for others."""
    if isinstance(values, np.ndarray) or not (hasattr(values, "to_numpy") and hasattr(values, "__len__")):
        return None
    with needed(f"reading a {type(values).__name__}", "narwhals", "sklearn"):
        import narwhals as nw
    # What has no chunks, or no index, is no column yet.
    if hasattr(values, "to_pylist") and not hasattr(values, "chunks"):
        import pyarrow

        values = pyarrow.chunked_array([values])
    elif hasattr(values, "isna") and not hasattr(values, "index"):
        import pandas

        values = pandas.Series(values)
    series = nw.from_native(values, series_only=True, pass_through=True)
    return series if isinstance(series, nw.Series) else None
