"""Which columns tell something of the target by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._scaling import spread_over

Array = NDArray[Any]

# Into so many parts of equally many rows numbers are cut.
PARTS = 10
# Rows that are looked at, at most.
MOST_ROWS = 16_384


def rows_to_ask(n_rows: int, copies: Array | None) -> Array:
    """Some of the rows, spread evenly; of copies one."""
    rows = np.arange(n_rows) if copies is None else np.sort(np.unique(copies, return_index=True)[1])
    return rows[spread_over(len(rows), MOST_ROWS)]


def parts_of(column: Array) -> NDArray[np.intp]:
    """The part of each number, between quantiles; equal numbers are in one part."""
    edges = np.unique(np.quantile(column, np.arange(1, PARTS) / PARTS))
    return np.searchsorted(edges, column, side="right")


def telling(
    columns: Sequence[NDArray[np.intp]], y: Array, n_classes: int | None, weights: Array | None
) -> NDArray[np.bool_]:
    """Whether the target differs between the levels of a column by more than chance, for each of them.

    The one-way analysis of variance (R. A. Fisher, Statistical Methods for Research Workers, 1925): what
    d + 1 levels that mean nothing explain of the squares, over the variance within levels, follows the
    chi-squared distribution with d degrees of freedom, nearly. Of many columns that mean nothing, one passes
    on average. Of classes each is a target of its own.
    """
    weights = np.ones(len(y)) if weights is None else weights / weights.mean()
    classes = range(0 if n_classes is None else n_classes if n_classes > 2 else 1)
    targets = [(y == each).astype(float) for each in classes] or [y.astype(float)]
    centred = [target - np.average(target, weights=weights) for target in targets]
    least = NormalDist().inv_cdf(1 - 1 / max(len(columns) * len(targets), 2))
    told = [any(_above_chance(column, each, weights) > least for each in centred) for column in columns]
    return np.array(told, dtype=bool)


def _above_chance(levels: NDArray[np.intp], target: Array, weights: Array) -> float:
    """How many deviations of a normal distribution what the levels explain is above what chance does.

    E. B. Wilson and M. M. Hilferty, The Distribution of Chi-square, PNAS 17, 1931.
    """
    counts = np.bincount(levels, weights)
    seen = counts > 0
    between = float((np.bincount(levels, weights * target)[seen] ** 2 / counts[seen]).sum())
    freedom = int(seen.sum()) - 1
    left = len(target) - 1 - freedom
    if freedom < 1 or left < 1:
        return -np.inf if freedom < 1 else np.inf
    # Not as a product of NumPy's, whose threads are beyond `n_threads` and decide about the last bits.
    within = (float((weights * target**2).sum()) - between) / left
    if within <= 0:
        return np.inf if between > 0 else -np.inf
    spread = 2 / (9 * freedom)
    return float(((between / within / freedom) ** (1 / 3) - (1 - spread)) / spread**0.5)
