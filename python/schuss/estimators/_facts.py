"""What makes a training of an estimator what it is: one that goes on from a checkpoint must have the same."""

from __future__ import annotations

from typing import Any

from .._checkpoint import fact_of
from ._samples import Samples

# What a training that goes on from a checkpoint may have otherwise: its bits do not depend on it.
FREE_TO_CHANGE = {
    "callbacks",
    "client",
    "max_fun",
    "max_iter",
    "max_time",
    "n_threads",
    "progress",
    "verbose",
    "warm_start",
}


def parameters_of(estimator: Any) -> dict[str, Any]:
    """The parameters that its bits depend on."""
    parameters = estimator.get_params(deep=False)
    given = {name: value for name, value in parameters.items() if name not in FREE_TO_CHANGE}
    return {name: fact_of(value) for name, value in given.items()}


def facts_of(estimator: Any, layers: list[int], samples: Samples, held_out: Samples | None) -> dict[str, Any]:
    """Of an estimator, the layers of its network, the rows that it learns from, and those that it watches."""
    return {
        "the network": layers,
        "epochs before": getattr(estimator, "_epochs", 0) if estimator.warm_start else 0,
        **parameters_of(estimator),
        "the checksum of the rows": samples.identity,
        "the checksum of X_val and y_val": held_out.identity if held_out else "none",
    }
