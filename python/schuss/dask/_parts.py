"""What workers do with the rows of a partition: functions of their arguments, which any may repeat."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _schuss
from .._sparse import is_sparse
from ..estimators import _losses
from ..estimators._drawn import are_drawn
from ..estimators._scores import are_right, squares

Array = NDArray[Any]

# Rows whose bytes are looked at together.
ROWS = 2**16


class Part(NamedTuple):
    """Rows as the core takes them: inputs, targets, and weights if there are any."""

    x: Array
    targets: Array
    weights: Array | None

    def taken(self, which: Any) -> Part:
        """Some of the rows."""
        return Part(self.x[which], self.targets[which], None if self.weights is None else self.weights[which])


class Seen(NamedTuple):
    """What the client has to know of a partition.

    Attributes
    ----------
    rows : list of int
        Of X, of y, and of the weights if there are any.
    head : tuple
        The first row of X and of y; None where there are no rows.
    labels : list of tuple of ndarray
        For each column of y its values and how often each is there; empty for numbers.
    weight : tuple of float
        The least weight of a row, the largest, and the sum.
    """

    rows: list[int]
    head: tuple[Any, Any] | None
    labels: list[tuple[Array, Array]]
    weight: tuple[float, float, float]


def for_core(part: Part) -> tuple[Any, Array, Array | None]:
    """Rows as the core takes them: what has come from another worker need not be aligned in memory."""
    weights = None if part.weights is None else aligned(part.weights)
    return aligned(part.x), aligned(part.targets), weights


def aligned(numbers: Array) -> Array:
    """The same array, or a copy where it is not aligned."""
    return np.require(numbers, requirements=["C", "A"])


def seen(X: Any, y: Any, weight: Any, classifies: bool) -> Seen:
    """Look at a partition as it was given."""
    if is_sparse(X):
        raise TypeError("X must have blocks that are arrays or data frames, got sparse matrices")
    rows = [len(given) for given in (X, y, weight) if given is not None]
    weights = np.ones(1) if weight is None or not len(weight) else np.asarray(weight, np.float64)
    least, most = float(weights.min()), float(weights.max())
    if not (least >= 0 and most < np.inf):
        raise ValueError(f"sample_weight must be finite and not negative, got numbers from {least} to {most}")
    return Seen(
        rows=rows,
        head=(X[:1], _values(y)[:1]) if rows[0] and rows[1] else None,
        labels=_labels(_values(y)) if classifies else [],
        weight=(least, most, float(rows[0]) if weight is None else float(weights.sum())),
    )


def prepared(model: Any, empty: Part, X: Any, y: Any, weight: Any) -> Part:
    """Check and convert a partition as the estimator does that knows its kind; `empty` has no rows."""
    if not len(X):
        return empty
    X, y, targets = model._check_rows(X, _values(y), True, False, empty.x.dtype)
    weights = None if weight is None else np.asarray(weight, np.float64)
    if getattr(model, "class_weight", None) is not None:
        weights = model._given_weights(y) * (1.0 if weights is None else weights)
    return Part(X, targets, None if weights is None else np.ascontiguousarray(weights, empty.x.dtype))


def chosen(part: Part, first: int, share: float, seed: int, drawn: bool) -> Part:
    """The rows of a partition, which begins with that of number `first`, that are drawn, or the others."""
    which = are_drawn(first, first + len(part.x), share, seed) == drawn
    return part.taken(which)


def size(part: Part) -> tuple[int, float]:
    """How many rows there are, and the sum of their weights."""
    rows = len(part.x)
    return rows, rows if part.weights is None else float(part.weights.sum(dtype=np.float64))


def cut(part: Part, start: int, stop: int) -> Part:
    """Some consecutive rows."""
    return part.taken(slice(start, stop))


def joined(*parts: Part) -> Part:
    """Rows one after the other, in memory of their own."""
    x, targets = (np.concatenate([part[column] for part in parts]) for column in (0, 1))
    weights = [part.weights for part in parts if part.weights is not None]
    return Part(x, targets, np.concatenate(weights) if weights else None)


def checksum(part: Part, first: int, multipliers: Array) -> int:
    """A sum over rows, each by its number: sums of partitions add up to the same, however rows are cut."""
    total = np.uint64(0)
    for start in range(0, len(part.x), ROWS):
        rows = cut(part, start, start + ROWS)
        words = np.concatenate([_words(each) for each in rows if each is not None], axis=1)
        numbers = np.arange(first + start, first + start + len(words), dtype=np.uint64)
        mixed = (words * multipliers[: words.shape[1]]).sum(axis=1, dtype=np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(29))) * (np.uint64(2) * numbers + np.uint64(1))
        total += mixed.sum(dtype=np.uint64)
    return int(total)


def constant(part: Part, objective: _losses.Objective) -> float:
    """What belongs to the targets in the loss, summed over rows."""
    _, weight = size(part)
    return _losses.constant(objective, part.targets, part.weights) * weight if weight else 0.0


def looked(part: Part, structure: dict[str, Any], theta: Array, classifies: bool) -> tuple[float, float, Any]:
    """The weight of rows, their mean loss, and the mean of what a score is made of."""
    _, weight = size(part)
    if not weight:
        return 0.0, 0.0, 0.0
    core = _schuss.Network(**structure)
    rows, theta = for_core(part), aligned(theta)
    loss = core.loss(theta, rows, 1)
    out = core.predict(theta, rows[0], False, 1)
    figures = are_right(out, part.targets) if classifies else squares(out, part.targets)
    return weight, loss, np.average(figures, axis=0, weights=part.weights)


def moments(part: Part, centre: Any) -> tuple[float, Any, Any]:
    """The weight of rows, and the means of their targets about a centre and of the squares of that."""
    _, weight = size(part)
    if not weight:
        return 0.0, 0.0, 0.0
    about = part.targets.astype(np.float64) - centre
    mean, square = (np.average(each, axis=0, weights=part.weights) for each in (about, about**2))
    return weight, mean, square


def extent(part: Part) -> tuple[Array, Array] | None:
    """The least and the largest targets of rows that have weight; None where there are none."""
    counted = part.targets if part.weights is None else part.targets[part.weights > 0]
    return (counted.min(axis=0), counted.max(axis=0)) if len(counted) else None


def _words(rows: Array) -> Array:
    """The bytes of each row as 32-bit words, in 64 bits each."""
    rows = np.ascontiguousarray(rows)
    width = rows[:1].nbytes // 4
    return rows.view(np.uint32).reshape(len(rows), width).astype(np.uint64)


def _values(y: Any) -> Array:
    """Targets as an array; one column is none."""
    values = np.asarray(y)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _labels(y: Array) -> list[tuple[Array, Array]]:
    columns = [y] if y.ndim == 1 else list(y.T)
    try:
        return [np.unique(column, return_counts=True) for column in columns]
    except TypeError as error:
        raise TypeError(f"y must be labels of one kind, which can be sorted: {error}") from None
