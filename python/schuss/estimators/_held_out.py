"""Rows that are not learnt from: their loss and score after each epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring

from .._checks import shown
from . import _parameters
from ._samples import Samples

Array = NDArray[Any]


class HeldOut:
    """Held-out rows, and what an estimator has to look at them with.

    Attributes
    ----------
    by_all : bool
        Whether all processes look, each at its own: these are all here, and the first one looks.
    """

    by_all = False

    def __init__(self, estimator: Any, samples: Samples, decides: bool, threads: int) -> None:
        self._estimator = estimator
        self._samples = samples
        self._rows = samples.for_core()
        self._core = estimator._make_core(_parameters.layers(estimator.coefs_), plain=True)
        self._threads = threads
        self._objective = estimator._objective()
        self._constant = samples.constant(self._objective)
        scoring = estimator.scoring
        self._scorer = check_scoring(estimator, scoring) if scoring not in (None, "loss") else scoring
        self._weighs = self._scorer in (None, "loss") or takes_weights(self._scorer)
        if samples.has_own_weights and not self._weighs:
            raise ValueError(
                f"scoring must accept sample_weight where that is given, got {scoring!r}; a function of "
                "estimator, X, y and sample_weight=None may leave it aside"
            )
        self._decides = decides
        if scoring is None and decides and not estimator._score_is_defined(samples):
            # Where all targets are the same, R^2 says nothing.
            self._scorer = "loss"

    def look(self, theta: Array, seconds_left: Callable[[], float]) -> tuple[float, float]:
        """The loss and the score with these parameters, which are the estimator's too."""
        loss = self._core.loss(theta, self._rows, self._threads, seconds_left())
        loss = self._objective.report(loss, 0.0, self._constant)
        if self._scorer is None:
            return loss, self._own_score(theta, seconds_left())
        if self._scorer == "loss":
            return loss, -loss
        given, scoring = self._scorers_score(), self._estimator.scoring
        try:
            score = float(given)
        except (TypeError, ValueError):
            words = f"scoring must give a number on the held-out rows, got {shown(given)} from {scoring!r}"
            raise TypeError(words) from None
        if self._decides and np.isnan(score) and np.isfinite(loss):
            raise ValueError(f"scoring must give a number on the held-out rows, got nan from {scoring!r}")
        return loss, score

    def _own_score(self, theta: Array, seconds_left: float) -> float:
        out = self._core.predict(theta, self._rows[0], False, self._threads, seconds_left)
        if not np.isfinite(out).all():
            return np.nan
        return float(self._estimator._score(out, self._samples.targets, self._samples.sample_weight))

    def _scorers_score(self) -> Any:
        samples = self._samples
        # The rows have no column names any more. `copy.copy` would pickle, and go through all of the history.
        nameless = object.__new__(type(self._estimator))
        nameless.__dict__.update(vars(self._estimator))
        nameless.__dict__.pop("feature_names_in_", None)
        weighs = self._weighs and samples.sample_weight is not None
        weight = {"sample_weight": samples.sample_weight} if weighs else {}
        return self._scorer(nameless, samples.X, samples.y, **weight)


def takes_weights(scorer: Any) -> bool:
    """Whether a scorer accepts `sample_weight`."""
    try:
        # scikit-learn's own hand it on to what they are made of.
        parameters = inspect.signature(getattr(scorer, "_score_func", scorer)).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.name == "sample_weight" or p.kind is p.VAR_KEYWORD for p in parameters)
