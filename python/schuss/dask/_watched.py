"""Rows on a cluster that are not learnt from: their loss and score after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _schuss
from ..estimators import _parameters
from ..estimators._scores import r2
from . import _parts
from ._cluster import on_each
from ._rows import Rows

Array = NDArray[Any]


class Watched:
    """Held-out rows, and what an estimator has to look at them with.

    They are cut as the shards are, whoever has them: sums do not depend on the workers either.
    """

    def __init__(self, estimator: Any, rows: Rows, decides: bool) -> None:
        self._client, self._classifies = rows.client, hasattr(estimator, "classes_")
        count = min(int(estimator.n_shards), rows.n_rows)
        cuts = [rows.n_rows * number // count for number in range(count + 1)]
        self._pieces = rows.pieces(list(pairwise(cuts)))
        self._structure = estimator._structure(_parameters.layers(estimator.coefs_), plain=True)
        self._objective = estimator._objective()
        self._constant = rows.constant(self._objective)
        self._rows = rows.n_rows
        self._spread = None if self._classifies else self._spread_of_targets()
        # Where all targets are the same, R^2 says nothing.
        undefined = decides and not self._classifies and not self._differ()
        self._by_loss = estimator.scoring == "loss" or undefined

    def look(self, theta: Array, seconds_left: Callable[[], float]) -> tuple[float, float]:
        """The loss and the score with these parameters."""
        if seconds_left() <= 0:
            raise _schuss.OutOfTime
        loss, figure = self._mean(_parts.looked, self._structure, theta, self._classifies)
        loss = self._objective.report(float(loss), 0.0, self._constant)
        return loss, -loss if self._by_loss else self._score(figure)

    def score(self, theta: Array) -> float:
        """The score alone."""
        _, figure = self._mean(_parts.looked, self._structure, theta, self._classifies)
        return self._score(figure)

    def _score(self, figure: Array) -> float:
        if not np.isfinite(figure).all():
            return np.nan
        if self._spread is None:
            return float(figure)
        return r2(figure, self._spread) if self._rows > 1 else np.nan

    def _spread_of_targets(self) -> Array:
        """The mean square of the targets about their mean, in each column."""
        mean, _ = self._mean(_parts.moments, 0.0)
        _, spread = self._mean(_parts.moments, mean)
        return np.asarray(spread)

    def _differ(self) -> bool:
        """Whether the targets that count are not all the same."""
        extents = self._client.gather(on_each(self._client, _parts.extent, self._pieces))
        low, high = zip(*(extent for extent in extents if extent is not None), strict=True)
        return bool((np.min(low, axis=0) < np.max(high, axis=0)).any())

    def _mean(self, function: Any, *given: Any) -> list[Any]:
        """The weighted means over all rows of what a function finds in each piece."""
        found = self._client.gather(on_each(self._client, function, self._pieces, *given))
        weight = sum(weight for weight, *_ in found)
        weighted = [[figure * weight for figure in figures] for weight, *figures in found]
        return [sum(column) / weight for column in zip(*weighted, strict=True)]
