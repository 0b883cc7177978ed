"""Row groups of Parquet files, read into memory as rows."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from ._files import Traces, digest, named, stamp_of
from ._source import Fill, Parts, Stopped, are_whole, first_odd

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Files that are kept open meanwhile.
OPEN = 64
# Columns that are decoded at a time: as many as write whole cache lines of a row, and not too many numbers.
COLUMNS, NUMBERS = 32, 2**23
# Rows that are put in their place at a time: they stay in the second-level cache.
ROWS = 4096


Opened: TypeAlias = OrderedDict[int, tuple[tuple[int, ...], Any]]
"""Open files by their number, each with what tells it from one that takes its place."""


class Column(NamedTuple):
    """A column of the files, and where it goes: which of the parts, and its column there, if any."""

    name: str
    part: int
    place: int | None


class File(NamedTuple):
    """What a file has in it: how many rows its row groups have."""

    path: str
    sizes: tuple[int, ...]

    def __str__(self) -> str:
        first = ", ".join(map(str, self.sizes[:4])) + (", ..." if len(self.sizes) > 4 else "")
        return f"{sum(self.sizes)} rows in {len(self.sizes)} row groups ({first})"


def open_file(path: str) -> Any:
    """A Parquet file, of which the end has been read."""
    import pyarrow.parquet as pq

    with named(path, "its end, which says what is in it,"):
        return pq.ParquetFile(path, page_checksum_verification=True)


class RowGroups:
    """Row groups of Parquet files: a `Source`.

    Parameters
    ----------
    files : list of str
        Their paths.
    columns, targets : list of str
        Of the inputs and of the targets.
    weight : str or None
        The column of the weights.
    flat : bool
        Whether the targets have no second dimension.
    """

    def __init__(
        self, files: list[str], columns: list[str], targets: list[str], weight: str | None, flat: bool
    ) -> None:
        self._columns = [Column(name, 0, place) for place, name in enumerate(columns)]
        self._columns += [Column(name, 1, None if flat else place) for place, name in enumerate(targets)]
        self._columns += [] if weight is None else [Column(weight, 2, None)]
        self._shape = () if flat else (len(targets),)
        self._weighted = weight is not None
        self._whole: bool | None = None
        self._files: list[File] = []
        self._traces = [Traces(path) for path in files]
        for path in files:
            with open_file(path) as opened:
                self._files.append(self._look(path, opened))
        self._places = [
            (number, group)
            for number, file in enumerate(self._files)
            for group, rows in enumerate(file.sizes)
            if rows
        ]
        if not self._places:
            raise ValueError(f"{files[0]}: the files must have at least one row, got none")
        self.columns = len(columns)
        self.sizes = np.array([self._files[number].sizes[group] for number, group in self._places], np.int64)
        names = [(os.path.basename(file.path), file.sizes) for file in self._files]
        self.identity = f"Parquet {digest(self._columns, names)}"

    def allocate(self, rows: int, dtype: np.dtype[Any]) -> Parts:
        """Memory for so many rows, with inputs of that dtype."""
        return Parts(
            np.empty((rows, self.columns), dtype),
            np.empty((rows, *self._shape), np.int64 if self._whole else dtype),
            np.empty(rows) if self._weighted else None,
        )

    @contextmanager
    def opened(self) -> Iterator[Fill]:
        """What reads the row groups; it keeps some files open meanwhile."""
        files: Opened = OrderedDict()
        try:
            yield partial(self._fill, files)
        finally:
            for _, file in files.values():
                file.close()

    def _fill(self, files: Opened, number: int, parts: Parts, stopped: Stopped) -> None:
        place, group = self._places[number]
        file, path = self._opened(files, place), self._files[place].path
        step = max(min(COLUMNS, NUMBERS // len(parts.x)), 1)
        for start in range(0, len(self._columns), step):
            if stopped():
                return
            columns = self._columns[start : start + step]
            values = _read(path, file, group, columns, len(parts.x))
            _put(path, columns, values, parts)

    def _opened(self, files: Opened, place: int) -> Any:
        """The file, open; where another one has taken its place, it must have the same in it."""
        path = self._files[place].path
        with named(path, "it"):
            stamp = stamp_of(path)
        if place in files and files[place][0] != stamp:
            files.pop(place)[1].close()
        if place not in files:
            files[place] = stamp, open_file(path)
            now = self._look(path, files[place][1])
            if now != self._files[place]:
                raise ValueError(f"{path}: the file has changed: it had {self._files[place]}, and has {now}")
            with named(path, "it"), open(path, "rb") as file:
                change = self._traces[place].change_in(file)
            if change:
                raise ValueError(f"{path}: {change}")
        files.move_to_end(place)
        if len(files) > OPEN:
            files.popitem(last=False)[1][1].close()
        return files[place][1]

    def _look(self, path: str, file: Any) -> File:
        """What a file has in it; it must have all columns, of numbers, and targets as the others have."""
        with named(path, "its end, which says what is in it,"):
            schema, meta = file.schema_arrow, file.metadata
            sizes = tuple(meta.row_group(i).num_rows for i in range(meta.num_row_groups))
            if min(sizes, default=0) < 0 or sum(sizes) != meta.num_rows:
                raise ValueError(f"it says that {meta.num_rows} rows are in row groups of {sizes}")
        dtypes = [_dtype_of(path, schema, column.name) for column in self._columns]
        targets = [dtype for dtype, column in zip(dtypes, self._columns, strict=True) if column.part == 1]
        whole = are_whole(targets)
        if self._whole is None:
            self._whole = whole
        if whole != self._whole:
            expected, got = ("whole", "other") if self._whole else ("other", "whole")
            raise ValueError(
                f"{path}: targets must be {expected} numbers as in the files before, got {got} numbers"
            )
        return File(path, sizes)


def _dtype_of(path: str, schema: Any, name: str) -> np.dtype[Any]:
    import pyarrow as pa

    count = schema.names.count(name)
    if count != 1:
        known = ", ".join(map(repr, schema.names[:8])) + (", ..." if len(schema.names) > 8 else "")
        raise ValueError(f"{path}: there must be one column {name!r}, got {count or 'none'} among {known}")
    kind = schema.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise TypeError(f"{path}: column {name!r} must be of numbers or of booleans, got {kind}")
    dtype: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
    return dtype


def _read(path: str, file: Any, group: int, columns: list[Column], rows: int) -> list[NDArray[Any]]:
    with named(path, f"row group {group}"):
        table = file.read_row_group(group, columns=[column.name for column in columns], use_threads=False)
        arrays = [table.column(column.name) for column in columns]
        if table.num_rows != rows:
            raise ValueError(f"it has {table.num_rows} rows where the end of the file says {rows}")
    values = []
    for column, array in zip(columns, arrays, strict=True):
        where = f"{path}: column {column.name!r}"
        if array.null_count:
            hint = "fill them in, or leave their rows out"
            got = f"{array.null_count} in row group {group}"
            raise ValueError(f"{where} must be without nulls, got {got}: {hint}")
        values.append(array.to_numpy())
        odd = first_odd(values[-1], low=0.0 if column.part == 2 else -np.inf)
        if odd is not None:
            accepted = "finite" if column.part < 2 else "finite and not negative"
            got = f"{values[-1][odd]} in row {odd} of row group {group}"
            raise ValueError(f"{where} must be {accepted}, got {got}")
    return values


def _put(path: str, columns: list[Column], values: list[NDArray[Any]], parts: Parts) -> None:
    """Write columns to where they go among the rows."""
    homes: list[Any] = []
    for column in columns:
        part = parts[column.part]
        assert part is not None  # there are weights where a column of them is
        homes.append(part if column.place is None else part[:, column.place])
    with np.errstate(over="raise"):
        for start in range(0, len(parts.x), ROWS):
            rows = slice(start, start + ROWS)
            for column, home, numbers in zip(columns, homes, values, strict=True):
                try:
                    home[rows] = numbers[rows]
                except FloatingPointError:
                    raise ValueError(
                        f"{path}: column {column.name!r} must be within the range of {home.dtype}"
                    ) from None
