"""What any training of an estimator does after each epoch, and when it ends."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _schuss
from .._checkpoint import Checkpoint
from .._dialogue import Dialogue
from .._stop import FINAL, Stop
from ..history import progress_bar
from ._held_out import HeldOut
from ._listeners import Listeners
from ._record import Best, Epoch, Record
from ._samples import Samples, ShardedSamples
from ._settings import Settings
from ._watched import Watched

Array = NDArray[Any]

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be"
    " preprocessed."
)

# What a fit says that ends with the best of its epochs, since a later one was of no use.
DIVERGED = (
    "Training diverged after {} epoch(s): the loss is not finite any more. The parameters of the best epoch "
    "are kept; scale X, or lower the learning rate."
)


class Setup(NamedTuple):
    """All that a training works with.

    Attributes
    ----------
    start : float
        When the fit began.
    checkpoint : Checkpoint or None
        Where the training is saved.
    saved : mapping or None
        What it goes on from.
    randomness : mapping
        The estimator's seeds, for the checkpoint.
    peers : Dialogue or None
        The other processes that train with this one.
    all_rows : int or None
        How many rows there are, where other processes have them.
    """

    core: _schuss.Network
    theta: Array
    samples: Samples | ShardedSamples
    held_out: HeldOut | Watched | None
    start: float
    settings: Settings
    record: Record
    listeners: Listeners
    checkpoint: Checkpoint | None = None
    saved: Mapping[str, Any] | None = None
    randomness: Mapping[str, Any] = MappingProxyType({})
    peers: Dialogue | None = None
    all_rows: int | None = None


class Training(ABC):
    """One fit of an estimator.

    Attributes
    ----------
    stopped : Stop or None
        Why it has ended; None while it runs.
    at_rest : bool
        Whether what would be saved now is whole.
    unseen : tuple or None
        Loss, learning rate and penalty of an epoch that has been learnt while it is entered and looked at:
        what is saved meanwhile is from before that, and a training that resumes begins with it.
    """

    def __init__(self, setup: Setup) -> None:
        self.core, self.theta = setup.core, setup.theta
        self.rows = setup.samples.for_core()
        self.held_out = setup.held_out
        self.settings, self.record, self.listeners = setup.settings, setup.record, setup.listeners
        self.stopped: Stop | None = None
        self._constant = setup.samples.constant(self.settings.objective)
        self.checkpoint, self._randomness = setup.checkpoint, setup.randomness
        self.peers, self.all_rows = setup.peers, setup.all_rows
        self.at_rest = False
        self.unseen: tuple[float, float | None, float] | None = None
        self._books = 0, self.record.best
        self._looks = True
        self._start = setup.start
        self._seconds_before = self.record.seconds_before
        self._saved = setup.saved

    @abstractmethod
    def _train(self, epochs: int) -> None:
        """Train until `stopped` is set; call `_after_epoch` after each epoch."""

    def _not_entered(self) -> Iterable[tuple[float, float | None, float]]:
        """Loss, learning rate and penalty of epochs that are in the parameters, but not in the record."""
        return ()

    def _at_start(self) -> tuple[float, float] | None:
        """Loss and penalty where the training began, if the loss was evaluated there."""
        return None

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """What a checkpoint has of this way of training."""

    def _restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `save` has saved."""
        self.theta[:] = saved["theta"]
        self.record.epochs = [Epoch(*epoch) for epoch in saved["epochs"]]
        self.record.best = Best(*saved["best"])
        self._seconds_before += saved["seconds"]
        # Earlier versions did not know.
        self.unseen = saved.get("unseen")
        self._books = len(self.record.epochs), self.record.best
        stopped = saved["stopped"]
        self.stopped = Stop(stopped) if stopped in FINAL else None

    def save(self, stopped: Stop | None) -> None:
        """Save the training to its checkpoint, if it has one."""
        if self.checkpoint is None:
            return
        # A training that goes on has the best of its epochs, not what it is worth where it began.
        from_books = self.unseen or not self.record.epochs
        entered, best = self._books if from_books else (len(self.record.epochs), self.record.best)
        state = {
            **self._state(),
            "theta": self.theta,
            "epochs": [tuple(epoch) for epoch in self.record.epochs[:entered]],
            "best": tuple(best),
            "unseen": self.unseen,
            "seconds": self._seconds_before - self.record.seconds_before + self._seconds(),
            "randomness": self._randomness,
            "stopped": None if stopped is None else stopped.value,
        }
        self.checkpoint.save(state)

    def _save_if_due(self, within_epoch: bool = False) -> None:
        done = None if within_epoch else len(self.record.epochs)
        if self.checkpoint is not None and self.checkpoint.is_due(done):
            self.save(None)

    def begin(self, epochs: int) -> None:
        """Get ready to train for that many epochs: what can be refused is refused here."""
        if self._saved is not None:
            self._restore(self._saved)
            if self.stopped is None and len(self.record.epochs) >= epochs:
                self.stopped = Stop.EPOCHS
        if self.peers is not None:
            done = {"the epochs that are done": len(self.record.epochs), "the seed": self.settings.seed}
            self.peers.begin({**done, "epochs": epochs, "the parameters": zlib.crc32(self.theta.data)})

    def run(self, epochs: int) -> None:
        """Train for that many epochs, or until something says stop; `begin` comes first."""
        self.record.publish()
        self.record.note_end(None)
        with progress_bar(epochs, self.settings.progress) as self._update:
            try:
                if self.stopped is None:
                    self._train(epochs)
                    self.at_rest = True
                self._note_start()
            except KeyboardInterrupt:
                # Whoever has pressed Ctrl-C does not wait for held-out rows.
                self._looks = False
                if self.unseen is not None:
                    self.save(None)
                for loss, lr, penalty in self._not_entered():
                    self._enter(loss, lr, penalty)
                self._note_start()
                self.stopped = Stop.INTERRUPTED
                if self.peers is not None and not self.peers.agreed:
                    # Others do not know of it, and wait: it ends all, as an error does.
                    self.record.note_end(Stop.INTERRUPTED)
                    raise
            except _schuss.NonFiniteError as error:
                self.stopped = Stop.NOT_FINITE
                if not self._has_best():
                    self.record.note_end(Stop.NOT_FINITE)
                    raise ValueError(f"{NOT_FINITE} ({error})") from error
            except BaseException:
                self.record.note_end(Stop.ERROR)
                raise
        self.record.publish()
        self.record.note_end(self.stopped)
        if self.at_rest:
            self.save(self.stopped)
        if self._has_best():
            self.record.mark_best()
            self.theta[:] = self.record.best.theta
        if self.peers is not None and self.stopped is not Stop.INTERRUPTED:
            self.peers.meet()

    def _note_start(self) -> None:
        """Of a training without an epoch, remember what the parameters are worth, if that is known."""
        start = self._at_start()
        if start is None or self.record.epochs:
            return
        stopped, (loss, penalty) = self.stopped, start
        there = self._epoch(loss, None, penalty)
        self.stopped = stopped  # whether or not there was time for a look
        self.record.note_start(there, self.theta, self.settings)

    def _has_best(self) -> bool:
        """Whether there are parameters of an earlier epoch to end with."""
        best = self.record.best.theta
        return self.settings.restores_best and best is not None and bool(np.isfinite(best).all())

    def _begin_looks(self, loss: float, lr: float | None, penalty: float) -> None:
        """An epoch has been learnt: remember how the books were before it."""
        self._books = len(self.record.epochs), self.record.best
        self.unseen = loss, lr, penalty

    def _after_epoch(self, loss: float, lr: float | None, penalty: float) -> bool:
        """Enter an epoch, let everybody look, and decide what follows. Whether the core must come to rest."""
        epoch = self._enter(loss, lr, penalty)
        if self.stopped is None:
            best, number = self.record.best, self.record.number
            self.record.best = best.after(epoch, number, self.theta, self.settings)
        self.record.publish()
        self._show(epoch)
        wanted = self.listeners.end_epoch()
        stalled = self.record.best.stalled > self.settings.patience
        if stalled:
            self._say_stalled(self._after_stalling())
        if self.stopped is None:
            if not np.isfinite(epoch.loss) and not np.isfinite(self.theta).all():
                self.stopped = Stop.NOT_FINITE
            elif self._is_late():
                self.stopped = Stop.MAX_TIME
            elif wanted:
                self.stopped = Stop.CALLBACK
        return stalled or self.stopped is not None

    def _after_stalling(self) -> str:
        """Stop, or change something that may help; in words."""
        self.stopped = Stop.CONVERGED
        return "Stopping."

    def _enter(self, loss: float, lr: float | None, penalty: float) -> Epoch:
        epoch = self._epoch(loss, lr, penalty)
        self.record.epochs.append(epoch)
        return epoch

    def _epoch(self, loss: float, lr: float | None, penalty: float) -> Epoch:
        loss = self.settings.objective.report(loss, penalty, self._constant)
        val_loss, score = (None, None) if self.held_out is None else self._look(self.held_out)
        return Epoch(loss, val_loss, score, lr, self._seconds_before + self._seconds())

    def _look(self, held_out: HeldOut | Watched) -> tuple[float, float]:
        """The loss and the score of held-out rows; NaN where there is no time for them."""
        if self._looks:
            try:
                return held_out.look(self.theta, self._seconds_left)
            except _schuss.OutOfTime:
                self.stopped = Stop.MAX_TIME
        return np.nan, np.nan

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

    def _seconds_left(self) -> float:
        return max(self.settings.max_time - self._seconds(), 0.0)

    def _is_late(self) -> bool:
        return self._seconds() >= self.settings.max_time
