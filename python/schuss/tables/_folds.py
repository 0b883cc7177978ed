"""Which rows are learnt from, and which choose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def fold_of_each(
    n_rows: int, codes: NDArray[Any] | None, folds: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """The fold of each row, at random; with the codes of classes, each fold has its share of each class."""
    fold = np.empty(n_rows, dtype=np.intp)
    if codes is None:
        fold[rng.permutation(n_rows)] = np.arange(n_rows) % folds
        return fold
    start = 0
    for code in range(int(codes.max()) + 1):
        rows = np.flatnonzero(codes == code)
        # Where one class ends the next one goes on, so that folds are of one size.
        fold[rng.permutation(rows)] = (start + np.arange(len(rows))) % folds
        start += len(rows)
    return fold


def held_out(
    n_rows: int, codes: NDArray[Any] | None, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which rows are held out: that share of them, of each class where there are codes."""
    parts = max(round(1 / share), 2)
    held: NDArray[np.bool_] = fold_of_each(n_rows, codes, parts, rng) == parts - 1
    return held
