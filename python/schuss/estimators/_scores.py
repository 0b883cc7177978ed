"""What the scores of rows are made of: one for each row, so that rows may lie anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def are_right(out: Array, targets: Array) -> Array:
    """Whether a classifier is right, row by row; of several labels at once, in all of them."""
    if targets.dtype == np.uint32:
        return out.argmax(axis=1) == targets
    return ((out > 0.5) == (targets > 0.5)).all(axis=1)


def squares(out: Array, targets: Array) -> Array:
    """How far a regressor is away, squared, in each column."""
    return (targets.astype(np.float64) - out) ** 2


def mean_of(values: Array, weights: Array | None) -> Any:
    """The mean over rows, whose weights may be so large that float64 does not hold their sum."""
    if weights is not None:
        with np.errstate(over="ignore"):
            holds = np.isfinite(weights.sum(dtype=np.float64))
        weights = weights if holds else weights / weights.max()
    return np.average(values, axis=0, weights=weights)


def r2(left: Array, spread: Array) -> float:
    """R^2, the mean over columns, of the mean squares of what is left and of targets about their mean."""
    # As scikit-learn's r2_score has it: a column that never changes is explained wholly or not at all.
    unexplained = np.divide(left, spread, out=(left > 0).astype(np.float64), where=spread > 0)
    return float(np.mean(1.0 - unexplained))
