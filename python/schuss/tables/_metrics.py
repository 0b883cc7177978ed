"""What members are chosen by, and what the scores of a validation are: the lower, the better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
Metric: TypeAlias = Callable[[NDArray[Any], Floats, Floats | None], float]

TINY = 1e-7


def _mean(values: Floats, weights: Floats | None) -> float:
    return float(np.average(values, weights=weights))


def log_loss(y: NDArray[Any], p: Floats, weights: Floats | None = None) -> float:
    """The mean of minus the logarithm of the probability of the class that it was."""
    own = p[np.arange(len(y)), y]
    return _mean(-np.log(np.clip(own, TINY, 1.0)), weights)


def error_rate(y: NDArray[Any], p: Floats, weights: Floats | None = None) -> float:
    """The share of rows whose most probable class it was not."""
    return _mean(p.argmax(axis=1) != y, weights)


def one_minus_auc(y: NDArray[Any], p: Floats, weights: Floats | None = None) -> float:
    """1 minus the area under the ROC curve, for several classes the mean over classes against the others.

    Classes that are not there, or alone, have no such area; where that is all of them, it is 1/2.
    """
    from sklearn.metrics import roc_auc_score

    if weights is not None:
        # Rows that do not count are not there, nor is a class of nothing else.
        counts = weights > 0
        y, p, weights = y[counts], p[counts], weights[counts]
    areas = []
    for each in [1] if p.shape[1] == 2 else range(p.shape[1]):
        if 0 < np.count_nonzero(y == each) < len(y):
            areas.append(float(roc_auc_score(y == each, p[:, each], sample_weight=weights)))
    return 1.0 - sum(areas) / len(areas) if areas else 0.5


def rmse(y: NDArray[Any], p: Floats, weights: Floats | None = None) -> float:
    """The root of the mean squared error."""
    apart = y - p
    largest = float(np.abs(apart).max(initial=0.0))
    # Squares of numbers that are further from 1 leave float64.
    unit = largest if 0 < largest < 1e-100 or largest > 1e100 else 1.0
    return float(_mean((apart / unit) ** 2, weights) ** 0.5) * unit


def mae(y: NDArray[Any], p: Floats, weights: Floats | None = None) -> float:
    """The mean absolute error."""
    return _mean(np.abs(y - p), weights)


CLASSIFICATION: dict[str, Metric] = {"log_loss": log_loss, "error_rate": error_rate, "roc_auc": one_minus_auc}
REGRESSION: dict[str, Metric] = {"rmse": rmse, "mae": mae}
