"""The losses of scikit-learn's names in terms of the core's."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy


class Objective(NamedTuple):
    """What the core is told to minimise, and how its figures become the ones that are reported.

    The core's loss of a row is the sum over outputs of `output_weights` times loss. What is reported for
    several outputs is the mean where scikit-learn reports the mean (`share`), though its gradients are the
    sum's.
    """

    name: str
    parameter: float | None
    output_weights: list[float] | None
    share: float
    link: str

    def report(self, loss: float, penalty: float, constant: float) -> float:
        """The loss as it is shown; `constant` belongs to the targets, whatever the outputs."""
        return (loss - penalty + constant) * self.share + penalty


# scikit-learn's name: the core's, its factor, the link from last preactivation to output.
REGRESSION = {
    "squared_error": ("mse", 0.5, "identity"),
    "poisson": ("poisson", 1.0, "exp"),
    "absolute_error": ("mae", 1.0, "identity"),
    "huber": ("huber", 1.0, "identity"),
    "quantile": ("quantile", 1.0, "identity"),
    "log_cosh": ("log_cosh", 1.0, "identity"),
}

# One of the core's losses with that link.
WITH_LINK = {
    "identity": "mse",
    "exp": "poisson",
    "logistic": "binary_cross_entropy",
    "softmax": "cross_entropy",
}


def regression(loss: str, parameter: float | None, weights: NDArray[Any]) -> Objective:
    """The objective of a regressor with a weight for each output."""
    name, factor, link = REGRESSION[loss]
    share = 1.0 if loss == "poisson" else 1.0 / len(weights)
    return Objective(name, parameter, [factor * float(w) for w in weights], share, link)


def classification(outputs: int, multiclass: bool) -> Objective:
    """The objective of a classifier: log-loss of the class, or of each of several yes-or-no outputs."""
    if multiclass:
        return Objective("cross_entropy", None, None, 1.0, "softmax")
    return Objective("binary_cross_entropy", None, [1.0] * outputs, 1.0, "logistic")


def constant(objective: Objective, targets: NDArray[Any], sample_weight: NDArray[Any] | None) -> float:
    """What the deviance of counts has besides what the core minimises: the weighted mean of y ln y - y."""
    if objective.name != "poisson":
        return 0.0
    rows = (xlogy(targets, targets) - targets) @ np.asarray(objective.output_weights)
    return float(np.average(rows, weights=sample_weight))
