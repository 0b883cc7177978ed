"""What a network's predictions are measured by, besides its loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._checks import check_sequence, shown
from ._registry import LOSSES

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Metric(NamedTuple):
    """A number that says how good predictions are, made of what pieces of the rows say.

    Attributes
    ----------
    name : str
        What its column in a history is called.
    of_piece : callable
        ``of_piece(targets, predictions, weights)``, with weights that may be None: what it takes from some
        rows.
    of_all : callable
        ``of_all(weights, parts)`` is the number, with the weight of each piece and what was taken from it.
    for_classes : bool or None
        Whether it is of classes, of numbers, or of either.
    needs_all : bool
        Whether what it takes are all predictions.
    """

    name: str
    of_piece: Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None], Any]
    of_all: Callable[[NDArray[Any], list[Any]], float]
    for_classes: bool | None
    needs_all: bool = False


def is_of_classes(objective: str) -> bool:
    """Whether a network with that loss predicts classes."""
    return LOSSES[objective].link in ("softmax", "sigmoid")


def labels_of(predictions: NDArray[Any]) -> NDArray[np.int64]:
    """Of each probability, whether it is at least one half."""
    return (predictions >= 0.5).astype(np.int64)


def _mean(values: NDArray[Any], weights: NDArray[Any] | None) -> float:
    # Rows of several outputs count with the mean over them.
    rows = values.reshape(len(values), -1).mean(axis=1, dtype=np.float64)
    return float(np.average(rows, weights=weights))


def _alike(targets: NDArray[Any], predictions: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    wide = targets.astype(np.float64).reshape(len(targets), -1)
    return wide, predictions.astype(np.float64).reshape(wide.shape)


def _are_right(targets: NDArray[Any], predictions: NDArray[Any], weights: NDArray[Any] | None) -> float:
    """The share of rows whose class is right; with several labels a row, of rows that are right in all."""
    if targets.ndim == 2 and targets.shape[1] > 1:
        right = (labels_of(targets) == labels_of(predictions)).all(axis=1)
    elif predictions.ndim == 2 and predictions.shape[1] > 1:
        right = targets.reshape(-1) == predictions.argmax(axis=1)
    else:
        right = labels_of(targets).reshape(-1) == labels_of(predictions).reshape(-1)
    return _mean(right, weights)


def _squares(targets: NDArray[Any], predictions: NDArray[Any], weights: NDArray[Any] | None) -> float:
    y, p = _alike(targets, predictions)
    return _mean((y - p) ** 2, weights)


def _distances(targets: NDArray[Any], predictions: NDArray[Any], weights: NDArray[Any] | None) -> float:
    y, p = _alike(targets, predictions)
    return _mean(np.abs(y - p), weights)


def _moments(
    targets: NDArray[Any], predictions: NDArray[Any], weights: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of each output the mean squared error, and mean and variance of the targets."""
    y, p = _alike(targets, predictions)
    mean = np.average(y, axis=0, weights=weights)
    errors = np.average((y - p) ** 2, axis=0, weights=weights)
    return errors, mean, np.average((y - mean) ** 2, axis=0, weights=weights)


def _mean_of(weights: NDArray[Any], parts: list[Any]) -> float:
    return float(np.average(parts, weights=weights))


def _root_of(weights: NDArray[Any], parts: list[Any]) -> float:
    return float(np.sqrt(_mean_of(weights, parts)))


def _r2_of(weights: NDArray[Any], parts: list[Any]) -> float:
    """The coefficient of determination, the mean over the outputs; NaN where all targets are the same."""
    errors, means, spreads = (np.stack(column) for column in zip(*parts, strict=True))
    mean = np.average(means, axis=0, weights=weights)
    left = np.average(errors, axis=0, weights=weights)
    spread = np.average(spreads + (means - mean) ** 2, axis=0, weights=weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.mean(np.where(spread > 0, 1 - left / spread, np.nan)))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", _are_right, _mean_of, True),
        Metric("r2", _moments, _r2_of, False),
        Metric("mse", _squares, _mean_of, None),
        Metric("rmse", _squares, _root_of, None),
        Metric("mae", _distances, _mean_of, None),
    )
}


def score_of(objective: str) -> Metric:
    """What `MLP.score` gives with that loss."""
    return METRICS["accuracy" if is_of_classes(objective) else "r2"]


def metrics_of(given: Any, objective: str) -> list[Metric]:
    """The metrics that the argument `metrics` names, for a network with that loss."""
    named = [given] if isinstance(given, str) or callable(given) else given
    every: Iterable[Any] = check_sequence("metrics", named, f"functions or names: {', '.join(METRICS)}")
    chosen = [_metric_of(metric, objective) for metric in every]
    names = [metric.name for metric in chosen]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"metrics must have different names, got {name!r} twice")
        if name in ("loss", "val_loss", "lr", "seconds") or name.startswith("val_"):
            raise ValueError(f"metrics must not be called as a column of the history, got {name!r}")
    return chosen


def _metric_of(metric: Any, objective: str) -> Metric:
    if callable(metric):
        name = getattr(metric, "__name__", "")
        if not (isinstance(name, str) and name.isidentifier()):
            raise ValueError(f"metrics must be functions with a name, got {shown(metric)}: give it by def")
        return Metric(name, _rows_of, partial(_call, metric), None, needs_all=True)
    if not isinstance(metric, str):
        raise TypeError(f"metrics must be names or functions, got {shown(metric)}")
    if metric not in METRICS:
        raise ValueError(f"metrics must be of {', '.join(METRICS)}, or functions, got {metric!r}")
    found = METRICS[metric]
    if found.for_classes is not None and found.for_classes != is_of_classes(objective):
        fitting = [m.name for m in METRICS.values() if m.for_classes in (None, is_of_classes(objective))]
        raise ValueError(
            f"metrics must be of {', '.join(fitting)} with the loss {objective!r}, got {metric!r}"
        )
    if objective == "cross_entropy" and found.for_classes is None:
        raise ValueError(f"metrics must be accuracy or functions with the loss {objective!r}, got {metric!r}")
    return found


def _rows_of(targets: NDArray[Any], predictions: NDArray[Any], _: Any) -> list[NDArray[Any]]:
    return [targets, predictions]


def _call(function: Callable[[Any, Any], Any], _: Any, parts: list[Any]) -> float:
    targets, predictions = (
        column[0] if len(parts) == 1 else np.concatenate(column) for column in zip(*parts, strict=True)
    )
    value = function(targets, predictions)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"metrics must return a number, got {shown(value)} from {shown(function)}") from None
