"""Which rows are learnt from, and which choose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# The part of the rows that must be equal to others before they may be copies.
REPEATED = 1 / 10
# How much larger than the smallest gap between two values the mean one is, where there is room between them.
ROOM = 4
# Rows that are looked at together.
BLOCK = 1 << 14


def copies_of(x: NDArray[np.float32]) -> NDArray[np.intp] | None:
    """The numbers of equal rows, the same for all copies of one; None where equal rows are no copies.

    Where rows are drawn again, or counted, a fold would know those that it is to judge. But rows of levels
    and whole numbers are equal by chance, and then each tells something of the others. They are copies where
    a column of numbers that hardly ever meet has another value in more than half of the rows that differ.
    """
    keys = np.empty(len(x), dtype=np.uint64)
    factors = np.random.default_rng(0).integers(0, 2**63, x.shape[1], dtype=np.uint64) * np.uint64(2) + 1
    for start in range(0, len(x), BLOCK):
        bits = np.ascontiguousarray(x[start : start + BLOCK]).view(np.uint32).astype(np.uint64)
        # By parts of its product: equal rows have equal sums, and others have not but by the rarest chance.
        keys[start : start + BLOCK] = (bits * factors ^ (bits * factors >> np.uint64(32))).sum(axis=1)
    _, first, numbers = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) > (1 - REPEATED) * len(x):
        return None
    for column in x.T:
        values = np.unique(column[first])
        if 2 * len(values) > len(first) and _hardly_meet(values):
            return numbers.reshape(-1).astype(np.intp)
    return None


def _hardly_meet(values: Array) -> bool:
    """Whether values lie so close to each other that others would have had room between them.

    Whole numbers leave none: of the middle half, the smallest gap is about as large as the mean of them.
    """
    quarter = len(values) // 4
    gaps = np.diff(values[quarter : len(values) - quarter].astype(np.float64))
    return len(gaps) > 0 and bool(gaps.mean() >= ROOM * gaps.min())


def fold_of_each(
    n_rows: int,
    codes: Array | None,
    folds: int,
    rng: np.random.Generator,
    copies: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """The fold of each row, at random; with the codes of classes, each fold has its share of each class.

    Copies of a row are in the same fold.
    """
    if copies is not None:
        _, first = np.unique(copies, return_index=True)
        of_each = fold_of_each(len(first), None if codes is None else codes[first], folds, rng)
        return of_each[copies]
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
    n_rows: int,
    codes: Array | None,
    share: float,
    rng: np.random.Generator,
    copies: NDArray[np.intp] | None = None,
) -> NDArray[np.bool_]:
    """Which rows are held out: that share of them, of each class where there are codes.

    A class of two rows, or more, is on both sides, and one of a single row is learnt.
    """
    parts = max(round(1 / share), 2)
    held: NDArray[np.bool_] = fold_of_each(n_rows, codes, parts, rng, copies) == parts - 1
    for code in range(0 if codes is None else int(codes.max()) + 1):
        rows = np.flatnonzero(codes == code)
        numbers = rows if copies is None else copies[rows]
        if not held[rows].any() and (numbers != numbers[:1]).any():
            held[rows[numbers == rng.choice(numbers)]] = True
        elif held[rows].all():
            held[rows[numbers == numbers[-1]]] = False
    return held
