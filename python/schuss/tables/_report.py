"""What was done to each column, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, overload

from .._extras import needed

HEADS = ("column", "kind", "inputs", "missing", "what was done")


@dataclass(frozen=True)
class ColumnReport:
    """One column: what it was found to be, how many inputs it became, and what was done to it.

    Parameters
    ----------
    column : str
        Its name, or "x0", "x1" and so on by its place.
    kind : {"number", "date", "category", "dropped"}
        What it was taken as.
    inputs : int
        How many columns of numbers and codes it became.
    missing : float
        The share of rows in which it is missing.
    done : str
        What was done to it, in words.
    """

    column: str
    kind: str
    inputs: int
    missing: float
    done: str

    def cells(self) -> tuple[str, ...]:
        """The entries of its line in the table.

        Returns
        -------
        tuple of str
            One for each parameter, as it is shown.
        """
        missing = "" if not self.missing else "<0.1%" if self.missing < 0.001 else f"{self.missing:.1%}"
        if 0.999 < self.missing < 1:
            missing = ">99.9%"
        return self.column, self.kind, str(self.inputs), missing, self.done


def _in_a_line(cell: str) -> str:
    """A cell without what would begin another line or move the next cell: names come with the data."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in cell)


class Report(Sequence[ColumnReport]):
    """A list of `ColumnReport`, one for each column of the table, that prints as a table.

    Parameters
    ----------
    columns : sequence of ColumnReport
        The lines, in the order of the columns.
    """

    def __init__(self, columns: Sequence[ColumnReport]) -> None:
        self._columns = tuple(columns)

    @overload
    def __getitem__(self, place: int) -> ColumnReport: ...
    @overload
    def __getitem__(self, place: slice) -> Report: ...
    def __getitem__(self, place: int | slice) -> ColumnReport | Report:
        return Report(self._columns[place]) if isinstance(place, slice) else self._columns[place]

    def __len__(self) -> int:
        return len(self._columns)

    def __iter__(self) -> Iterator[ColumnReport]:
        return iter(self._columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Report) and self._columns == other._columns

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        lines = [HEADS, *(tuple(map(_in_a_line, column.cells())) for column in self)]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        right = (False, False, True, True, False)
        return "\n".join(
            "  ".join(
                cell.rjust(width) if to_right else cell.ljust(width)
                for cell, width, to_right in zip(line, widths, right, strict=True)
            ).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{head}</th>" for head in HEADS)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in column.cells()) + "</tr>"
            for column in self
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def to_frame(self) -> Any:
        """The report as a data frame of pandas.

        Returns
        -------
        pandas.DataFrame
            A row for each column.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        with needed("Report.to_frame", "pandas", "notebook"):
            import pandas as pd
        return pd.DataFrame([asdict(column) for column in self], columns=list(ColumnReport.__annotations__))
