"""Rows in pieces that are not learnt from: their loss and score after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._pieces import Pieces
from . import _looks, _parameters
from ._scores import r2

Array = NDArray[Any]


class Watched:
    """Held-out rows in pieces, and what an estimator has to look at them with.

    What is found is added up in the order of the pieces: it does not depend on where they are.

    Attributes
    ----------
    by_all : bool
        Whether all processes look, each at its own.
    """

    by_all = True

    def __init__(self, estimator: Any, pieces: Pieces, decides: bool, threads: int = 1) -> None:
        self._pieces, self._threads = pieces, threads
        self._classifies = hasattr(estimator, "classes_")
        # Where only one class was seen it is always predicted.
        self._is_certain = self._classifies and len(estimator.classes_) == 1
        self._structure = estimator._structure(_parameters.layers(estimator.coefs_), plain=True)
        self._objective = estimator._objective()
        self._constant = _looks.constant_of(pieces, self._objective)
        self._rows = sum(rows for rows, _ in pieces.each(_looks.size))
        self._spread = None if self._classifies else self._spread_of_targets()
        # Where all targets are the same, R^2 says nothing.
        undefined = decides and not self._classifies and not self._differ()
        self._by_loss = estimator.scoring == "loss" or undefined

    def look(self, theta: Array, seconds_left: Callable[[], float]) -> tuple[float, float]:
        """The loss and the score with these parameters."""
        loss, figure = self._looked(theta, seconds_left)
        loss = self._objective.report(float(loss), 0.0, self._constant)
        return loss, -loss if self._by_loss else self._score(figure)

    def score(self, theta: Array) -> float:
        """The score alone."""
        return self._score(self._looked(theta)[1])

    def _looked(self, theta: Array, seconds_left: Callable[[], float] | None = None) -> list[Any]:
        given = self._structure, theta, self._classifies, self._threads
        return self._pieces.mean(_looks.looked, *given, seconds_left=seconds_left)

    def _score(self, figure: Array) -> float:
        if not np.isfinite(figure).all():
            return np.nan
        if self._spread is None:
            return 1.0 if self._is_certain else float(figure)
        return r2(figure, self._spread) if self._rows > 1 else np.nan

    def _spread_of_targets(self) -> Array:
        """The mean square of the targets about their mean, in each column."""
        mean, _ = self._pieces.mean(_looks.moments, 0.0)
        _, spread = self._pieces.mean(_looks.moments, mean)
        return np.asarray(spread)

    def _differ(self) -> bool:
        """Whether the targets that count are not all the same."""
        extents = self._pieces.each(_looks.extent)
        low, high = zip(*(extent for extent in extents if extent is not None), strict=True)
        return bool((np.min(low, axis=0) < np.max(high, axis=0)).any())
