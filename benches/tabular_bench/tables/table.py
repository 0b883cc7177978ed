"""What a reader returns, and how rows are split where nobody has published a split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split


class Table(NamedTuple):
    """A table with its split; `task` is binary, multiclass or regression."""

    X: pd.DataFrame
    y: NDArray
    task: str
    train: NDArray
    test: NDArray


class Reader(NamedTuple):
    """Reads a table from its folder. The seed matters where there are several official splits."""

    folder: str
    read: Callable[[Path, int], Table]


def classes(X: pd.DataFrame, y: pd.Series, split: tuple[NDArray, NDArray] | None = None) -> Table:
    """A classification; 80 % of each class are to learn from if no split is given."""
    labels = np.asarray(y)
    task = "binary" if len(np.unique(labels)) == 2 else "multiclass"
    train, test = split or _at_random(len(X), labels)
    return Table(X.reset_index(drop=True), labels, task, train, test)


def values(X: pd.DataFrame, y: pd.Series, split: tuple[NDArray, NDArray] | None = None) -> Table:
    """A regression; 80 % of the rows are to learn from if no split is given."""
    train, test = split or _at_random(len(X), None)
    return Table(X.reset_index(drop=True), np.asarray(y, float), "regression", train, test)


def _at_random(count: int, stratify: NDArray | None) -> tuple[NDArray, NDArray]:
    train, test = train_test_split(np.arange(count), test_size=0.2, random_state=0, stratify=stratify)
    return train, test
