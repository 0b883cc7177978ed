"""The rows that a fit learns from, and how much each of them counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight

from .._checks import shown
from ..estimators._given import check_given

Array = NDArray[Any]
# Up to so many rows, a row whose weight is 3 is three rows, and rows are in an order of their own.
COUNTED = 1000
# Up to here all whole numbers are numbers of float64.
WHOLE = 2.0**53


def counted(sample_weight: Any, n_rows: int) -> tuple[Array | None, Array | None]:
    """The places of the rows to learn from, None for all of them, and their weights, None for equal ones.

    Rows of weight 0 are none. In a small table, weights that are whole numbers are counts: a row is there as
    often, so that it makes no difference which of the two has been written. What divides all of them says
    nothing: twice every row is every row.
    """
    if sample_weight is None:
        return None, None
    weights = _numbers(sample_weight, n_rows)
    if not weights.any():
        raise ValueError("sample_weight must be positive for some rows, got only zeros")
    rows = np.flatnonzero(weights)
    kept = weights[rows]
    if kept.max() <= WHOLE and (kept == np.trunc(kept)).all():
        counts = kept.astype(np.int64)
        counts //= np.gcd.reduce(counts)
        if counts.max() == 1:
            return None if len(rows) == n_rows else rows, None
        if counts.max() <= COUNTED and counts.sum() <= COUNTED:
            return np.repeat(rows, counts), None
    return None if len(rows) == n_rows else rows, scaled(kept)


@contextmanager
def learning_from(taken: Array | None, n_rows: int) -> Iterator[Array]:
    """The places of the rows of weight 0; errors of what is read within say how many others there are."""
    weighs = np.full(n_rows, taken is None)
    if taken is not None:
        weighs[taken] = True
    try:
        yield np.flatnonzero(~weighs)
    except (TypeError, ValueError) as error:
        if weighs.all() or type(error) not in (TypeError, ValueError):
            raise
        of = f"the {weighs.sum()} of {n_rows} rows with sample_weight above 0"
        raise type(error)(f"{error}; fit learns from {of}") from error


def _numbers(sample_weight: Any, n_rows: int) -> Array:
    check_given(sample_weight=sample_weight)
    try:
        weights: Array = _check_sample_weight(
            sample_weight, np.empty((n_rows, 1)), dtype=np.float64, ensure_non_negative=True
        )
    except (TypeError, ValueError) as error:
        if re.search("sample.weight", str(error), re.IGNORECASE):
            raise
        raise ValueError(
            f"sample_weight must have a number for each row, got {shown(sample_weight)}"
        ) from error
    # Of one number for all rows, scikit-learn looks at nothing.
    if not (weights.min() >= 0 and weights.max() < np.inf):
        raise ValueError(f"sample_weight must be finite and not negative, got {shown(sample_weight)}")
    return weights


def scaled(weights: Array) -> Array | None:
    """Weights with a mean of 1, of any size as they are; None where all are equal."""
    if weights.min() == weights.max():
        return None
    weights = weights / weights.max()
    return np.asarray(weights / weights.mean())


def own_order(encoded: Array, targets: Array, weights: Array | None) -> Array | None:
    """An order of few rows that does not depend on the one they came in; many keep theirs, None."""
    if len(encoded) > COUNTED:
        return None
    told = [encoded, targets] if weights is None else [encoded, targets, weights]
    cells = np.ascontiguousarray(np.column_stack(told).astype(np.float32))
    order: Array = cells.view(f"V{cells.itemsize * cells.shape[1]}").ravel().argsort(kind="stable")
    return order
