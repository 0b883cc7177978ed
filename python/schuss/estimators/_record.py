"""The record of a training, and the fitted attributes that follow from it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._stop import Stop
from ..history import History
from ._settings import Settings

Array = NDArray[Any]


class Epoch(NamedTuple):
    """What one epoch has come to; the names are those of the history's columns."""

    loss: float
    val_loss: float | None
    score: float | None
    lr: float | None
    seconds: float


class Best(NamedTuple):
    """The best so far, and for how many epochs nothing has improved.

    `number` is that of the epoch that ended with `theta`, in the history; None where nobody has noted it.
    """

    loss: float | None
    score: float | None
    theta: Array | None
    stalled: int
    number: int | None = None

    def after(self, epoch: Epoch, number: int | None, theta: Array, settings: Settings) -> Best:
        """What it is after one more epoch, of that number in the history, which ended with these parameters.

        What is watched goes up: the score of held-out rows, else the negative loss.
        """
        loss, score, best, best_number, better = self.loss, self.score, self.theta, self.number, False
        if epoch.score is not None and (score is None or epoch.score > score):
            score, better = epoch.score, True
        if settings.stops_early:
            stalls = _is_below(epoch.score, self.score, settings.tol)
        else:
            before = np.inf if loss is None else loss
            stalls = epoch.loss > before - settings.tol
            if epoch.loss < before:
                loss = epoch.loss
                better = better or epoch.score is None
        if settings.restores_best and better:
            best, best_number = theta.copy(), number
        return Best(loss, score, best, self.stalled + 1 if stalls else 0, best_number)


def _is_below(score: float | None, best: float | None, tol: float) -> bool:
    # NaN is no improvement.
    return score is not None and best is not None and not score >= best + tol


def fresh_attributes(stops_early: bool) -> dict[str, Any]:
    """What an estimator has before its first epoch."""
    return {
        "history_": History(),
        "n_iter_": 0,
        "t_": 0,
        "loss_curve_": [],
        "validation_loss_curve_": None,
        "validation_scores_": [] if stops_early else None,
        "best_loss_": None if stops_early else np.inf,
        "best_validation_score_": -np.inf if stops_early else None,
        "_no_improvement_count": 0,
        "_best_theta": None,
        "_best_number": None,
    }


def judges_of(estimator: Any, samples: Any, held_out: Any, settings: Settings) -> tuple[Any, ...]:
    """What tells which epoch is the best: only where it is the same, two fits can be compared."""
    objective = None
    if held_out is None or estimator.scoring in (None, "loss"):
        objective = settings.objective
    if held_out is None:
        return "loss", objective, settings.alpha, samples.identity
    return estimator.scoring, objective, held_out.identity


# The curves by epoch, and which column of an `Epoch` each of them shows.
CURVES = {"loss_curve_": "loss", "validation_loss_curve_": "val_loss", "validation_scores_": "score"}


class Record:
    """What a training has done so far, on top of what its estimator had before.

    `epochs` is what counts: an epoch is entered whole or, where Ctrl-C comes before, not at all. The fitted
    attributes follow from it, by `publish`.

    Attributes
    ----------
    epochs : list of Epoch
        The epochs of this training.
    best : Best
        The best of all epochs, those of earlier trainings included but where they were judged by something
        else.
    """

    def __init__(self, estimator: Any, n_rows: int, watches: bool, afresh: bool) -> None:
        self._estimator = estimator
        self._n_rows = n_rows
        self._epochs_before: int = estimator._epochs
        self._rows_before: int = estimator.t_
        self.epochs: list[Epoch] = []
        self._loss_at_start: float | None = None
        # Their lengths may differ: held-out rows may be new, scikit-learn's estimators keep less.
        names = list(CURVES) if watches else ["loss_curve_"]
        self._curves: dict[str, list[float]] = {name: getattr(estimator, name) or [] for name in names}
        self._lengths_before = {name: len(curve) for name, curve in self._curves.items()}
        self._history: History = estimator.history_
        self._history_before = self._history.epochs
        self._in_history = 0
        seconds = self._history.get("seconds", ())
        self.seconds_before = seconds[-1] if seconds else 0.0
        score = estimator.best_validation_score_
        if watches and (afresh or estimator.validation_scores_ is None):
            score = -np.inf
        if afresh:
            self.best = Best(
                None if estimator.early_stopping else np.inf, score if watches else None, None, 0
            )
        else:
            theta, stalled = estimator._best_theta, estimator._no_improvement_count
            self.best = Best(estimator.best_loss_, score, theta, stalled, estimator._best_number)

    @property
    def all_epochs(self) -> int:
        """Epochs, those of earlier trainings included."""
        return self._epochs_before + len(self.epochs)

    @property
    def number(self) -> int:
        """That of the last epoch in the history, from 1 on."""
        return self._history_before + len(self.epochs)

    @property
    def rows_seen(self) -> int:
        """Rows, one counted again in each epoch, those of earlier trainings included."""
        return self._rows_before + self._n_rows * len(self.epochs)

    def publish(self) -> None:
        """Bring the fitted attributes to where the record is, also after an interrupt amid this."""
        self._fill_history()
        attributes: dict[str, Any] = {
            "n_iter_": len(self.epochs),
            "t_": self.rows_seen,
            "_epochs": self.all_epochs,
            "best_loss_": self.best.loss,
            "best_validation_score_": self.best.score,
            "_best_theta": self.best.theta,
            "_best_number": self.best.number,
            "_no_improvement_count": self.best.stalled,
        }
        if self.epochs:
            attributes["loss_"] = self.epochs[-1].loss
        elif self._loss_at_start is not None:
            attributes["loss_"] = self._loss_at_start
        elif not self.all_epochs:
            attributes["loss_"] = np.nan
        for name, curve in self._curves.items():
            entered = len(curve) - self._lengths_before[name]
            curve.extend(getattr(epoch, CURVES[name]) for epoch in self.epochs[entered:])
            attributes[name] = curve
        for name, value in attributes.items():
            setattr(self._estimator, name, value)

    def _fill_history(self) -> None:
        # A row that an interrupt has cut off goes away first.
        self._history._truncate(self._history_before + self._in_history)
        for epoch in self.epochs[self._in_history :]:
            self._history.append(**epoch._asdict())
            self._in_history += 1

    def note_start(self, there: Epoch, theta: Array, settings: Settings) -> None:
        """The training ends where it began: what that is worth counts, though it is no epoch."""
        self._loss_at_start = there.loss
        self.best = self.best.after(there, None, theta, settings)._replace(stalled=self.best.stalled)

    def note_end(self, stopped: Stop | None) -> None:
        """The training is over, and this is why; None: it runs, whatever is there of an earlier one."""
        self._history.stopped, self._history.best_epoch = stopped, None

    def mark_best(self) -> None:
        """The training ends with the parameters of its best epoch: say in the history which one that is."""
        self._history.best_epoch = self.best.number
