"""The losses of scikit-learn's names in terms of the core's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from .._checks import shown
from .._registry import LINKS, LOSSES, loss_with_link


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


class Scaled(NamedTuple):
    """A loss of the core and the factor that makes it scikit-learn's."""

    name: str
    factor: float


REGRESSION = {
    "squared_error": Scaled("mse", 0.5),
    "poisson": Scaled("poisson", 1.0),
    "absolute_error": Scaled("mae", 1.0),
    "huber": Scaled("huber", 1.0),
    "quantile": Scaled("quantile", 1.0),
    "log_cosh": Scaled("log_cosh", 1.0),
}
# The words of the field.
REGRESSION["mse"] = REGRESSION["squared_error"]
REGRESSION["mae"] = REGRESSION["l1"] = REGRESSION["absolute_error"]


def _output_activation(link: str) -> str:
    """What scikit-learn calls a link."""
    return "logistic" if link == "sigmoid" else link


# One of the core's losses with the link of that name.
WITH_LINK = {_output_activation(link): loss_with_link(link) for link in LINKS}
# What else scikit-learn's models may be given for their outputs, such as a bound: no loss has it for a link.
BOUNDS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "relu": lambda out: np.maximum(out, 0),
    "tanh": np.tanh,
}


def check_output_activation(name: Any, accepted: Iterable[str]) -> None:
    """Refuse an activation of the outputs that somebody has set, and that is none of those."""
    names = list(accepted)
    if not isinstance(name, str) or name not in names:
        raise ValueError(f"out_activation_ of the model must be one of {names}, got {shown(name)}")


def _objective(name: str, parameter: float | None, weights: list[float] | None, share: float) -> Objective:
    return Objective(name, parameter, weights, share, _output_activation(LOSSES[name].link))


def regression(loss: str, parameter: float | None, weights: NDArray[Any]) -> Objective:
    """The objective of a regressor with a weight for each output."""
    name, factor = REGRESSION[loss]
    share = 1.0 if loss == "poisson" else 1.0 / len(weights)
    return _objective(name, parameter, [factor * float(w) for w in weights], share)


def classification(outputs: int, multiclass: bool) -> Objective:
    """The objective of a classifier: log-loss of the class, or of each of several yes-or-no outputs."""
    if multiclass:
        return _objective("cross_entropy", None, None, 1.0)
    return _objective("binary_cross_entropy", None, [1.0] * outputs, 1.0)


def constant(objective: Objective, targets: NDArray[Any], sample_weight: NDArray[Any] | None) -> float:
    """What the deviance of counts has besides what the core minimises: the weighted mean of y ln y - y."""
    if objective.name != "poisson":
        return 0.0
    rows = (xlogy(targets, targets) - targets) @ np.asarray(objective.output_weights)
    return float(np.average(rows, weights=sample_weight))
