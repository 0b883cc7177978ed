"""Twenty tables as users have them: a data frame, a target, and which rows are for training or the test.

    X_train, y_train, X_test, y_test, task = load("adult")

Text is text, missing is NaN, dates are dates, nothing is encoded. `NAMES` lists them all; those of `SHIPPED`
are files of this project, the others are read from a folder, which the argument or the variable TABLES names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from numpy.typing import NDArray

from . import classification, regression, shipped
from .table import Table

__all__ = ["EXTERNAL", "NAMES", "SHIPPED", "Parts", "Table", "available", "load", "read"]

EXTERNAL = {**classification.READERS, **regression.READERS}
SHIPPED = shipped.READERS
NAMES = (*SHIPPED, *EXTERNAL)


class Parts(NamedTuple):
    """The rows to train with, the rows to score on, and the task: binary, multiclass or regression."""

    X_train: pd.DataFrame
    y_train: NDArray
    X_test: pd.DataFrame
    y_test: NDArray
    task: str


def folder_of_tables(folder: str | Path | None = None) -> Path | None:
    """The folder of the tables that are no files of this project, where there is one."""
    given = folder or os.environ.get("TABLES")
    if not given:
        return None
    path = Path(given)
    if not path.is_dir():
        raise FileNotFoundError(f"the folder of the tables must be a folder, got {str(given)!r}")
    return path


def available(folder: str | Path | None = None) -> list[str]:
    """The names of the tables that can be read here."""
    path = folder_of_tables(folder)
    return [name for name in NAMES if name in SHIPPED or (path and (path / EXTERNAL[name].folder).is_dir())]


def read(name: str, folder: str | Path | None = None, seed: int = 0) -> Table:
    """The whole table, with the numbers of its rows for training and for the test.

    Only where a table was published with several splits does the seed choose one of them.
    """
    if name not in NAMES:
        raise ValueError(f"no table is called {name!r}; known are {', '.join(NAMES)}")
    if name in SHIPPED:
        return SHIPPED[name]()
    path = folder_of_tables(folder)
    if path is None:
        raise FileNotFoundError(
            f"{name} is not part of this project: the variable TABLES must name the folder of the tables"
        )
    reader = EXTERNAL[name]
    return reader.read(path / reader.folder, seed)


def load(name: str, folder: str | Path | None = None, seed: int = 0) -> Parts:
    """The table in its two parts, each with its rows numbered anew."""
    table = read(name, folder, seed)
    X_train, X_test = (table.X.iloc[rows].reset_index(drop=True) for rows in (table.train, table.test))
    return Parts(X_train, table.y[table.train], X_test, table.y[table.test], table.task)
