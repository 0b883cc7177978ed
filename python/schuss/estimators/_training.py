"""What any training of an estimator does after each epoch, and when it ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _schuss
from .._stop import Stop
from ..history import progress_bar
from . import _losses
from ._held_out import HeldOut
from ._listeners import Listeners
from ._record import Epoch, Record
from ._samples import Samples
from ._settings import Settings

Array = NDArray[Any]

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be"
    " preprocessed."
)


class Setup(NamedTuple):
    """All that a training works with."""

    core: _schuss.Network
    theta: Array
    samples: Samples
    held_out: HeldOut | None
    settings: Settings
    record: Record
    listeners: Listeners


class Training(ABC):
    """One fit of an estimator.

    Attributes
    ----------
    stopped : Stop or None
        Why it has ended; None while it runs.
    """

    def __init__(self, setup: Setup) -> None:
        self.core, self.theta = setup.core, setup.theta
        self.rows = setup.samples.for_core()
        self.held_out = setup.held_out
        self.settings, self.record, self.listeners = setup.settings, setup.record, setup.listeners
        self.stopped: Stop | None = None
        self._constant = _losses.constant(
            self.settings.objective, setup.samples.targets, setup.samples.sample_weight
        )
        self._start = perf_counter()

    @abstractmethod
    def _train(self, epochs: int) -> None:
        """Train until `stopped` is set; call `_after_epoch` after each epoch."""

    def _not_entered(self) -> Iterable[tuple[float, float | None, float]]:
        """Loss, learning rate and penalty of epochs that are in the parameters, but not in the record."""
        return ()

    def run(self, epochs: int) -> None:
        """Train for that many epochs, or until something says stop."""
        self.record.publish()
        with progress_bar(epochs, self.settings.progress) as self._update:
            try:
                self._train(epochs)
            except KeyboardInterrupt:
                for loss, lr, penalty in self._not_entered():
                    self._enter(loss, lr, penalty)
                self.stopped = Stop.INTERRUPTED
            except _schuss.NonFiniteError as error:
                self.record.close(Stop.NOT_FINITE)
                raise ValueError(NOT_FINITE) from error
            except BaseException:
                self.record.close(Stop.ERROR)
                raise
        self.record.publish()
        self.record.close(self.stopped)
        if self.settings.restores_best and self.record.best.theta is not None:
            self.theta[:] = self.record.best.theta

    def _after_epoch(self, loss: float, lr: float | None, penalty: float) -> bool:
        """Enter an epoch, let everybody look, and decide what follows. Whether the core must come to rest."""
        epoch = self._enter(loss, lr, penalty)
        self.record.best = self.record.best.after(epoch, self.theta, self.settings)
        self.record.publish()
        self._show(epoch)
        wanted = self.listeners.end_epoch()
        stalled = self.record.best.stalled > self.settings.patience
        if stalled:
            self._say_stalled(self._after_stalling())
        if self.stopped is None:
            if not np.isfinite(epoch.loss) and not np.isfinite(self.theta).all():
                self.stopped = Stop.NOT_FINITE
            elif self._seconds() >= self.settings.max_time:
                self.stopped = Stop.MAX_TIME
            elif wanted:
                self.stopped = Stop.CALLBACK
        return stalled or self.stopped is not None

    def _after_stalling(self) -> str:
        """Stop, or change something that may help; in words."""
        self.stopped = Stop.CONVERGED
        return "Stopping."

    def _enter(self, loss: float, lr: float | None, penalty: float) -> Epoch:
        loss = self.settings.objective.report(loss, penalty, self._constant)
        val_loss, score = (None, None) if self.held_out is None else self.held_out.look(self.theta)
        epoch = Epoch(loss, val_loss, score, lr, self.record.seconds_before + self._seconds())
        self.record.epochs.append(epoch)
        return epoch

    def _show(self, epoch: Epoch) -> None:
        done = len(self.record.epochs)
        if self.settings.verbose:
            print(f"Iteration {done}, loss = {epoch.loss:.8f}")
            if epoch.score is not None:
                print(f"Validation score: {epoch.score:f}")
        self._update(done, epoch.loss, epoch.val_loss)

    def _say_stalled(self, action: str) -> None:
        settings = self.settings
        if settings.verbose:
            what = "Validation score" if settings.stops_early else "Training loss"
            print(
                f"{what} did not improve more than tol={settings.tol:f} for {settings.patience} "
                f"consecutive epochs. {action}"
            )

    def _seconds(self) -> float:
        return perf_counter() - self._start
