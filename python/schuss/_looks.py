"""What a network makes of rows, all at once or shard by shard: objective and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._attributes import Attributes
from ._data import Rows
from ._metrics import Metric
from ._pieces import Pieces, SecondsLeft
from ._registry import LOSSES

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _no_limit() -> None:
    return None


class Looks(Attributes):
    """What looks at rows: see `schuss.MLP`."""

    def _look(self, rows: Rows | Pieces, n_threads: int | None, seconds_left: SecondsLeft) -> float:
        """The objective on some rows."""
        if isinstance(rows, Rows):
            return self._core.loss(self.theta, rows.arrays, n_threads, seconds_left())
        free, is_mean = self._make_core(l2=0.0), LOSSES[self.objective].is_mean

        def look(piece: Rows, seconds: float | None) -> tuple[float, float]:
            weight = piece.total_weight
            return weight, free.loss(self.theta, piece.arrays, n_threads, seconds) if weight else 0.0

        found = rows.each(look, seconds_left=seconds_left)
        total = float(sum(weight for weight, _ in found))
        loss = float(sum(loss * (weight if is_mean else 1.0) for weight, loss in found))
        return loss / (total if is_mean else 1.0) + self._penalty(total)

    def _penalty(self, weight: float) -> float:
        """The penalty that belongs to the loss of rows of that weight."""
        if self.l2 == 0:
            return 0.0
        decaying = [
            view for view, tensor in zip(self.params, self._core.tensors(), strict=True) if tensor.decays
        ]
        squares = sum(float(np.square(view, dtype=np.float64).sum()) for view in decaying)
        return 0.5 * self.l2 * squares / (weight if self._l2_per_weight else 1.0)

    def _measure(
        self,
        metrics: Sequence[Metric],
        rows: Rows | Pieces,
        n_threads: int | None,
        seconds_left: SecondsLeft = _no_limit,
    ) -> list[float]:
        """What each metric says of the predictions for some rows."""
        if isinstance(rows, Rows):
            found = [(1.0, self._parts(metrics, rows, n_threads, seconds_left()))]
        else:

            def look(piece: Rows, seconds: float | None) -> tuple[float, list[Any]]:
                weight = piece.total_weight
                return weight, self._parts(metrics, piece, n_threads, seconds) if weight else []

            found = [each for each in rows.each(look, seconds_left=seconds_left) if each[0]]
        weights = np.array([weight for weight, _ in found])
        return [
            metric.of_all(weights, list(parts))
            for metric, parts in zip(metrics, zip(*(parts for _, parts in found), strict=True), strict=True)
        ]

    def _parts(
        self, metrics: Sequence[Metric], rows: Rows, n_threads: int | None, seconds: float | None
    ) -> list[Any]:
        """What each metric takes from the predictions for some rows."""
        out: NDArray[Any] = self._core.predict(self.theta, rows.x, False, n_threads, seconds)
        targets = rows.targets.astype(np.int64) if rows.targets.dtype == np.uint32 else rows.targets
        if rows.flat and targets.ndim == 2 and targets.shape[1] == 1:
            targets, out = targets[:, 0], out[:, 0]
        return [metric.of_piece(targets, out, rows.weights_in_unit) for metric in metrics]
