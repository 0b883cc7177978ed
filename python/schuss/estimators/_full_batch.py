"""Training with L-BFGS: all rows at once, a few times a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data import total
from .._descent import Descent, QuasiNewton, descend
from .._schuss import LBFGS, NonFiniteError, OutOfTime
from .._stop import Stop
from ._training import Setup, Training

Array = NDArray[Any]

# Why L-BFGS may stop before it has converged.
UNFINISHED = {
    Stop.EPOCHS: "max_iter is reached",
    Stop.EVALUATIONS: "max_fun is reached",
    Stop.NO_DESCENT: "no lower point was found along the negative gradient",
}


class FullBatch(Training):
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
        self._weight = len(self.rows[1]) if of_rows is None else total(of_rows)
        self._loss_before = np.inf
        self._first_loss: float | None = None
        self._gradient = np.empty_like(self.theta)
        self._evaluations = 0
        # Up to the last step: what came after is done again by a training that resumes.
        self._evaluations_of_steps = 0
        self._descent = QuasiNewton(recipe, self.theta)

    def _restore(self, saved: Mapping[str, Any]) -> None:
        super()._restore(saved)
        self._evaluations = self._evaluations_of_steps = saved["evaluations"]
        self._loss_before = saved["loss_before"]
        self._descent = QuasiNewton.resume(self.recipe, self.theta, saved["optimizer"])
        self._first_loss = getattr(self._descent, "value", None)  # used only where nothing has moved

    def _state(self) -> dict[str, Any]:
        return {
            "optimizer": self._descent.state_dict(),
            "evaluations": self._evaluations_of_steps,
            "loss_before": self._loss_before,
        }

    def _train(self, epochs: int) -> None:
        def stepped(descent: Descent) -> Stop | None:
            return self._after_step(descent.value, epochs)

        self.listeners.begin_epoch()
        if self.unseen is not None and self._after_step(self.unseen[0], epochs) is not None:
            return
        try:
            end = descend(self._descent, self._evaluate, stepped, self._out_of_budget)
        except OutOfTime:
            end = Stop.MAX_TIME
        if end is Stop.NOT_FINITE:
            raise NonFiniteError("the loss or its gradient is not finite at the start")
        if end is Stop.CONVERGED and self.stopped is None:
            # With the last evaluation it has not converged, even if that met the tolerance: as SciPy has it.
            end = self._out_of_budget() or end
        self.stopped = self.stopped or end

    def _evaluate(self, point: Array) -> tuple[float, Array]:
        # The last accepted point is in the parameters: the search from there can be made again.
        self.at_rest = True
        value = self.core.loss_and_grads(
            point, self.rows, self._gradient, None, self.threads, self._seconds_left()
        )
        self.at_rest = False
        self._evaluations += 1
        if self._first_loss is None:
            self._first_loss = value
        if not self._evaluations_of_steps:
            self._evaluations_of_steps = 1
        return value, self._gradient

    def _at_start(self) -> tuple[float, float] | None:
        return None if self._first_loss is None else (self._first_loss, self._penalty())

    def _penalty(self) -> float:
        squares = sum(float(np.vdot(weight, weight)) for weight in self.weights)
        return 0.5 * self.settings.alpha * squares / self._weight

    def _out_of_budget(self) -> Stop | None:
        return Stop.EVALUATIONS if self._evaluations >= self.max_evaluations else None

    def _after_step(self, loss: float, epochs: int) -> Stop | None:
        """Why the step was the last, if so."""
        self._evaluations_of_steps = self._evaluations
        penalty = self._penalty()
        self._begin_looks(loss, None, penalty)
        self._after_epoch(loss, None, penalty)
        self.unseen = None
        gain, self._loss_before = self._loss_before - loss, loss
        if self.stopped is None and len(self.record.epochs) >= epochs:
            self.stopped = Stop.EPOCHS
        if self.stopped is None and gain <= self.least_gain * max(abs(loss), 1.0):
            self.stopped = Stop.CONVERGED
        if self.stopped is None:
            self._save_if_due()
            self.listeners.begin_epoch()
        return self.stopped
