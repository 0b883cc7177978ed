"""Training with L-BFGS: all rows at once, a few times a step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._lbfgs import descend
from .._schuss import LBFGS
from ._training import Setup, Training

Array = NDArray[Any]


class Descent(Training):
    """Training with L-BFGS, in which a step is an epoch.

    Parameters
    ----------
    setup : Setup
        What is trained.
    recipe : LBFGS
        Settings of the search.
    weights : list of ndarray
        The parameters that are penalised, views of all.
    max_evaluations : int
        The most evaluations of the loss.
    least_gain : float
        The gain of a step, relative to the loss, that is too small to go on.
    threads : int
        Workers.
    """

    def __init__(
        self,
        setup: Setup,
        recipe: LBFGS,
        weights: list[Array],
        max_evaluations: int,
        least_gain: float,
        threads: int,
    ) -> None:
        super().__init__(setup)
        self.recipe = recipe
        self.weights = weights
        self.max_evaluations = max_evaluations
        self.least_gain = least_gain
        self.threads = threads
        of_rows = self.rows[2]
        self._weight = len(self.rows[1]) if of_rows is None else float(of_rows.sum(dtype=np.float64))
        self._loss_before = np.inf

    def _train(self, epochs: int) -> None:
        def after_step(loss: float) -> bool:
            return self._after_step(loss, epochs)

        self.listeners.begin_epoch()
        end = descend(self.recipe, self.theta, self._evaluate, after_step, self.max_evaluations)
        self.stopped = self.stopped or end

    def _evaluate(self, point: Array, gradient: Array) -> float:
        return self.core.loss_and_grads(point, self.rows, gradient, None, self.threads)

    def _after_step(self, loss: float, epochs: int) -> bool:
        """Whether the step was the last."""
        squares = sum(float(np.vdot(weight, weight)) for weight in self.weights)
        self._after_epoch(loss, None, 0.5 * self.settings.alpha * squares / self._weight)
        gain, self._loss_before = self._loss_before - loss, loss
        if self.stopped is None and len(self.record.epochs) >= epochs:
            self.stopped = "epochs"
        if self.stopped is None and gain <= self.least_gain * max(abs(loss), 1.0):
            self.stopped = "converged"
        if self.stopped is None:
            self.listeners.begin_epoch()
        return self.stopped is not None
