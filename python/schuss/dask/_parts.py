"""What workers do with the rows of a partition: functions of their arguments, which any may repeat."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._checks import shown
from .._data import EXPONENTS, Rows
from .._draw import Draw
from .._sparse import Sparse, compressed, is_sparse, stacked
from ..estimators._given import check_given, naming
from ..estimators._labels import Labels, labels_of, without_column

Array = NDArray[Any]

# Rows whose bytes are looked at together.
ROWS = 2**16


class Seen(NamedTuple):
    """What the client has to know of a partition.

    Attributes
    ----------
    rows : list of int
        Of X, of y, and of the weights if there are any.
    head : tuple
        The first row of X and of y; None where there are no rows.
    labels : Labels
        Empty for numbers.
    weight : tuple of float
        The least weight of a row, the largest, and the sum.
    """

    rows: list[int]
    head: tuple[Any, Any] | None
    labels: Labels
    weight: tuple[float, float, float]


def seen(X: Any, y: Any, weight: Any, classifies: bool, names: tuple[str, ...]) -> Seen:
    """Look at a partition as it was given, and refuse what would become numbers without a word."""
    for name, given in zip(names, (X, y, weight), strict=True):
        check_given(**{name: given}, dates=classifies and given is y)
    rows = [given.shape[0] for given in (X, y, weight) if given is not None]
    weights = np.ones(1)
    if weight is not None and len(weight):
        with naming(names[2]):
            weights = np.asarray(weight, np.float64)
    least, most = float(weights.min()), float(weights.max())
    if not (least >= 0 and most < np.inf):
        raise ValueError(f"{names[2]} must be finite and not negative, got numbers from {least} to {most}")
    some = X.tocsr() if is_sparse(X) else X
    return Seen(
        rows=rows,
        head=(some[:1], without_column(y)[:1]) if rows[0] and rows[1] else None,
        labels=labels_of(without_column(y)) if classifies else [],
        weight=(least, most, float(rows[0]) if weight is None else float(weights.sum())),
    )


def prepared(model: Any, empty: Rows, X: Any, y: Any, weight: Any) -> Rows:
    """Check and convert a partition as the estimator does that knows its kind; `empty` has no rows."""
    if not X.shape[0]:
        return empty
    dtype = dtype_of(empty)
    if is_sparse(X) != isinstance(empty.x, Sparse):
        raise TypeError("X must have blocks of one kind, got sparse matrices and others")
    X, y, targets = model._check_rows(X, without_column(y), True, False, dtype)
    weights = None if weight is None else np.asarray(weight, np.float64)
    if getattr(model, "class_weight", None) is not None:
        weights = _times_classes(model, y, weights, dtype)
    x = compressed("X", X, dtype) if is_sparse(X) else X
    return Rows(x, targets, None if weights is None else np.ascontiguousarray(weights, dtype))


def _times_classes(model: Any, y: Any, weights: Array | None, dtype: np.dtype[Any]) -> Array:
    """The weights of rows, multiplied by those of their classes."""
    found: Array = model._given_weights(y, model.class_weight) * (1.0 if weights is None else weights)
    accepted = None
    if not ((found >= 0) & np.isfinite(found)).all():
        accepted = "finite, not negative, and not zero for all rows"
    elif found.max() > 2.0 ** EXPONENTS[dtype.itemsize]:
        accepted = "of about 1 on a cluster, multiplied by the weights of rows"
    if accepted is not None:
        raise ValueError(f"class_weight must be {accepted}; got {shown(model.class_weight)}")
    return found


def accuracy(X: Any, y: Any, weight: Any, model: Any) -> tuple[float, float]:
    """The weight of the rows of a partition, and the share of it whose labels are predicted."""
    weights = None if weight is None else np.asarray(weight, np.float64)
    total = float(X.shape[0] if weights is None else weights.sum())
    return total, float(model.score(X, without_column(y), weights)) if total else 0.0


def dtype_of(rows: Rows) -> np.dtype[Any]:
    """Of the inputs, which is that of the parameters."""
    dtype: np.dtype[Any] = rows.x.data.dtype if isinstance(rows.x, Sparse) else rows.x.dtype
    return dtype


def chosen(rows: Rows, first: int, draw: Draw, held_out: bool) -> Rows:
    """The rows of a partition, which begins with that of number `first`, that are held out, or the others."""
    marks = draw.marks(first, first + rows.n_rows)
    return rows.take(np.flatnonzero(marks == held_out))


def cut(rows: Rows, start: int, stop: int) -> Rows:
    """Some consecutive rows."""
    return rows.cut(start, min(stop, rows.n_rows))


def joined(*parts: Rows) -> Rows:
    """Rows one after the other, in memory of their own."""
    x: Any = stacked([part.x for part in parts if isinstance(part.x, Sparse)])
    if x is None:
        x = np.concatenate([part.x for part in parts])
    targets = np.concatenate([part.targets for part in parts])
    weights: list[Any] = [part.weights for part in parts if part.weights is not None]
    return Rows(x, targets, np.concatenate(weights) if weights else None)


def checksum(rows: Rows, first: int, multipliers: Array) -> int:
    """A sum over rows, each by its number: sums of partitions add up to the same, however rows are cut."""
    total = 0
    for start in range(0, rows.n_rows, ROWS):
        part = cut(rows, start, start + ROWS)
        numbers = np.arange(first + start, first + start + part.n_rows, dtype=np.uint64)
        dense: list[Any] = [part.targets, part.weights]
        if isinstance(part.x, Sparse):
            columns = part.x.indices.astype(np.uint32)[:, None]
            words = np.concatenate([_words(part.x.data), _words(columns)], axis=1)
            total += _mixed(words, np.repeat(numbers, np.diff(part.x.indptr)), multipliers)
        else:
            dense.insert(0, part.x)
        words = np.concatenate([_words(each) for each in dense if each is not None], axis=1)
        total += _mixed(words, numbers, multipliers)
    return total % 2**64


def _mixed(words: Array, numbers: Array, multipliers: Array) -> int:
    mixed = (words * multipliers[: words.shape[1]]).sum(axis=1, dtype=np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * (np.uint64(2) * numbers + np.uint64(1))
    return int(mixed.sum(dtype=np.uint64))


def _words(rows: Array) -> Array:
    """The bytes of each row as 32-bit words, in 64 bits each."""
    rows = np.ascontiguousarray(rows)
    width = rows.dtype.itemsize * int(np.prod(rows.shape[1:])) // 4
    return rows.view(np.uint32).reshape(len(rows), width).astype(np.uint64)
