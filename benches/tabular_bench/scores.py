"""What a prediction is worth, and errors relative to somebody else's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

# The least probability that counts: one row more sure of a wrong class than that must not decide a table.
LEAST = 1e-7
# What the error of a task is made of.
ERRORS = {
    "regression": ("rmse",),
    "binary": ("log_loss", "error_rate"),
    "multiclass": ("log_loss", "error_rate"),
}


def of_values(y: NDArray, predicted: NDArray) -> dict[str, float]:
    """Of a regression."""
    squares = float(np.mean((y - np.ravel(predicted)) ** 2))
    return {"rmse": math.sqrt(squares), "r2": 1 - squares / float(np.var(y))}


def of_classes(y: NDArray, classes: NDArray, proba: NDArray, predicted: NDArray) -> dict[str, float]:
    """Of a classification; the AUC of more than two classes is the mean of each against the rest."""
    proba = np.clip(np.asarray(proba, float), LEAST, 1)
    proba /= proba.sum(axis=1, keepdims=True)
    if len(classes) == 2:
        auc = roc_auc_score(y == classes[1], proba[:, 1])
    else:
        auc = roc_auc_score(y, proba, multi_class="ovr", labels=classes)
    return {
        "error_rate": float(np.mean(np.ravel(predicted) != y)),
        "log_loss": float(log_loss(y, proba, labels=classes)),
        "auc": float(auc),
    }


def ratio(run: dict, base: dict) -> float:
    """A run's error divided by that of another: the RMSE, or the geometric mean for log-loss and error rate.

    An error rate counts as that of half a row at least, so that there is a ratio where nothing is wrong.
    """
    logs = []
    for name in ERRORS[run["task"]]:
        least = 0.5 / run["test_rows"] if name == "error_rate" else 1e-12
        logs.append(math.log(max(run["scores"][name], least) / max(base["scores"][name], least)))
    return math.exp(sum(logs) / len(logs))


def geometric_mean(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))
