"""What is found in some rows, with their weight: means of all rows are made of it, wherever those are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _schuss
from .._arrays import contiguous
from .._data import Rows
from .._pieces import Pieces
from .._sparse import Sparse
from ._losses import Objective, constant
from ._scores import are_right, squares

Array = NDArray[Any]


def size(rows: Rows) -> tuple[int, float]:
    """How many rows there are, and the sum of their weights."""
    return int(rows.x.shape[0]), rows.total_weight


def looked(
    rows: Rows,
    structure: dict[str, Any],
    theta: Array,
    classifies: bool,
    threads: int = 1,
    seconds: float | None = None,
) -> tuple[float, float, Any]:
    """The weight of rows, their mean loss, and the mean of what a score is made of."""
    weight = rows.total_weight
    if not weight:
        return 0.0, 0.0, 0.0
    core = _schuss.Network(**structure)
    given, theta = for_core(rows), contiguous(theta)
    loss = core.loss(theta, given, threads, seconds)
    out = core.predict(theta, given[0], False, threads, seconds)
    figures = are_right(out, rows.targets) if classifies else squares(out, rows.targets)
    return weight, loss, _mean(figures, rows)


def moments(rows: Rows, centre: Any) -> tuple[float, Any, Any]:
    """The weight of rows, and the means of their targets about a centre and of the squares of that."""
    weight = rows.total_weight
    if not weight:
        return 0.0, 0.0, 0.0
    about = rows.targets.astype(np.float64) - centre
    return weight, _mean(about, rows), _mean(about**2, rows)


def extent(rows: Rows) -> tuple[Array, Array] | None:
    """The least and the largest targets of rows that have weight; None where there are none."""
    weights = rows.weights_in_unit
    counted = rows.targets if weights is None else rows.targets[weights > 0]
    return (counted.min(axis=0), counted.max(axis=0)) if len(counted) else None


def constant_of(pieces: Pieces, objective: Objective) -> float:
    """What belongs to the targets in the loss of all rows that is reported."""
    return float(pieces.mean(_constant, objective)[0]) if objective.name == "poisson" else 0.0


def _constant(rows: Rows, objective: Objective) -> tuple[float, float]:
    weight = rows.total_weight
    return weight, constant(objective, rows.targets, rows.weights_in_unit) if weight else 0.0


def for_core(rows: Rows) -> tuple[Any, Array, Any]:
    """Rows as the core takes them: what has come from another process need not be aligned in memory."""
    x, targets, weights = rows.arrays
    if isinstance(x, Sparse):
        x = Sparse(contiguous(x.data), contiguous(x.indices), contiguous(x.indptr), x.columns)
    else:
        x = contiguous(x)
    return x, contiguous(targets), contiguous(weights) if isinstance(weights, np.ndarray) else weights


def _mean(figures: Array, rows: Rows) -> Any:
    return np.average(figures, axis=0, weights=rows.weights_in_unit)
